/* flags.c: the parser behind flags.h. getopt_long is not used because its messages cannot name the nearest flag. */
#include "cmd/flags.h"

#include "base/mem.h"
#include "base/str.h"
#include "kube/duration.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void print_help(const char *usage, const struct flag *flags, size_t n)
{
	printf("usage: kaito %s\n", usage);
	for (size_t i = 0; i < n; i++) {
		char head[64];
		snprintf(head, sizeof head, "--%s%s%s", flags[i].name, flags[i].value_name ? " " : "", flags[i].value_name ? flags[i].value_name : "");
		printf("  %-32s %s%s\n", head, flags[i].help, flags[i].required ? " [required]" : "");
	}
}

static int unknown_flag(str name, const struct flag *flags, size_t n, struct err *err)
{
	const char *names[128];
	size_t count = 0;
	for (; count < n && count < 126; count++)
		names[count] = flags[count].name;
	names[count++] = "help";
	names[count] = NULL;
	const char *near = str_nearest(name, names);
	if (near)
		return err_set(err, ERR_USAGE, "unknown flag --%.*s; did you mean --%s?", STR_FMT(name), near);
	return err_set(err, ERR_USAGE, "unknown flag --%.*s; --help lists the flags", STR_FMT(name));
}

static int check_range(const struct flag *f, double v, struct err *err)
{
	if (f->min < f->max && !(v >= f->min && v <= f->max))
		return err_set(err, ERR_USAGE, "--%s must be between %g and %g", f->name, f->min, f->max);
	return 0;
}

static int store(const struct flag *f, const char *value, struct err *err)
{
	switch (f->kind) {
	case FLAG_BOOL:
		if (value && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
			return err_set(err, ERR_USAGE, "--%s takes true or false, not '%s'", f->name, value);
		*(bool *)f->out = !value || strcmp(value, "true") == 0;
		return 0;
	case FLAG_INT: {
		int64_t v;
		if (!str_to_i64(str_of(value), &v))
			return err_set(err, ERR_USAGE, "--%s takes a whole number, not '%s'", f->name, value);
		*(int64_t *)f->out = v;
		return check_range(f, (double)v, err);
	}
	case FLAG_FLOAT: {
		double v;
		if (!str_to_f64(str_of(value), &v))
			return err_set(err, ERR_USAGE, "--%s takes a number, not '%s'", f->name, value);
		*(double *)f->out = v;
		return check_range(f, v, err);
	}
	case FLAG_DURATION: {
		double seconds;
		if (!duration_parse(value, &seconds) || (seconds < 0 && f->min >= 0) || fabs(seconds) > 1e9)
			return err_set(err, ERR_USAGE, "--%s takes a duration such as 90s or 2m30s, not '%s'", f->name, value);
		if (f->min < f->max && !(seconds * 1000 >= f->min && seconds * 1000 <= f->max))
			return err_set(err, ERR_USAGE, "--%s must be between %g and %g seconds", f->name, f->min / 1000, f->max / 1000);
		*(int64_t *)f->out = llround(seconds * 1000);
		return 0;
	}
	case FLAG_STRING:
		*(const char **)f->out = value;
		return 0;
	case FLAG_LIST: {
		struct flag_list *list = f->out;
		list->items = mem_realloc(list->items, (list->len + 1) * sizeof *list->items);
		list->items[list->len++] = value;
		return 0;
	}
	}
	return err_set(err, ERR_INTERNAL, "flag --%s has no kind", f->name);
}

static const struct flag *find(const struct flag *flags, size_t n, str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eqz(name, flags[i].name))
			return &flags[i];
	return NULL;
}

static int check_required(const struct flag *flags, size_t n, const bool *seen, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (flags[i].required && !seen[i])
			return err_set(err, ERR_USAGE, "--%s is required", flags[i].name);
	return 0;
}

/* One "--name[=value]" word; returns how many words it used, or -1. */
static int parse_flag(const struct flag *flags, size_t n, int argc, char **argv, int i, bool *seen, struct err *err)
{
	const char *word = argv[i] + 2, *equals = strchr(word, '=');
	str name = {word, equals ? (size_t)(equals - word) : strlen(word)};
	const struct flag *f = find(flags, n, name);
	if (!f)
		return unknown_flag(name, flags, n, err);
	const char *value = equals ? equals + 1 : NULL;
	int used = 1;
	if (!value && f->kind != FLAG_BOOL) {
		if (i + 1 >= argc)
			return err_set(err, ERR_USAGE, "--%s needs a value", f->name);
		value = argv[i + 1];
		used = 2;
	}
	seen[f - flags] = true;
	return store(f, value, err) < 0 ? -1 : used;
}

int flags_parse(const char *usage, const struct flag *flags, size_t n, int argc, char **argv,
		const char **positional, size_t max_positional, size_t *n_positional, struct err *err)
{
	CLEANUP(mem_freep) bool *seen = mem_array(n + 1, sizeof *seen);
	size_t words = 0;
	for (int i = 1; i < argc;) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help(usage, flags, n);
			return 1;
		}
		if (strncmp(argv[i], "--", 2) != 0) {
			if (words >= max_positional)
				return err_set(err, ERR_USAGE, "unexpected argument '%s'; usage: kaito %s", argv[i], usage);
			positional[words++] = argv[i++];
			continue;
		}
		int used = parse_flag(flags, n, argc, argv, i, seen, err);
		if (used < 0)
			return -1;
		i += used;
	}
	if (n_positional)
		*n_positional = words;
	return check_required(flags, n, seen, err);
}

int flags_environment(const struct flag *flags, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		char name[64];
		size_t k = 0;
		for (; flags[i].name[k] && k + 1 < sizeof name; k++)
			name[k] = flags[i].name[k] == '-' ? '_' : (char)toupper((unsigned char)flags[i].name[k]);
		name[k] = 0;
		const char *value = flags[i].environment ? getenv(name) : NULL;
		if (value && value[0] && store(&flags[i], value, err) < 0)
			return err_wrap(err, "environment variable %s", name);
	}
	return 0;
}

void flags_done(const struct flag *flags, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (flags[i].kind == FLAG_LIST)
			free(((struct flag_list *)flags[i].out)->items);
}

/* field.c: the decoding side of field.h: JSON values (from YAML) into struct members, by table. */
#include "codec/field.h"

#include "base/limits.h"
#include "codec/json.h"
#include <assert.h>
#include <math.h>
#include <stdarg.h>

static_assert(sizeof((struct field_report *)0)->errors / sizeof(struct field_error) == LIMIT_FIELD_ERRORS, "the report's array is the limit");

struct decoder { struct arena *arena; struct field_report *report; };

void field_report_add(struct field_report *report, uint32_t line, const char *path, const char *fmt, ...)
{
	if (report->n_errors == LIMIT_FIELD_ERRORS) {
		report->n_dropped++;
		return;
	}
	char why[ERR_MESSAGE_MAX];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	report->errors[report->n_errors++] = (struct field_error){arena_strdup(&report->arena, str_of(path)), arena_strdup(&report->arena, str_of(why)), line};
}

static void note_ignored(struct field_report *report, const char *path)
{
	const char **grown = arena_array(&report->arena, report->n_ignored + 1, sizeof *grown);
	if (report->n_ignored)
		memcpy(grown, report->ignored, report->n_ignored * sizeof *grown);
	grown[report->n_ignored++] = arena_strdup(&report->arena, str_of(path));
	report->ignored = grown;
}

static const char *const EXPECTED[] = {
	[FIELD_BOOL] = "true or false", [FIELD_OPT_BOOL] = "true or false", [FIELD_INT] = "a whole number", [FIELD_NUMBER] = "a number",
	[FIELD_STRING] = "a string", [FIELD_STRINGS] = "a string or a list of strings", [FIELD_OBJECT] = "a mapping", [FIELD_ANY] = "anything",
};

static bool as_number(const json_t *v, double *out)
{
	if (json_is_string(v))
		return str_to_f64(str_of(json_string_value(v)), out) && isfinite(*out);
	*out = json_number_value(v);
	return json_is_number(v);
}

static bool as_integer(const json_t *v, int64_t *out)
{
	double real;
	if (json_is_integer(v)) {
		*out = json_integer_value(v);
		return true;
	}
	if (json_is_string(v) && str_to_i64(str_of(json_string_value(v)), out))
		return true;
	if (!as_number(v, &real) || real != floor(real) || fabs(real) >= 0x1p63)
		return false;
	*out = (int64_t)real;
	return true;
}

static bool as_bool(const json_t *v, bool *out)
{
	const char *z = json_string_value(v);
	if (z && (strcmp(z, "true") == 0 || strcmp(z, "True") == 0 || strcmp(z, "false") == 0 || strcmp(z, "False") == 0))
		*out = z[0] == 't' || z[0] == 'T';
	else if (json_is_boolean(v))
		*out = json_is_true(v);
	else
		return false;
	return true;
}

static bool has_choice(const struct field *f, const char *word)
{
	for (const char *const *c = f->choices; c && *c; c++)
		if (strcmp(*c, word) == 0)
			return true;
	return false;
}

/* An unquoted `no` is a boolean in YAML 1.1; where "no" is one of the accepted words, the word was meant. */
static const char *as_word(const struct field *f, const json_t *v)
{
	return json_is_false(v) && has_choice(f, "no") ? "no" : json_string_value(v);
}

static bool as_strings(const json_t *v, struct arena *arena, struct field_strings *out)
{
	size_t n = json_is_string(v) ? 1 : json_array_size(v);
	if (!json_is_string(v) && !json_is_array(v))
		return false;
	const char **items = arena_array(arena, n + 1, sizeof *items);
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_is_string(v) ? v : json_array_get(v, i);
		if (!json_is_string(item))
			return false;
		items[i] = arena_strdup(arena, str_of(json_string_value(item)));
	}
	*out = (struct field_strings){items, n};
	return true;
}

/* Stores the value; false when it is of another type. Numbers out of range and unknown words are told by check(). */
static bool store(const struct field *f, const json_t *v, void *member, struct arena *arena)
{
	bool b;
	const char *word;
	switch (f->type) {
	case FIELD_BOOL: return as_bool(v, member);
	case FIELD_OPT_BOOL:
		if (!as_bool(v, &b))
			return false;
		*(int8_t *)member = b;
		return true;
	case FIELD_INT: return as_integer(v, member);
	case FIELD_NUMBER: return as_number(v, member);
	case FIELD_STRING:
		if (!(word = as_word(f, v)))
			return false;
		*(const char **)member = arena_strdup(arena, str_of(word));
		return true;
	case FIELD_STRINGS: return as_strings(v, arena, member);
	case FIELD_OBJECT:
		*(const json_t **)member = v;
		return json_is_object(v);
	case FIELD_ANY: *(const json_t **)member = v; return true;
	}
	return false;
}

union any_member { bool b; int8_t o; int64_t i; double d; const char *s; struct field_strings l; const json_t *j; };

static size_t member_size(enum field_type type)
{
	static const size_t SIZES[] = {
		[FIELD_BOOL] = sizeof(bool), [FIELD_OPT_BOOL] = sizeof(int8_t), [FIELD_INT] = sizeof(int64_t), [FIELD_NUMBER] = sizeof(double),
		[FIELD_STRING] = sizeof(char *), [FIELD_STRINGS] = sizeof(struct field_strings), [FIELD_OBJECT] = sizeof(json_t *), [FIELD_ANY] = sizeof(json_t *),
	};
	return SIZES[type];
}

static void check_range(const struct field *f, double v, const char *path, uint32_t line, struct field_report *report)
{
	if (!(f->min < f->max) || (v >= f->min && v <= f->max))
		return;
	if (f->max >= 1e300)
		field_report_add(report, line, path, "is %g, must be at least %g", v, f->min);
	else
		field_report_add(report, line, path, "is %g, must be between %g and %g", v, f->min, f->max);
}

static void check_choice(const struct field *f, const char *word, const char *path, uint32_t line, struct field_report *report)
{
	if (!f->choices || has_choice(f, word))
		return;
	const char *near = str_nearest(str_of(word), f->choices);
	struct buf words = {0};
	for (const char *const *c = f->choices; *c && words.len < 120; c++)
		buf_printf(&words, "%s%s", words.len ? ", " : "", *c);
	if (near)
		field_report_add(report, line, path, "unknown value '%.40s'; did you mean '%s'?", word, near);
	else
		field_report_add(report, line, path, "unknown value '%.40s'; one of: %s", word, words.data);
	buf_done(&words);
}

/* Null, false, zero, empty, or the row's default: a FIELD_REFUSED key may say so. */
static bool is_off(const struct field *f, const json_t *v)
{
	double number = 1;
	if (as_number(v, &number) && number == 0)
		return true;
	if (json_is_false(v) || (json_is_string(v) && json_string_length(v) == 0) || (json_is_array(v) && json_array_size(v) == 0) ||
	    (json_is_object(v) && json_object_size(v) == 0))
		return true;
	json_t *fallback = f->fallback ? yaml_scalar(str_of(f->fallback)) : NULL;
	bool same = fallback && json_equal(fallback, v);
	json_decref(fallback);
	return same;
}

static void decode_value(struct decoder *d, const struct field *f, const json_t *v, uint32_t line, const char *path, void *out)
{
	union any_member member = {0};
	if (!store(f, v, &member, d->arena)) {
		field_report_add(d->report, line, path, "must be %s, not %s", EXPECTED[f->type], json_type_name(v));
		return;
	}
	if (f->type == FIELD_INT || f->type == FIELD_NUMBER)
		check_range(f, f->type == FIELD_INT ? (double)member.i : member.d, path, line, d->report);
	if (f->type == FIELD_STRING)
		check_choice(f, member.s, path, line, d->report);
	if (f->offset != FIELD_NO_MEMBER)
		memcpy((char *)out + f->offset, &member, member_size(f->type));
	if (f->use == FIELD_REFUSED && !is_off(f, v))
		field_report_add(d->report, line, path, "is not supported by this build; remove it%s%s", f->fallback ? " or set it to " : "", f->fallback ? f->fallback : "");
	if (f->use == FIELD_NOT_HERE)
		note_ignored(d->report, path);
}

static const struct field *find(const struct field *rows, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

/* "alpha" for "lora_alpha": a likely abbreviation that edit distance does not find. */
static bool is_last_word(const char *name, const char *key)
{
	size_t n = strlen(name), k = strlen(key);
	return k >= 3 && n > k && name[n - k - 1] == '_' && strcmp(name + n - k, key) == 0;
}

static void unknown_key(struct decoder *d, const struct field_section *sections, size_t n, const struct field_section *here, const char *key, uint32_t line, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (find(sections[i].rows, sections[i].n, key)) {
			field_report_add(d->report, line, path, "unknown key; it belongs to %s", sections[i].name);
			return;
		}
	CLEANUP(mem_freep) const char **names = mem_array(here->n + 1, sizeof *names);
	for (size_t i = 0; i < here->n; i++)
		names[i] = here->rows[i].name;
	const char *near = str_nearest(str_of(key), names);
	for (size_t i = 0; !near && i < here->n; i++)
		near = is_last_word(names[i], key) ? names[i] : NULL;
	if (near)
		field_report_add(d->report, line, path, "unknown key; did you mean '%s'?", near);
	else
		field_report_add(d->report, line, path, "unknown key");
}

static char *join(struct arena *arena, const char *path, const char *name) { return arena_printf(arena, "%s%s%.80s", path, path[0] ? "." : "", name); }

static void decode_section(struct decoder *d, const struct field_section *sections, size_t n, const struct field_section *s, const json_t *object,
			   const struct yaml_mark *mark, const char *path, void *out)
{
	const char *key;
	json_t *value;
	size_t i = 0;
	if (!json_is_object(object)) {
		field_report_add(d->report, mark ? mark->line : 0, path, "must be a mapping, not %s", json_type_name(object));
		return;
	}
	json_object_foreach((json_t *)(uintptr_t)object, key, value) {
		const struct yaml_mark *m = yaml_mark_child(mark, i++);
		uint32_t line = m ? m->line : 0;
		const char *where = join(&d->report->arena, path, key);
		const struct field *f = find(s->rows, s->n, key);
		if (!f)
			unknown_key(d, sections, n, s, key, line, where);
		else if (!json_is_null(value))
			decode_value(d, f, value, line, where, (char *)out + s->offset);
	}
}

void field_defaults(const struct field_section *sections, size_t n, void *out, struct arena *arena)
{
	for (size_t s = 0; s < n; s++)
		for (size_t i = 0; i < sections[s].n; i++) {
			const struct field *f = &sections[s].rows[i];
			union any_member member = {0};
			if (f->offset == FIELD_NO_MEMBER)
				continue;
			if (f->type == FIELD_OPT_BOOL)
				member.o = -1;
			json_t *v = NULL;
			if (f->fallback)
				v = f->type == FIELD_STRING ? json_string(f->fallback) : yaml_scalar(str_of(f->fallback));
			bool fits = !v || store(f, v, &member, arena);
			assert(fits && "a row's default has the row's type");
			(void)fits;
			json_decref(v);
			memcpy((char *)out + sections[s].offset + f->offset, &member, member_size(f->type));
		}
}

static void unknown_section(struct decoder *d, const struct field_section *sections, size_t n, const char *key, uint32_t line, const char *path)
{
	CLEANUP(mem_freep) const char **names = mem_array(n + 1, sizeof *names);
	for (size_t i = 0; i < n; i++) {
		names[i] = sections[i].name;
		if (find(sections[i].rows, sections[i].n, key)) {
			field_report_add(d->report, line, path, "unknown section; the key belongs to %s", sections[i].name);
			return;
		}
	}
	const char *near = str_nearest(str_of(key), names);
	if (near)
		field_report_add(d->report, line, path, "unknown section; did you mean '%s'?", near);
	else
		field_report_add(d->report, line, path, "unknown section");
}

void field_decode(const struct field_section *sections, size_t n, const json_t *object, const struct yaml_mark *mark, const char *path,
		  void *out, struct arena *arena, struct field_report *report)
{
	struct decoder d = {arena, report};
	const char *key;
	json_t *value;
	size_t i = 0;
	field_defaults(sections, n, out, arena);
	if (!object || json_is_null(object))
		return;
	if (!json_is_object(object)) {
		field_report_add(report, mark ? mark->line : 0, path[0] ? path : "document", "must be a mapping, not %s", json_type_name(object));
		return;
	}
	json_object_foreach((json_t *)(uintptr_t)object, key, value) {
		const struct yaml_mark *m = yaml_mark_child(mark, i++);
		const char *where = join(&report->arena, path, key);
		size_t s = 0;
		while (s < n && strcmp(sections[s].name, key) != 0)
			s++;
		if (s == n)
			unknown_section(&d, sections, n, key, m ? m->line : 0, where);
		else if (!json_is_null(value))
			decode_section(&d, sections, n, &sections[s], value, m, where, out);
	}
}

/* cmd_images.c: `kaito images`: what the local store has, and how to get rid of it. */
#include "cmd/command.h"
#include "cmd/flags.h"

#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"
#include "oci/oci.h"
#include <inttypes.h>
#include <stdio.h>

#define WORDS_MAX 256

struct images { const char *store, *format; const char **names; size_t n; };

static void print_table(const struct oci_image *images, size_t n)
{
	int width = 4;
	for (size_t i = 0; i < n; i++)
		width = (int)strlen(images[i].name) > width ? (int)strlen(images[i].name) : width;
	printf("%-*s  %-12s  %14s\n", width, "NAME", "DIGEST", "BYTES");
	for (size_t i = 0; i < n; i++)
		if (images[i].bytes)
			printf("%-*s  %.12s  %14" PRIu64 "\n", width, images[i].name, images[i].digest + 7, images[i].bytes);
		else
			printf("%-*s  %.12s  %14s\n", width, images[i].name, images[i].digest + 7, "incomplete");
}

static void print_json(const struct oci_image *images, size_t n)
{
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "name", images[i].name, "digest", images[i].digest, "bytes",
						      (json_int_t)images[i].bytes));
	struct buf text = {0};
	json_print(list, JSON_PRINT_INDENT, &text);
	puts(text.data);
	buf_done(&text);
	json_decref(list);
}

static int list(const struct images *x, struct err *err)
{
	struct oci_image *images;
	size_t n;
	if (x->n)
		return err_set(err, ERR_USAGE, "unexpected argument '%s'; usage: kaito images list", x->names[0]);
	if (oci_list(x->store, &images, &n, err) < 0)
		return -1;
	if (x->format)
		print_json(images, n);
	else
		print_table(images, n);
	oci_list_done(images, n);
	return 0;
}

static int collect(const struct images *x, struct err *err)
{
	uint64_t bytes;
	size_t blobs;
	if (x->n)
		return err_set(err, ERR_USAGE, "unexpected argument '%s'; usage: kaito images gc", x->names[0]);
	if (oci_gc(x->store, &bytes, &blobs, err) < 0)
		return -1;
	printf(x->format ? "{\"blobs\": %zu, \"bytes\": %" PRIu64 "}\n" : "removed %zu blobs, %" PRIu64 " bytes\n", blobs, bytes);
	return 0;
}

/* Names first, then their space; when somebody else uses the store that is left to a later gc. */
static int remove_images(const struct images *x, struct err *err)
{
	if (x->n == 0)
		return err_set(err, ERR_USAGE, "which image is to be removed? usage: kaito images rm IMAGE...");
	for (size_t i = 0; i < x->n; i++) {
		if (oci_remove(x->names[i], x->store, err) < 0)
			return -1;
		fprintf(stderr, "removed %s\n", x->names[i]);
	}
	uint64_t bytes;
	size_t blobs;
	struct err local = ERR_INIT;
	if (oci_gc(x->store, &bytes, &blobs, &local) < 0 && local.kind != ERR_BUSY)
		return err_set(err, local.kind, "%s", local.message);
	return 0;
}

/* To add an action: a row. */
static const struct { const char *name; int (*run)(const struct images *x, struct err *err); } ACTIONS[] = {
	{"gc", collect}, {"list", list}, {"rm", remove_images}};
enum { ACTION_COUNT = sizeof ACTIONS / sizeof ACTIONS[0] };

static int run(struct images *x, const char *action, struct err *err)
{
	const char *names[ACTION_COUNT + 1] = {0};
	if (x->format && strcmp(x->format, "json") != 0)
		return err_set(err, ERR_USAGE, "-o takes json, not '%s'", x->format);
	for (size_t i = 0; i < ACTION_COUNT; i++) {
		if (strcmp(ACTIONS[i].name, action) == 0)
			return ACTIONS[i].run(x, err);
		names[i] = ACTIONS[i].name;
	}
	const char *near = str_nearest(str_of(action), names);
	return err_set(err, ERR_USAGE, "unknown action '%s'%s%s; there are list, rm and gc", action, near ? ", did you mean " : "", near ? near : "");
}

int cmd_images(int argc, char **argv, struct err *err)
{
	static char long_name[] = "--output";
	struct images x = {0};
	const char *words[WORDS_MAX];
	size_t n = 0;
	const struct flag flags[] = {
		{"output", "FORMAT", FLAG_STRING, &x.format, "json, for machines; also -o"},
		{"store", "DIR", FLAG_STRING, &x.store, "local image store (KAITO_STORE, else ~/.local/share/kaito/images)"},
	};
	CLEANUP(mem_freep) char **args = mem_array((size_t)argc + 1, sizeof *args);
	for (int i = 0; i < argc; i++)
		args[i] = strcmp(argv[i], "-o") == 0 ? long_name : argv[i];
	int rc = flags_parse("images [list | rm IMAGE... | gc] [-o json]", flags, sizeof flags / sizeof flags[0], argc, args, words, WORDS_MAX, &n, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	x.names = words + (n ? 1 : 0);
	x.n = n ? n - 1 : 0;
	return run(&x, n ? words[0] : "list", err);
}

/* field_errors.c: see field_errors.h. */
#include "admission/field_errors.h"

#include "base/limits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 4096

/* Bytes from outside are cut at a character, so that the answer stays valid UTF-8. */
static char *format_message(const char *lead, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));
static char *format_message(const char *lead, const char *fmt, va_list args)
{
	char text[MESSAGE_MAX];
	size_t len = strlen(lead);
	memcpy(text, lead, len);
	vsnprintf(text + len, sizeof text - len, fmt, args);
	len = strlen(text);
	if (len == sizeof text - 1) {
		size_t bad = len;
		if (!str_is_utf8((str){text, len}, &bad))
			len = bad;
	}
	return mem_strndup(text, len);
}

static char *full_path(const struct field_errors *e, const char *path)
{
	if (!e->prefix)
		return mem_strdup(path);
	return path[0] ? mem_printf("%s.%s", e->prefix, path) : mem_strdup(e->prefix);
}

static struct field_errors_item *last(struct field_errors *e)
{
	return e->items.len && !e->dropped ? &e->items.data[e->items.len - 1] : NULL;
}

/* Takes message. */
static void add(struct field_errors *e, char *message, const char *path)
{
	if (e->items.len >= LIMIT_ADMISSION_ERRORS) {
		e->dropped++;
		free(message);
		return;
	}
	struct field_errors_item item = {.message = message};
	if (path)
		vec_push(&item.paths, full_path(e, path));
	vec_push(&e->items, item);
}

void field_errors_generic(struct field_errors *e, const char *path, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	add(e, format_message("", fmt, args), path);
	va_end(args);
}

void field_errors_invalid(struct field_errors *e, const char *path, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	add(e, format_message("invalid value: ", fmt, args), path);
	va_end(args);
}

void field_errors_missing(struct field_errors *e, const char *path) { add(e, mem_strdup("missing field(s)"), path); }

void field_errors_also(struct field_errors *e, const char *path)
{
	struct field_errors_item *item = last(e);
	if (item)
		vec_push(&item->paths, full_path(e, path));
}

void field_errors_detail(struct field_errors *e, const char *fmt, ...)
{
	struct field_errors_item *item = last(e);
	if (!item)
		return;
	va_list args;
	va_start(args, fmt);
	free(item->details);
	item->details = format_message("", fmt, args);
	va_end(args);
}

/* --- the text ------------------------------------------------------------------------------------------------ */

static int compare_items(const void *a, const void *b)
{
	const struct field_errors_item *x = a, *y = b;
	int order = strcmp(x->message, y->message);
	return order ? order : strcmp(x->details ? x->details : "", y->details ? y->details : "");
}

static int compare_paths(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void item_done(struct field_errors_item *item)
{
	for (size_t i = 0; i < item->paths.len; i++)
		free(item->paths.data[i]);
	vec_done(&item->paths);
	free(item->message);
	free(item->details);
}

/* After sorting, equal errors stand together: the first takes the paths of the others. */
static void merge(struct field_errors *e)
{
	size_t kept = 0;
	for (size_t i = 0; i < e->items.len; i++) {
		struct field_errors_item *item = &e->items.data[i];
		struct field_errors_item *before = kept ? &e->items.data[kept - 1] : NULL;
		if (before && compare_items(before, item) == 0) {
			vec_append(&before->paths, item->paths.data, item->paths.len);
			item->paths.len = 0;
			item_done(item);
		} else {
			e->items.data[kept++] = *item;
		}
	}
	e->items.len = kept;
}

static void print_paths(struct field_errors_item *item, struct buf *out)
{
	if (item->paths.len)
		qsort(item->paths.data, item->paths.len, sizeof *item->paths.data, compare_paths);
	const char *before = NULL;
	for (size_t i = 0; i < item->paths.len; i++) {
		const char *path = item->paths.data[i];
		if (before && strcmp(before, path) == 0)
			continue;
		if (before)
			buf_puts(out, ", ");
		buf_puts(out, path);
		before = path;
	}
}

size_t field_errors_print(struct field_errors *e, struct buf *out)
{
	if (e->items.len)
		qsort(e->items.data, e->items.len, sizeof *e->items.data, compare_items);
	merge(e);
	for (size_t i = 0; i < e->items.len; i++) {
		struct field_errors_item *item = &e->items.data[i];
		buf_puts(out, i ? "\n" : "");
		buf_printf(out, "%s: ", item->message);
		print_paths(item, out);
		if (item->details)
			buf_printf(out, "\n%s", item->details);
	}
	if (e->dropped)
		buf_printf(out, "\n(and %zu more)", e->dropped);
	return e->items.len;
}

void field_errors_done(struct field_errors *e)
{
	for (size_t i = 0; i < e->items.len; i++)
		item_done(&e->items.data[i]);
	vec_done(&e->items);
	*e = (struct field_errors){0};
}

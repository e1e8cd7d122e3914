/* aws_sim_form.c: the body of a query request: Name=value&Name=value, percent-encoded (+ is a blank). Names are given once. */
#include "simulate/aws_sim.h"

#include <stdarg.h>
#include <stdio.h>

enum { FIELDS_MAX = 4000, NAME_MAX_BYTES = 200 };

static int digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

/* False: an escape that breaks off, a NUL, or no UTF-8. */
static bool decode(str text, struct buf *out)
{
	size_t bad;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if (c == '%') {
			int high = i + 2 < text.len ? digit(text.data[i + 1]) : -1, low = i + 2 < text.len ? digit(text.data[i + 2]) : -1;
			if (high < 0 || low < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		if (!c)
			return false;
		buf_putc(out, c);
	}
	return str_is_utf8(buf_str(out), &bad);
}

static int read_field(struct aws_sim_form *f, str field, struct err *err)
{
	CLEANUP(buf_done) struct buf name = {0}, value = {0};
	size_t equals = str_find(field, '=', 0);
	if (!decode(str_sub(field, 0, equals), &name) || (equals < field.len && !decode(str_sub(field, equals + 1, field.len), &value)))
		return err_set(err, ERR_INVALID, "the form is not percent-encoded UTF-8");
	if (name.len == 0 || name.len > NAME_MAX_BYTES)
		return err_set(err, ERR_INVALID, "the form has a name of %zu bytes", name.len);
	if (map_has(&f->fields, buf_str(&name)))
		return err_set(err, ERR_INVALID, "the form names '%.100s' twice", name.data);
	if (f->fields.count >= FIELDS_MAX)
		return err_set(err, ERR_LIMIT, "the form has more than %d fields", FIELDS_MAX);
	map_put(&f->fields, buf_str(&name), buf_take(&value));
	return 0;
}

int aws_sim_form_read(struct aws_sim_form *f, str text, struct err *err)
{
	*f = (struct aws_sim_form){.fields.free_value = free};
	for (size_t from = 0; from < text.len;) {
		size_t end = str_find(text, '&', from);
		if (end > from && read_field(f, str_sub(text, from, end), err) < 0) {
			aws_sim_form_done(f);
			return -1;
		}
		from = end + 1;
	}
	return 0;
}

void aws_sim_form_done(struct aws_sim_form *f) { map_done(&f->fields); }

const char *aws_sim_form_get(const struct aws_sim_form *f, const char *name, ...)
{
	char text[NAME_MAX_BYTES + 1];
	va_list ap;
	va_start(ap, name);
	int n = vsnprintf(text, sizeof text, name, ap);
	va_end(ap);
	return n >= 0 && n < (int)sizeof text ? map_get(&f->fields, (str){text, (size_t)n}) : NULL;
}

void aws_sim_form_tags(const struct aws_sim_form *f, const char *prefix, json_t *tags)
{
	const char *key;
	for (int n = 1; (key = aws_sim_form_get(f, "%s.%d.Key", prefix, n)); n++) {
		const char *value = aws_sim_form_get(f, "%s.%d.Value", prefix, n);
		json_object_set_new(tags, key, json_string(value ? value : ""));
	}
}

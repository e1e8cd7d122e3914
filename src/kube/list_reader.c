/* list_reader.c: see list_reader.h. A scanner that only knows strings and brackets finds where items begin and end; what
 * stands in between is left to the JSON parser. */
#include "kube/list_reader.h"

#include "base/limits.h"
#include "codec/json.h"
#include "kube/managed_fields.h"

#define REST_MAX ((size_t)1 << 20)

static int deliver(struct list_reader *r, struct err *err)
{
	json_t *object = NULL;
	if (managed_fields_parse(&object, buf_str(&r->object), "list item", err) < 0) {
		err->kind = ERR_PROTOCOL;
		return -1;
	}
	buf_clear(&r->object);
	if (r->object.cap > 65536)
		buf_done(&r->object);
	r->item(r->context, object);
	return 0;
}

/* A run of bytes that belongs together goes where it belongs. */
static int keep(struct list_reader *r, str run, struct err *err)
{
	struct buf *into = r->in_items ? &r->object : &r->rest;
	into->max = r->in_items ? LIMIT_KUBE_OBJECT_BYTES : REST_MAX;
	buf_put_str(into, run);
	if (into->overflow)
		return err_set(err, ERR_LIMIT, "a list or one of its items is larger than the limit of %zu bytes", into->max);
	return 0;
}

/* Bytes up to and including the closing quote, or all of them. */
static size_t string_run(struct list_reader *r, str data)
{
	for (size_t i = 0; i < data.len; i++) {
		char c = data.data[i];
		if (r->escaped)
			r->escaped = false;
		else if (c == '\\')
			r->escaped = true;
		else if (c == '"') {
			r->in_string = false;
			return i + 1;
		}
	}
	return data.len;
}

static int feed_string(struct list_reader *r, str data, size_t *used, struct err *err)
{
	*used = string_run(r, data);
	if (keep(r, str_sub(data, 0, *used), err) < 0)
		return -1;
	if (!r->in_string && !r->in_items && r->depth == 1) {
		str text = str_sub(buf_str(&r->rest), r->string_start, r->rest.len);
		r->key_is_items = str_eq(text, STR("\"items\""));
		r->colon = false;
	}
	return 0;
}

static bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

/* One byte outside of strings and items. */
static int feed_outer(struct list_reader *r, char c, struct err *err)
{
	if (c == '"') {
		r->in_string = true;
		r->string_start = r->rest.len;
	}
	bool items = r->key_is_items && r->colon && c == '[' && r->depth == 1;
	if (c == ':')
		r->colon = true;
	else if (!is_blank(c))
		r->key_is_items = r->colon = false;
	if (c == '{' || c == '[')
		r->depth++;
	if (c == '}' || c == ']')
		r->depth--;
	int rc = keep(r, (str){&c, 1}, err);
	if (items) {
		r->in_items = true;
		r->depth = 0;
	}
	return rc;
}

/* One byte of items, outside of strings. */
static int feed_item(struct list_reader *r, char c, struct err *err)
{
	if (r->depth == 0) {
		if (c == ']') {
			r->in_items = false;
			r->depth = 1;
			return keep(r, STR("]"), err);
		}
		if (is_blank(c) || c == ',')
			return 0;
		if (c != '{')
			return err_set(err, ERR_PROTOCOL, "a list has an item that is not an object");
	}
	r->in_string = c == '"';
	r->depth += (c == '{' || c == '[') - (c == '}' || c == ']');
	if (keep(r, (str){&c, 1}, err) < 0)
		return -1;
	return r->depth == 0 ? deliver(r, err) : 0;
}

/* Bytes of an item that are neither quotes nor brackets need no thought. */
static size_t plain_run(const struct list_reader *r, str data)
{
	size_t i = 0;
	if (r->in_items && r->depth)
		while (i < data.len && !memchr("\"{}[]", data.data[i], 5))
			i++;
	return i;
}

int list_reader_feed(struct list_reader *r, str data, struct err *err)
{
	for (size_t i = 0; i < data.len;) {
		str left = str_sub(data, i, data.len);
		size_t used = 1;
		int rc;
		if (r->in_string)
			rc = feed_string(r, left, &used, err);
		else if ((used = plain_run(r, left)) != 0)
			rc = keep(r, str_sub(left, 0, used), err);
		else {
			used = 1;
			rc = r->in_items ? feed_item(r, left.data[0], err) : feed_outer(r, left.data[0], err);
		}
		if (rc < 0)
			return -1;
		i += used;
	}
	return 0;
}

int list_reader_finish(struct list_reader *r, json_t **out, struct err *err)
{
	json_t *list = NULL;
	if (r->in_items || r->in_string)
		return err_set(err, ERR_PROTOCOL, "a list ends in the middle");
	if (json_parse(&list, buf_str(&r->rest), "list", err) < 0) {
		err->kind = ERR_PROTOCOL;
		return -1;
	}
	if (!json_is_object(list)) {
		json_decref(list);
		return err_set(err, ERR_PROTOCOL, "a list is not an object");
	}
	*out = list;
	return 0;
}

void list_reader_done(struct list_reader *r)
{
	buf_done(&r->rest);
	buf_done(&r->object);
}

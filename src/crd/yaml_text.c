/* yaml_text.c: see yaml_text.h. Quoted text uses JSON's escapes, which YAML's double quotes share. */
#include "crd/yaml_text.h"

#include "base/str.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include <ctype.h>

static void put_node(const json_t *value, unsigned indent, bool in_list, struct buf *out);

/* Words, numbers with units and paths: nothing that begins or holds a character with a meaning in YAML. */
static bool is_plain(str s)
{
	if (s.len == 0 || s.len > 256 || !(isalnum((unsigned char)s.data[0]) || s.data[0] == '/' || s.data[0] == '.'))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!isalnum((unsigned char)s.data[i]) && !strchr("-_./ ,()+;", s.data[i]))
			return false;
	if (s.data[s.len - 1] == ' ')
		return false;
	json_t *meaning = yaml_scalar(s); /* "true", "1.5", "null" are not text */
	bool text = json_is_string(meaning);
	json_decref(meaning);
	return text;
}

static void put_scalar(const json_t *value, struct buf *out)
{
	str s = {json_string_value(value), json_string_length(value)};
	if (json_is_string(value) && is_plain(s))
		buf_put_str(out, s);
	else
		json_print(value, JSON_PRINT_SPACED, out);
}

static bool is_block(const json_t *value)
{
	return (json_is_object(value) && json_object_size(value) > 0) || (json_is_array(value) && json_array_size(value) > 0);
}

static void put_indent(unsigned indent, struct buf *out) { buf_printf(out, "%*s", (int)indent, ""); }

static void put_child(const json_t *value, unsigned indent, struct buf *out)
{
	if (is_block(value)) {
		buf_putc(out, '\n');
		put_node(value, indent, false, out);
	} else {
		buf_putc(out, ' ');
		put_scalar(value, out);
		buf_putc(out, '\n');
	}
}

static void put_key(const char *key, struct buf *out)
{
	json_t *text = json_string(key);
	put_scalar(text, out);
	json_decref(text);
	buf_putc(out, ':');
}

static void put_object(const json_t *value, unsigned indent, bool in_list, struct buf *out)
{
	const char *key;
	json_t *item;
	bool first = in_list;
	json_object_foreach((json_t *)(uintptr_t)value, key, item) {
		if (!first)
			put_indent(indent, out);
		first = false;
		put_key(key, out);
		put_child(item, json_is_array(item) ? indent : indent + 2, out);
	}
}

static void put_array(const json_t *value, unsigned indent, struct buf *out)
{
	size_t i;
	const json_t *item;
	json_array_foreach(value, i, item) {
		put_indent(indent, out);
		buf_putc(out, '-');
		if (json_is_object(item) && json_object_size(item)) {
			buf_putc(out, ' ');
			put_node(item, indent + 2, true, out);
		} else {
			put_child(item, indent + 2, out);
		}
	}
}

/* in_list: the first line stands behind a dash. */
static void put_node(const json_t *value, unsigned indent, bool in_list, struct buf *out)
{
	if (json_is_object(value))
		put_object(value, indent, in_list, out);
	else
		put_array(value, indent, out);
}

void yaml_text(const json_t *value, struct buf *out)
{
	if (is_block(value)) {
		put_node(value, 0, false, out);
	} else {
		put_scalar(value, out);
		buf_putc(out, '\n');
	}
}

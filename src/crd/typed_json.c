/* typed_json.c: see typed_json.h. One recursive walk over the value, steered by the member lists of TYPED_STRUCTS. */
#include "crd/typed_json.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"
#include "kube/quantity.h"
#include <stdlib.h>

struct member { char mark; str name, type; bool map; };

static void put_value(str type, bool map, const json_t *value, int depth, struct buf *out);

static int by_name(const void *key, const void *row)
{
	return str_cmp(*(const str *)key, str_of(((const struct typed_struct *)row)->name));
}

static const struct typed_struct *find(str name)
{
	return bsearch(&name, TYPED_STRUCTS, TYPED_STRUCT_COUNT, sizeof *TYPED_STRUCTS, by_name);
}

const struct typed_struct *typed_struct_find(const char *name) { return find(str_of(name)); }

/* Reads the member that begins at *from and moves past it. */
static struct member next_member(str list, size_t *from)
{
	size_t end = str_find(list, ' ', *from);
	str word = str_sub(list, *from, end);
	*from = end + 1;
	struct member m = {.mark = ' '};
	if (strchr("*?$#!&", word.data[0])) {
		m.mark = word.data[0];
		word = str_sub(word, 1, word.len);
	}
	size_t colon = str_find(word, ':', 0);
	if (colon < word.len)
		m.type = str_sub(word, colon + 1, word.len);
	m.name = str_sub(word, 0, colon);
	m.map = str_ends(m.name, STR("/"));
	if (m.map)
		m.name.len--;
	return m;
}

static bool is_zero(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_NULL: case JSON_FALSE: return true;
	case JSON_TRUE: return false;
	case JSON_STRING: return json_string_length(value) == 0;
	case JSON_INTEGER: return json_integer_value(value) == 0;
	case JSON_REAL: return json_real_value(value) == 0;
	case JSON_ARRAY: return json_array_size(value) == 0;
	case JSON_OBJECT: return json_object_size(value) == 0;
	}
	return true;
}

static bool left_out(char mark, const json_t *value)
{
	if (mark == ' ')
		return !value || is_zero(value);
	return mark == '*' && (!value || json_is_null(value));
}

/* U+2028 or U+2029. */
static bool is_line_separator(str s, size_t i)
{
	return i + 2 < s.len && memcmp(s.data + i, "\xe2\x80", 2) == 0 && ((unsigned char)s.data[i + 2] | 1) == 0xa9;
}

static void put_string(const json_t *value, struct buf *out)
{
	static const char SHORT[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* byte, letter after the backslash */
	str s = {json_string_value(value), json_string_length(value)};
	buf_putc(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];
		const char *pair = SHORT;
		while (*pair && (unsigned char)*pair != c)
			pair += 2;
		if (c && *pair)
			buf_printf(out, "\\%c", pair[1]);
		else if (c < 0x20 || c == '<' || c == '>' || c == '&')
			buf_printf(out, "\\u%04x", c);
		else if (is_line_separator(s, i)) {
			buf_printf(out, "\\u202%c", (unsigned char)s.data[i + 2] == 0xa8 ? '8' : '9');
			i += 2;
		} else
			buf_putc(out, (char)c);
	}
	buf_putc(out, '"');
}

static void put_key(const char *name, size_t len, bool *first, struct buf *out)
{
	if (!*first)
		buf_putc(out, ',');
	*first = false;
	json_t *key = json_stringn_nocheck(name, len);
	put_string(key, out);
	json_decref(key);
	buf_putc(out, ':');
}

static void put_absent(const struct member *m, int depth, struct buf *out)
{
	static const char *const ZEROS[] = {['?'] = "null", ['$'] = "\"\"", ['#'] = "0", ['!'] = "false"};
	if (m->mark != '&')
		buf_puts(out, ZEROS[(unsigned char)m->mark]);
	else if (str_eqz(m->type, "Quantity"))
		buf_puts(out, "\"0\"");
	else {
		json_t *empty = json_object();
		put_value(m->type, m->map, empty, depth, out);
		json_decref(empty);
	}
}

static void put_struct(const struct typed_struct *row, const json_t *value, int depth, struct buf *out)
{
	str list = str_of(row->members);
	bool first = true;
	buf_putc(out, '{');
	for (size_t from = 0; from < list.len;) {
		struct member m = next_member(list, &from);
		const json_t *v = json_object_getn(value, m.name.data, m.name.len);
		if (left_out(m.mark, v))
			continue;
		put_key(m.name.data, m.name.len, &first, out);
		if (!v || (json_is_null(v) && m.mark != '?'))
			put_absent(&m, depth, out);
		else
			put_value(m.type, m.map, v, depth, out);
	}
	buf_putc(out, '}');
}

static int key_order(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_map(str type, const json_t *value, int depth, struct buf *out)
{
	size_t n = json_object_size(value), i = 0;
	const char **keys = mem_array(n ? n : 1, sizeof *keys), *key;
	json_t *item;
	json_object_foreach((json_t *)(uintptr_t)value, key, item)
		keys[i++] = key;
	qsort(keys, n, sizeof *keys, key_order);
	bool first = true;
	buf_putc(out, '{');
	for (i = 0; i < n; i++) {
		put_key(keys[i], strlen(keys[i]), &first, out);
		put_value(type, false, json_object_get(value, keys[i]), depth, out);
	}
	buf_putc(out, '}');
	free(keys);
}

static void put_array(str type, const json_t *value, int depth, struct buf *out)
{
	size_t i;
	const json_t *item;
	buf_putc(out, '[');
	json_array_foreach(value, i, item) {
		if (i)
			buf_putc(out, ',');
		put_value(type, false, item, depth, out);
	}
	buf_putc(out, ']');
}

/* "1000m" -> "1": a typed client prints every quantity in its canonical form; 1 is a quantity as well as "1". */
static void put_quantity(const json_t *value, struct buf *out)
{
	char text[64], canonical[64];
	const char *given = json_string_value(value);
	if (json_is_integer(value)) {
		snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		given = text;
	}
	struct err err = ERR_INIT;
	if (given && quantity_canonical(given, canonical, sizeof canonical, &err) == 0)
		given = canonical;
	json_t *as_text = json_string(given ? given : "");
	put_string(as_text, out);
	json_decref(as_text);
}

static void put_value(str type, bool map, const json_t *value, int depth, struct buf *out)
{
	if (depth > LIMIT_JSON_DEPTH) {
		out->overflow = true;
		return;
	}
	if (json_is_array(value)) {
		put_array(type, value, depth + 1, out);
	} else if (json_is_object(value)) {
		const struct typed_struct *row = map ? NULL : find(type);
		if (row)
			put_struct(row, value, depth + 1, out);
		else
			put_map(map ? type : STR(""), value, depth + 1, out);
	} else if (str_eqz(type, "Quantity")) {
		put_quantity(value, out);
	} else if (json_is_string(value)) {
		put_string(value, out);
	} else {
		json_print(value, JSON_PRINT_COMPACT, out);
	}
}

void typed_json(const char *type, const json_t *value, struct buf *out)
{
	struct member m = {.mark = type[0], .type = str_of(type)};
	if (type[0] == '&')
		m.type = str_sub(m.type, 1, m.type.len);
	if (type[0] == '&' && (!value || json_is_null(value)))
		put_absent(&m, 0, out);
	else
		put_value(m.type, false, value, 0, out);
}

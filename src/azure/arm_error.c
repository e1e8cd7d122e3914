/* arm_error.c: see arm_error.h. Whatever shape came, it becomes one tree {code, message, details}: nested objects, objects printed into a
 * message as JSON text, and the `Code="…" Message="…"` of the SDK that AKS itself uses. Depth, number of nodes and lengths are bounded. */
#include "azure/arm_error.h"

#include "base/limits.h"
#include "codec/json.h"
#include <ctype.h>
#include <strings.h>

struct building { size_t nodes; };

static json_t *node_of(struct building *b, const json_t *value, int depth);

/* --- text -------------------------------------------------------------------------------------------------------- */

/* The longest prefix of at most `max` bytes that does not end inside a character. */
static size_t cut(str s, size_t max)
{
	if (s.len <= max)
		return s.len;
	size_t n = max;
	while (n && ((unsigned char)s.data[n] & 0xC0) == 0x80)
		n--;
	return n;
}

/* One line of well-formed UTF-8, blanks folded, at most `max` bytes. */
static void put_line(struct buf *out, str s, size_t max)
{
	size_t bad = 0, from = out->len;
	while (s.len && out->len - from <= max) {
		size_t good = str_is_utf8(s, &bad) ? s.len : bad;
		for (size_t i = 0; i < good; i++) {
			bool blank = (unsigned char)s.data[i] <= ' ' || s.data[i] == 0x7f;
			if (!blank)
				buf_putc(out, s.data[i]);
			else if (out->len > from && out->data[out->len - 1] != ' ')
				buf_putc(out, ' ');
		}
		if (good < s.len) {
			buf_putc(out, '?');
			good++;
		}
		s = str_sub(s, good, s.len);
	}
	str line = str_sub(buf_str(out), from, out->len);
	out->len = from + cut(line, max);
	while (out->len > from && out->data[out->len - 1] == ' ')
		out->len--;
	if (out->data)
		out->data[out->len] = 0;
}

static json_t *line_value(str s, size_t max)
{
	CLEANUP(buf_done) struct buf line = {0};
	put_line(&line, str_sub(s, 0, cut(s, 4 * max)), max);
	str text = buf_str(&line);
	return json_stringn(text.data, text.len);
}

static void copy_line(char *out, size_t size, str s)
{
	CLEANUP(buf_done) struct buf line = {0};
	put_line(&line, str_sub(s, 0, cut(s, 4 * size)), size - 1);
	str text = buf_str(&line);
	memcpy(out, text.data, text.len);
	out[text.len] = 0;
}

/* --- members: ARM's services do not agree on capitals ------------------------------------------------------------- */

static const json_t *member(const json_t *object, const char *name)
{
	const json_t *exact = json_object_get(object, name);
	if (exact || !json_is_object(object))
		return exact;
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
		if (strcasecmp(key, name) == 0)
			return value;
	return NULL;
}

static str text_of(const json_t *value)
{
	if (json_is_object(value)) /* {"lang": "en-us", "value": "…"} */
		value = member(value, "value");
	return json_is_string(value) ? (str){json_string_value(value), json_string_length(value)} : (str){"", 0};
}

static str first_text(const json_t *object, const char *const *names)
{
	for (; *names; names++) {
		str s = text_of(member(object, *names));
		if (s.len)
			return s;
	}
	return (str){"", 0};
}

static str code_of(const json_t *o)
{
	const json_t *plain = member(o, "code");
	if (json_is_string(plain))
		return text_of(plain);
	return first_text(o, (const char *const[]){"errorCode", "error", NULL}); /* "error": of OAuth */
}

static str message_of(const json_t *o) { return first_text(o, (const char *const[]){"message", "error_description", "errorMessage", "detail", NULL}); }

/* --- the tree ---------------------------------------------------------------------------------------------------- */

static json_t *node_new(struct building *b, str code, str message)
{
	if (b->nodes >= LIMIT_ARM_ERROR_NODES)
		return NULL;
	b->nodes++;
	json_t *node = json_object();
	json_object_set_new(node, "code", line_value(code, ARM_CODE_MAX));
	json_object_set_new(node, "message", line_value(message, ARM_MESSAGE_MAX));
	return node;
}

static void add_detail(json_t *node, json_t *detail)
{
	if (!detail)
		return;
	json_t *details = json_object_get(node, "details");
	if (!details) {
		details = json_array();
		json_object_set_new(node, "details", details);
	}
	json_array_append_new(details, detail);
}

static void add_value(struct building *b, json_t *node, const json_t *value, int depth)
{
	size_t i;
	json_t *item;
	if (json_is_array(value))
		json_array_foreach(value, i, item)
			add_detail(node, node_of(b, item, depth));
	else
		add_detail(node, node_of(b, value, depth));
}

static json_t *parse(str text)
{
	json_t *value = NULL;
	const struct json_rules rules = {.max_depth = 32, .max_bytes = LIMIT_ARM_ANSWER_BYTES};
	return json_parse_with(&value, text, "error", &rules, &(struct err){0}) < 0 ? NULL : value;
}

/* JSON whose quotes were escaped once more on the way. */
static json_t *parse_escaped(str text)
{
	if (!memmem(text.data, text.len, "\\\"", 2))
		return NULL;
	CLEANUP(mem_freep) char *quoted = mem_printf("\"%.*s\"", (int)text.len, text.data);
	CLEANUP(json_decrefp) json_t *inner = parse(str_of(quoted));
	return json_is_string(inner) ? parse((str){json_string_value(inner), json_string_length(inner)}) : NULL;
}

/* The object inside a message; *before is what precedes it. */
static json_t *json_in(str message, str *before)
{
	size_t from = str_find(message, '{', 0), to = message.len;
	while (to > from && message.data[to - 1] != '}')
		to--;
	if (to <= from)
		return NULL;
	*before = str_trim(str_sub(message, 0, from));
	while (before->len && strchr(":\"'[ ", before->data[before->len - 1]))
		before->len--;
	json_t *value = parse(str_sub(message, from, to));
	return value ? value : parse_escaped(str_sub(message, from, to));
}

static bool quoted_after(str s, size_t *at, str key, str *out)
{
	const char *found = s.len > *at ? memmem(s.data + *at, s.len - *at, key.data, key.len) : NULL;
	if (!found)
		return false;
	size_t from = (size_t)(found - s.data) + key.len, to = from;
	while (to < s.len && s.data[to] != '"')
		to += s.data[to] == '\\' && to + 1 < s.len ? 2 : 1;
	*out = str_sub(s, from, to > s.len ? s.len : to);
	*at = to < s.len ? to + 1 : s.len;
	return true;
}

/* `Code="SkuNotAvailable" Message="…"`, as often as it stands there. */
static void add_quoted(struct building *b, json_t *node, str message)
{
	str code, text;
	for (size_t at = 0; quoted_after(message, &at, STR("Code=\""), &code);) {
		size_t next = at;
		bool has = quoted_after(message, &next, STR("Message=\""), &text) && (size_t)(text.data - (message.data + at)) <= 16;
		add_detail(node, node_new(b, code, has ? text : (str){"", 0}));
		if (json_array_size(json_object_get(node, "details")) >= LIMIT_ARM_ERROR_NODES || b->nodes >= LIMIT_ARM_ERROR_NODES)
			return;
	}
}

static size_t find(str s, str what, size_t from)
{
	const char *found = from < s.len ? memmem(s.data + from, s.len - from, what.data, what.len) : NULL;
	return found ? (size_t)(found - s.data) : s.len;
}

/* What follows "Message: ", up to the label after it. */
static str labelled_message(str s)
{
	static const char *const ENDS[] = {"; InnerMessage:", "; Dependency:", "; AKSTeam:"};
	size_t from = find(s, STR("Message: "), 0), to = s.len;
	if (from == s.len)
		return (str){"", 0};
	from += strlen("Message: ");
	for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++) {
		size_t end = find(s, str_of(ENDS[i]), from);
		to = end < to ? end : to;
	}
	return str_sub(s, from, to);
}

/* "Category: …; Code: VMExtensionProvisioningError; SubCode: …; Message: …; Dependency: …", as AKS tells what its parts met. */
static void add_labelled(struct building *b, json_t *node, str message)
{
	for (size_t at = find(message, STR("Code: "), 0); at < message.len && b->nodes < LIMIT_ARM_ERROR_NODES; at = find(message, STR("Code: "), at)) {
		bool sub = at >= 3 && memcmp(message.data + at - 3, "Sub", 3) == 0;
		size_t label = sub ? at - 3 : at, from = at + strlen("Code: "), to = from;
		while (to < message.len && isalnum((unsigned char)message.data[to]))
			to++;
		bool whole = (label == 0 || strchr("; ", message.data[label - 1])) && to > from && to < message.len && message.data[to] == ';';
		if (whole)
			add_detail(node, node_new(b, str_sub(message, from, to), sub ? (str){"", 0} : labelled_message(str_sub(message, to, message.len))));
		at = to;
	}
}

static void add_from_message(struct building *b, json_t *node, str message, int depth)
{
	str before = {"", 0};
	CLEANUP(json_decrefp) json_t *inner = json_in(message, &before);
	json_t *child = inner ? node_of(b, inner, depth) : NULL;
	if (!child) {
		add_quoted(b, node, message);
		add_labelled(b, node, message);
		return;
	}
	json_object_set_new(node, "message", before.len ? line_value(before, ARM_MESSAGE_MAX) : json_copy(json_object_get(child, "message")));
	add_detail(node, child);
}

/* The node for an object that is an error, or that holds one as "error"; NULL when it says nothing or too much was said already. */
static json_t *node_of(struct building *b, const json_t *value, int depth)
{
	const json_t *wrapped = member(value, "error");
	if (!wrapped || json_is_string(wrapped))
		wrapped = member(value, "odata.error");
	if (depth > LIMIT_ARM_ERROR_DEPTH)
		return NULL;
	if (json_is_object(wrapped))
		return node_of(b, wrapped, depth + 1);
	str plain = text_of(value); /* details: ["text"] */
	str code = json_is_object(value) ? code_of(value) : (str){"", 0}, message = json_is_object(value) ? message_of(value) : plain;
	str subcode = text_of(member(value, "subcode"));
	const json_t *details = member(value, "details"), *inner = member(value, "innererror");
	if (!code.len && !message.len && !json_is_array(details) && !json_is_object(details) && !json_is_object(inner))
		return NULL;
	json_t *node = node_new(b, code, message);
	if (!node)
		return NULL;
	add_from_message(b, node, message, depth + 1);
	if (subcode.len)
		add_detail(node, node_new(b, subcode, (str){"", 0}));
	add_value(b, node, details, depth + 1);
	add_value(b, node, inner, depth + 1);
	return node;
}

/* --- the outside ------------------------------------------------------------------------------------------------- */

static str node_text(const json_t *node, const char *key) { return text_of(json_object_get(node, key)); }

/* The header names the error; what the body called it stays findable below it. */
static void prefer_header(struct arm_error *e, struct building *b, str header)
{
	str code = node_text(e->tree, "code");
	if (!header.len || (code.len == header.len && strncasecmp(code.data, header.data, code.len) == 0))
		return;
	json_t *child = code.len ? node_new(b, code, node_text(e->tree, "message")) : NULL;
	if (child) {
		json_t *details = json_object_get(e->tree, "details");
		if (details)
			json_array_insert_new(details, 0, child);
		else
			add_detail(e->tree, child);
	}
	e->code_of_header = child != NULL;
	json_object_set_new(e->tree, "code", line_value(header, ARM_CODE_MAX));
}

static void take_tree(struct arm_error *e, struct building *b, const char *header_code)
{
	if (!node_text(e->tree, "code").len && !node_text(e->tree, "message").len) {
		CLEANUP(mem_freep) char *said = e->status ? mem_printf("HTTP %d", e->status) : mem_strdup("the operation failed without saying why");
		json_object_set_new(e->tree, "message", json_string(said));
	}
	prefer_header(e, b, str_trim(str_of(header_code ? header_code : "")));
	copy_line(e->code, sizeof e->code, node_text(e->tree, "code"));
	copy_line(e->message, sizeof e->message, node_text(e->tree, "message"));
}

static bool looks_html(str body) { return body.len && body.data[0] == '<'; }

/* The words between the tags of a page, without scripts and styles. */
static void put_page_text(struct buf *out, str page)
{
	bool tag = false;
	for (size_t i = 0; i < page.len && out->len < ARM_MESSAGE_MAX; i++) {
		char c = page.data[i];
		if (c == '<') {
			tag = true;
			bool skip = page.len - i > 7 && (strncasecmp(page.data + i, "<script", 7) == 0 || strncasecmp(page.data + i, "<style", 6) == 0);
			const char *end = skip ? memmem(page.data + i + 1, page.len - i - 1, "</", 2) : NULL;
			i = end ? (size_t)(end - page.data) - 1 : skip ? page.len : i;
			buf_putc(out, ' ');
		} else if (c == '>') {
			tag = false;
		} else if (!tag) {
			buf_putc(out, c);
		}
	}
}

static void describe_page(struct arm_error *e, str body)
{
	CLEANUP(buf_done) struct buf text = {0}, line = {0};
	if (looks_html(body))
		put_page_text(&text, body);
	else
		buf_put(&text, body.data, cut(body, 4 * (size_t)ARM_MESSAGE_MAX));
	buf_printf(&line, "HTTP %d", e->status);
	if (str_trim(buf_str(&text)).len)
		buf_printf(&line, ": ");
	put_line(&line, buf_str(&text), ARM_MESSAGE_MAX - 16);
	copy_line(e->message, sizeof e->message, buf_str(&line));
}

void arm_error_read(struct arm_error *e, int status, const char *header_code, str body)
{
	*e = (struct arm_error){.status = status};
	body = str_trim(body);
	CLEANUP(json_decrefp) json_t *value = looks_html(body) || !body.len ? NULL : parse(body);
	if (json_is_string(value)) { /* JSON in a JSON string */
		json_t *inner = parse((str){json_string_value(value), json_string_length(value)});
		if (inner) {
			json_decref(value);
			value = inner;
		}
	}
	struct building b = {0};
	const json_t *root = json_is_array(value) ? json_array_get(value, 0) : value;
	e->tree = node_of(&b, root, 0);
	if (!e->tree) {
		describe_page(e, body);
		e->tree = node_new(&b, (str){"", 0}, str_of(e->message));
	}
	take_tree(e, &b, header_code);
}

void arm_error_of_json(struct arm_error *e, int status, const json_t *error_object)
{
	struct building b = {0};
	*e = (struct arm_error){.status = status};
	e->tree = node_of(&b, error_object, 0);
	if (!e->tree)
		e->tree = node_new(&b, (str){"", 0}, (str){"", 0});
	take_tree(e, &b, NULL);
}

void arm_error_done(struct arm_error *e)
{
	json_decref(e->tree);
	*e = (struct arm_error){0};
}

static bool walk(const json_t *node, bool (*fn)(void *context, const char *code, const char *message), void *context)
{
	if (fn(context, node_text(node, "code").data, node_text(node, "message").data))
		return true;
	size_t i;
	json_t *detail;
	json_array_foreach(json_object_get(node, "details"), i, detail)
		if (walk(detail, fn, context))
			return true;
	return false;
}

bool arm_error_walk(const struct arm_error *e, bool (*fn)(void *context, const char *code, const char *message), void *context)
{
	return e->tree ? walk(e->tree, fn, context) : fn(context, e->code, e->message);
}

struct text { struct buf out; const char *code, *message; /* said last */ };

/* Wrappers repeat what they wrap. Short words are compared whole: they would be found inside any text. */
static bool said_already(const struct text *t, const char *last, const char *what)
{
	size_t n = strlen(what);
	return n == 0 || strcmp(last, what) == 0 || (n >= 8 && t->out.len && memmem(t->out.data, t->out.len, what, n));
}

static bool put_error(void *context, const char *code, const char *message)
{
	struct text *t = context;
	bool new_code = !said_already(t, t->code, code), new_message = !said_already(t, t->message, message);
	if (!new_code && !new_message)
		return false;
	if (t->out.len)
		buf_puts(&t->out, "; caused by ");
	if (code[0])
		buf_printf(&t->out, "%s%s", code, new_message ? ": " : "");
	if (new_message)
		buf_puts(&t->out, message);
	t->code = code;
	t->message = message;
	return false;
}

void arm_error_text(const struct arm_error *e, char *out, size_t size)
{
	struct text t = {.out = {.max = (size_t)1 << 20}, .code = "", .message = ""};
	arm_error_walk(e, put_error, &t);
	str text = buf_str(&t.out);
	size_t n = size ? cut(text, size - 1) : 0;
	if (size) {
		memcpy(out, text.data, n);
		out[n] = 0;
	}
	buf_done(&t.out);
}

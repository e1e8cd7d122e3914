/* yaml.c: libyaml's event stream -> JSON tree and marks. libyaml checks the syntax and the encoding; this file owns the
 * limits, duplicate keys, aliases and merge keys. Every event is freed by the function that fetched it. */
#include "codec/yaml.h"

#include "base/fd.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/vec.h"
#include <yaml.h>

/* A value under construction: the tree, where it was, how many values it holds and how deep it is when aliases are expanded. */
struct node { json_t *value; struct yaml_mark mark; size_t size; int height; };

struct reader {
	yaml_parser_t parser;
	const char *name;
	struct arena *arena;
	struct map anchors;   /* name -> struct node in the arena (value borrowed from the tree, or held in `held`) */
	json_t *held;         /* array that keeps anchored values alive while reading */
	size_t size;          /* values so far, aliases expanded */
	struct err *err;
};

static int fail_at(struct reader *r, yaml_mark_t mark, enum err_kind kind, const char *why, str detail)
{
	return err_set(r->err, kind, "'%s' line %zu column %zu: %s%s%.*s%s", r->name, mark.line + 1, mark.column + 1, why, detail.len ? " '" : "",
		       (int)(detail.len > 60 ? 60 : detail.len), detail.len ? detail.data : "", detail.len ? "'" : "");
}

static int next_event(struct reader *r, yaml_event_t *event)
{
	if (yaml_parser_parse(&r->parser, event))
		return 0;
	const yaml_parser_t *p = &r->parser;
	yaml_mark_t mark = p->problem_mark;
	if (p->error == YAML_READER_ERROR)
		return err_set(r->err, ERR_INVALID, "'%s' byte %zu: %s", r->name, p->problem_offset, p->problem ? p->problem : "bad encoding");
	return fail_at(r, mark, ERR_INVALID, p->problem ? p->problem : "out of memory", (str){0});
}

static int count_values(struct reader *r, size_t n, yaml_mark_t at)
{
	if (n > LIMIT_YAML_NODES || r->size > LIMIT_YAML_NODES - n)
		return fail_at(r, at, ERR_LIMIT, "more values than the limit (aliases are counted each time they are used)", (str){0});
	r->size += n;
	return 0;
}

static struct yaml_mark mark_of(const yaml_event_t *e) { return (struct yaml_mark){.line = (uint32_t)e->start_mark.line + 1, .column = (uint32_t)e->start_mark.column + 1}; }

static void keep_anchor(struct reader *r, const yaml_char_t *anchor, const struct node *node)
{
	if (!anchor)
		return;
	struct node *copy = arena_alloc(r->arena, sizeof *copy);
	*copy = *node;
	json_array_append(r->held, node->value);
	map_put(&r->anchors, str_of((const char *)anchor), copy);
}

static int too_deep(struct reader *r, const yaml_event_t *e)
{
	return fail_at(r, e->start_mark, ERR_LIMIT, "nested deeper than the limit", (str){0});
}

static int read_alias(struct reader *r, const yaml_event_t *e, int depth, struct node *out)
{
	str name = str_of((const char *)e->data.alias.anchor);
	const struct node *node = map_get(&r->anchors, name);
	if (!node)
		return fail_at(r, e->start_mark, ERR_INVALID, "unknown alias", name);
	if (depth + node->height > LIMIT_YAML_DEPTH)
		return too_deep(r, e);
	if (count_values(r, node->size, e->start_mark) < 0)
		return -1;
	*out = *node;
	json_incref(out->value);
	return 0;
}

/* The value of a scalar with an explicit core tag; NULL when the text does not fit the tag or the tag is unknown. */
static json_t *tagged_scalar(str tag, str text)
{
	if (str_eqz(tag, "!") || str_eqz(tag, "!!str") || str_eqz(tag, YAML_STR_TAG))
		return json_stringn(text.data, text.len);
	json_t *v = yaml_scalar(text);
	bool fits = (str_eqz(tag, YAML_INT_TAG) && json_is_integer(v)) || (str_eqz(tag, YAML_FLOAT_TAG) && json_is_number(v)) ||
		    (str_eqz(tag, YAML_BOOL_TAG) && json_is_boolean(v)) || (str_eqz(tag, YAML_NULL_TAG) && json_is_null(v));
	if (fits)
		return v;
	json_decref(v);
	return NULL;
}

static int read_scalar(struct reader *r, const yaml_event_t *e, struct node *out)
{
	str text = {(const char *)e->data.scalar.value, e->data.scalar.length};
	const char *tag = (const char *)e->data.scalar.tag;
	if (memchr(text.data, 0, text.len))
		return fail_at(r, e->start_mark, ERR_INVALID, "a NUL character is not accepted", (str){0});
	json_t *v;
	if (tag)
		v = tagged_scalar(str_of(tag), text);
	else
		v = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? yaml_scalar(text) : json_stringn(text.data, text.len);
	if (!v)
		return fail_at(r, e->start_mark, ERR_INVALID, "the value does not fit its tag", str_of(tag));
	*out = (struct node){v, mark_of(e), 1, 0};
	keep_anchor(r, e->data.scalar.anchor, out);
	return 0;
}

static int read_value(struct reader *r, yaml_event_t *e, int depth, struct node *out);

typedef VEC(struct yaml_mark) mark_vec;

static void count_child(struct node *into, const struct node *child)
{
	into->size += child->size;
	if (child->height >= into->height)
		into->height = child->height + 1;
}

static void close_collection(struct reader *r, mark_vec *marks, struct node *out)
{
	out->mark.children = marks->len ? arena_array(r->arena, marks->len, sizeof *marks->data) : NULL;
	if (marks->len)
		memcpy(out->mark.children, marks->data, marks->len * sizeof *marks->data);
	out->mark.count = marks->len;
	vec_done(marks);
}

static int read_items(struct reader *r, int depth, struct node *out, mark_vec *marks)
{
	for (;;) {
		yaml_event_t e;
		if (next_event(r, &e) < 0)
			return -1;
		if (e.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&e);
			return 0;
		}
		struct node item = {0};
		int rc = read_value(r, &e, depth + 1, &item);
		yaml_event_delete(&e);
		if (rc < 0)
			return -1;
		json_array_append_new(out->value, item.value);
		vec_push(marks, item.mark);
		count_child(out, &item);
	}
}

/* Members of a merged mapping that the mapping itself does not have yet. */
static void merge_members(struct node *into, mark_vec *marks, json_t *from, const struct yaml_mark *from_mark)
{
	const char *key;
	json_t *value;
	size_t i = 0;
	json_object_foreach(from, key, value) {
		if (!json_object_get(into->value, key)) {
			json_object_set(into->value, key, value);
			vec_push(marks, *yaml_mark_child(from_mark, i));
		}
		i++;
	}
}

static int merge(struct reader *r, struct node *into, mark_vec *marks, const struct node *from, yaml_mark_t at)
{
	if (json_is_object(from->value)) {
		merge_members(into, marks, from->value, &from->mark);
		return 0;
	}
	for (size_t i = 0; i < json_array_size(from->value); i++) {
		json_t *one = json_array_get(from->value, i);
		if (!json_is_object(one))
			return fail_at(r, at, ERR_INVALID, "a merge key (<<) takes mappings", (str){0});
		merge_members(into, marks, one, yaml_mark_child(&from->mark, i));
	}
	return json_is_array(from->value) ? 0 : fail_at(r, at, ERR_INVALID, "a merge key (<<) takes mappings", (str){0});
}

/* One "key: value". Merged mappings wait in `merges` until all own keys are known, as own keys win. */
static int read_member(struct reader *r, const yaml_event_t *key, int depth, struct node *out, mark_vec *marks, struct node *merges)
{
	if (key->type != YAML_SCALAR_EVENT)
		return fail_at(r, key->start_mark, ERR_INVALID, "a key must be a plain word", (str){0});
	str name = {(const char *)key->data.scalar.value, key->data.scalar.length};
	bool is_merge = str_eqz(name, "<<") && key->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	if (memchr(name.data, 0, name.len))
		return fail_at(r, key->start_mark, ERR_INVALID, "a NUL character is not accepted", (str){0});
	if (is_merge ? merges->value != NULL : json_object_get(out->value, (const char *)key->data.scalar.value) != NULL)
		return fail_at(r, key->start_mark, ERR_INVALID, "duplicate key", name);
	yaml_event_t e;
	if (next_event(r, &e) < 0)
		return -1;
	struct node value = {0};
	int rc = read_value(r, &e, depth + 1, &value);
	yaml_event_delete(&e);
	if (rc < 0)
		return -1;
	count_child(out, &value);
	if (is_merge) {
		*merges = value;
		return 0;
	}
	json_object_set_new(out->value, (const char *)key->data.scalar.value, value.value);
	value.mark.line = (uint32_t)key->start_mark.line + 1;
	value.mark.column = (uint32_t)key->start_mark.column + 1;
	vec_push(marks, value.mark);
	return 0;
}

static int read_members(struct reader *r, int depth, struct node *out, mark_vec *marks)
{
	struct node merges = {0};
	int rc = 0;
	while (rc == 0) {
		yaml_event_t key;
		if ((rc = next_event(r, &key)) < 0)
			break;
		if (key.type == YAML_MAPPING_END_EVENT) {
			if (merges.value)
				rc = merge(r, out, marks, &merges, key.start_mark);
			yaml_event_delete(&key);
			break;
		}
		rc = read_member(r, &key, depth, out, marks, &merges);
		yaml_event_delete(&key);
	}
	json_decref(merges.value);
	return rc;
}

static int read_collection(struct reader *r, const yaml_event_t *e, int depth, struct node *out)
{
	bool list = e->type == YAML_SEQUENCE_START_EVENT;
	const yaml_char_t *anchor = list ? e->data.sequence_start.anchor : e->data.mapping_start.anchor;
	const yaml_char_t *tag = list ? e->data.sequence_start.tag : e->data.mapping_start.tag;
	if (tag && strcmp((const char *)tag, list ? YAML_SEQ_TAG : YAML_MAP_TAG) != 0)
		return fail_at(r, e->start_mark, ERR_INVALID, "unknown tag", str_of((const char *)tag));
	if (depth >= LIMIT_YAML_DEPTH)
		return too_deep(r, e);
	struct node node = {list ? json_array() : json_object(), mark_of(e), 1, 1};
	mark_vec marks = {0};
	int rc = list ? read_items(r, depth, &node, &marks) : read_members(r, depth, &node, &marks);
	if (rc < 0) {
		vec_done(&marks);
		json_decref(node.value);
		return -1;
	}
	close_collection(r, &marks, &node);
	*out = node;
	keep_anchor(r, anchor, out);
	return 0;
}

static int read_value(struct reader *r, yaml_event_t *e, int depth, struct node *out)
{
	if (e->type == YAML_ALIAS_EVENT)
		return read_alias(r, e, depth, out);
	if (count_values(r, 1, e->start_mark) < 0)
		return -1;
	if (e->type == YAML_SCALAR_EVENT)
		return read_scalar(r, e, out);
	if (e->type == YAML_SEQUENCE_START_EVENT || e->type == YAML_MAPPING_START_EVENT)
		return read_collection(r, e, depth, out);
	return fail_at(r, e->start_mark, ERR_INVALID, "a value was expected", (str){0});
}

/* Fetches events until one that is neither stream start nor document start or end; true with the event for a value. */
static int first_content(struct reader *r, yaml_event_t *e)
{
	for (;;) {
		if (next_event(r, e) < 0)
			return -1;
		if (e->type != YAML_STREAM_START_EVENT && e->type != YAML_DOCUMENT_START_EVENT && e->type != YAML_DOCUMENT_END_EVENT)
			return 0;
		yaml_event_delete(e);
	}
}

static int read_document(struct reader *r, struct node *root)
{
	yaml_event_t e;
	if (first_content(r, &e) < 0)
		return -1;
	if (e.type == YAML_STREAM_END_EVENT) {
		*root = (struct node){json_null(), {.line = 1, .column = 1}, 1, 0};
		yaml_event_delete(&e);
		return 0;
	}
	int rc = read_value(r, &e, 0, root);
	yaml_event_delete(&e);
	if (rc < 0 || first_content(r, &e) < 0)
		return -1;
	if (e.type != YAML_STREAM_END_EVENT)
		rc = fail_at(r, e.start_mark, ERR_INVALID, "a second document starts here; one is expected", (str){0});
	yaml_event_delete(&e);
	return rc;
}

int yaml_parse(struct yaml_doc *doc, str text, const char *name, struct err *err)
{
	if (text.len > LIMIT_YAML_BYTES)
		return err_set(err, ERR_LIMIT, "'%s' is larger than the limit of %zu bytes", name, LIMIT_YAML_BYTES);
	struct arena arena = {0};
	struct reader r = {.name = name, .arena = &arena, .held = json_array(), .err = err};
	struct node root = {0};
	if (!yaml_parser_initialize(&r.parser)) {
		json_decref(r.held);
		return err_set(err, ERR_NO_MEMORY, "cannot start the YAML reader");
	}
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.data ? text.data : ""), text.len);
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	int rc = read_document(&r, &root);
	yaml_parser_delete(&r.parser);
	map_done(&r.anchors);
	json_decref(r.held);
	if (rc < 0) {
		json_decref(root.value);
		arena_done(&arena);
		return -1;
	}
	*doc = (struct yaml_doc){root.value, root.mark, arena};
	return 0;
}

int yaml_parse_file(struct yaml_doc *doc, const char *path, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {0};
	if (fd_read_file(path, LIMIT_YAML_BYTES, &text, err) < 0)
		return -1;
	return yaml_parse(doc, buf_str(&text), path, err);
}

void yaml_doc_done(struct yaml_doc *doc)
{
	json_decref(doc->root);
	arena_done(&doc->arena);
	*doc = (struct yaml_doc){0};
}

/* parquet_schema.c: lists are recognised by shape, not by annotation: below a column, groups with a single child are walked
 * through until a group has both members of a message. This covers the three-level form (list/element), the two-level
 * ones (array, NAME_tuple), Hive's bag/array_element, a bare repeated group, and a struct of two lists. */
#include "data/parquet_schema.h"

/* Of BYTE_ARRAY columns, those that are not text by their annotation. */
static bool annotated_as_text(const struct parquet_node *n)
{
	enum { UTF8 = 0, ENUM = 4, JSON = 19 };
	enum { LOGICAL_STRING = 1, LOGICAL_ENUM = 4, LOGICAL_JSON = 12 };
	if (n->logical)
		return n->logical == LOGICAL_STRING || n->logical == LOGICAL_ENUM || n->logical == LOGICAL_JSON;
	return n->converted < 0 || n->converted == UTF8 || n->converted == ENUM || n->converted == JSON;
}

static bool is_text(const struct parquet_node *n)
{
	return n->leaf >= 0 && (n->type == PARQUET_BYTE_ARRAY || (n->type == PARQUET_FIXED && n->type_length > 0)) && annotated_as_text(n);
}

static const struct parquet_node *child(const struct parquet_meta *m, const struct parquet_node *group, const char *name)
{
	for (const struct parquet_node *c = group + 1; c < m->nodes.data + group->end; c = m->nodes.data + c->end)
		if (str_eqz(c->name, name))
			return c;
	return NULL;
}

/* Down through groups of one child to a leaf, or NULL. */
static const struct parquet_node *only_leaf(const struct parquet_node *n)
{
	while (n && n->leaf < 0)
		n = n->children == 1 ? n + 1 : NULL;
	return n;
}

static struct parquet_leaf leaf_of(const struct parquet_meta *m, const struct parquet_node *n)
{
	struct parquet_leaf leaf = {n->leaf, n->type, n->type_length, n->def, n->rep, 0};
	const struct parquet_node *above = m->nodes.data;
	for (const struct parquet_node *p = above; p <= n; p++)
		if (p->rep == 1 && p->repetition == PARQUET_REPEATED && p->end > (size_t)(n - above))
			leaf.list_def = p->def;
	return leaf;
}

static bool find_messages(const struct parquet_meta *m, const struct parquet_node *column, struct parquet_leaf out[2])
{
	for (const struct parquet_node *n = column; n->leaf < 0; n++) {
		for (size_t pair = 0; pair < 2; pair++) {
			const struct parquet_node *role = only_leaf(child(m, n, MESSAGE_MEMBERS[pair][0]));
			const struct parquet_node *content = only_leaf(child(m, n, MESSAGE_MEMBERS[pair][1]));
			if (!role || !content || role->rep != 1 || content->rep != 1 || !is_text(role) || !is_text(content))
				continue;
			out[0] = leaf_of(m, role);
			out[1] = leaf_of(m, content);
			return true;
		}
		if (n->children != 1)
			return false;
	}
	return false;
}

static const char *type_words(const struct parquet_node *n)
{
	static const char *const WORDS[] = {
		"boolean", "int32", "int64", "int96", "float", "double", "binary of another kind", "fixed-size binary of another kind"};
	if (n->repetition == PARQUET_REPEATED)
		return "a list without role and content";
	if (n->leaf < 0)
		return n->children == 1 && n[1].repetition == PARQUET_REPEATED ? "a list without role and content" : "a struct";
	return n->type >= PARQUET_BOOLEAN && n->type <= PARQUET_FIXED ? WORDS[n->type] : "an unknown type";
}

void parquet_schema_columns(const struct parquet_meta *m, struct columns *out)
{
	const struct parquet_node *root = m->nodes.data;
	for (const struct parquet_node *c = root + 1; c < root + root->end; c = root + c->end) {
		struct parquet_leaf leaves[2];
		enum column_kind kind = COLUMN_OTHER;
		if (is_text(c) && c->rep == 0)
			kind = COLUMN_TEXT;
		else if (c->leaf < 0 && find_messages(m, c, leaves))
			kind = COLUMN_MESSAGES;
		columns_add(out, c->name, kind, type_words(c));
	}
}

struct parquet_leaf parquet_schema_text(const struct parquet_meta *m, const char *name)
{
	return leaf_of(m, child(m, m->nodes.data, name));
}

void parquet_schema_messages(const struct parquet_meta *m, const char *name, struct parquet_leaf out[2])
{
	find_messages(m, child(m, m->nodes.data, name), out);
}

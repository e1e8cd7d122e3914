/* parquet_meta.c: the footer is read once for schema and row counts; a group's column chunks are read when the group is
 * loaded, so that a footer of thousands of columns costs no memory. */
#include "data/parquet_meta.h"

#include "base/limits.h"

#define TAIL_BYTES 8 /* footer length, then the magic */

#define ROW(id, kind, type, member) {id, kind, offsetof(struct type, member), NULL}

static const struct thrift_field NODE_FIELDS[] = {
	ROW(1, THRIFT_I32, parquet_node, type),       ROW(2, THRIFT_I32, parquet_node, type_length),
	ROW(3, THRIFT_I32, parquet_node, repetition), ROW(4, THRIFT_STR, parquet_node, name),
	ROW(5, THRIFT_I32, parquet_node, children),   ROW(6, THRIFT_I32, parquet_node, converted),
	ROW(10, THRIFT_UNION, parquet_node, logical),
};
static const struct thrift_table NODE = THRIFT_TABLE(NODE_FIELDS);

static const struct thrift_field GROUP_FIELDS[] = {ROW(1, THRIFT_LIST, parquet_group, columns), ROW(3, THRIFT_I64, parquet_group, rows)};
static const struct thrift_table GROUP = THRIFT_TABLE(GROUP_FIELDS);

static const struct thrift_field CHUNK_META_FIELDS[] = {
	{1, THRIFT_I32, offsetof(struct parquet_chunk, meta.type) - offsetof(struct parquet_chunk, meta), NULL},
	{4, THRIFT_I32, offsetof(struct parquet_chunk, meta.codec) - offsetof(struct parquet_chunk, meta), NULL},
	{5, THRIFT_I64, offsetof(struct parquet_chunk, meta.values) - offsetof(struct parquet_chunk, meta), NULL},
	{9, THRIFT_I64, offsetof(struct parquet_chunk, meta.data_at) - offsetof(struct parquet_chunk, meta), NULL},
	{11, THRIFT_I64, offsetof(struct parquet_chunk, meta.dictionary_at) - offsetof(struct parquet_chunk, meta), NULL},
};
static const struct thrift_table CHUNK_META = THRIFT_TABLE(CHUNK_META_FIELDS);

static const struct thrift_field CHUNK_FIELDS[] = {
	ROW(1, THRIFT_STR, parquet_chunk, file_path),
	{3, THRIFT_STRUCT, offsetof(struct parquet_chunk, meta), &CHUNK_META},
	ROW(8, THRIFT_PRESENT, parquet_chunk, encrypted),
};
static const struct thrift_table CHUNK = THRIFT_TABLE(CHUNK_FIELDS);

struct footer { str schema, groups; int64_t rows; };
static const struct thrift_field FOOTER_FIELDS[] = {
	ROW(2, THRIFT_LIST, footer, schema),
	ROW(3, THRIFT_I64, footer, rows),
	ROW(4, THRIFT_LIST, footer, groups),
};
static const struct thrift_table FOOTER = THRIFT_TABLE(FOOTER_FIELDS);

static int damaged(const struct thrift *t, const char *file, struct err *err)
{
	return err_set(err, ERR_DATA, "the parquet footer is damaged at byte %zu of the file", (size_t)((const char *)t->p - file));
}

static int find_footer(str file, str *out, struct err *err)
{
	if (!str_starts(file, STR("PAR1")))
		return err_set(err, ERR_DATA, "not a parquet file: it does not begin with PAR1");
	if (file.len < 4 + TAIL_BYTES || !str_ends(file, STR("PAR1")))
		return err_set(err, ERR_DATA, "the parquet file is cut off: it does not end with PAR1");
	const uint8_t *p = (const uint8_t *)file.data + file.len - TAIL_BYTES;
	size_t len = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
	if (len > LIMIT_PARQUET_FOOTER_BYTES)
		return err_set(err, ERR_LIMIT, "the parquet footer has %zu bytes, past the limit of %zu", len, LIMIT_PARQUET_FOOTER_BYTES);
	if (len > file.len - 4 - TAIL_BYTES)
		return err_set(err, ERR_DATA, "the parquet footer claims %zu bytes, more than the file has", len);
	*out = str_sub(file, file.len - TAIL_BYTES - len, file.len - TAIL_BYTES);
	return 0;
}

static int read_nodes(struct parquet_meta *m, const char *file, str schema, struct err *err)
{
	struct thrift t = thrift_over(schema);
	size_t n = thrift_list(&t);
	if (n > 4 * (size_t)LIMIT_PARQUET_COLUMNS)
		return err_set(err, ERR_LIMIT, "the parquet schema has %zu elements; the limit is %d columns", n, LIMIT_PARQUET_COLUMNS);
	int leaves = 0;
	for (size_t i = 0; i < n && !t.bad; i++) {
		struct parquet_node node = {.type = -1, .converted = -1, .leaf = -1};
		thrift_struct(&t, &NODE, &node);
		if (node.children == 0 && i > 0)
			node.leaf = leaves++;
		else
			node.type = -1;
		vec_push(&m->nodes, node);
	}
	if (t.bad || n == 0)
		return damaged(&t, file, err);
	if (leaves > LIMIT_PARQUET_COLUMNS)
		return err_set(err, ERR_LIMIT, "the parquet file has %d columns; the limit is %d", leaves, LIMIT_PARQUET_COLUMNS);
	return 0;
}

/* Gives node i and what is below it their levels and ends; false when the child counts do not fit the list. */
static bool link_nodes(struct parquet_meta *m, size_t i, int def, int rep, int depth)
{
	struct parquet_node *node = &m->nodes.data[i];
	if (depth > LIMIT_DATASET_NESTING || node->children < 0 || node->repetition < 0 || node->repetition > PARQUET_REPEATED)
		return false;
	node->def = def + (i > 0 && node->repetition != PARQUET_REQUIRED);
	node->rep = rep + (i > 0 && node->repetition == PARQUET_REPEATED);
	size_t next = i + 1;
	for (int32_t c = 0; c < node->children; c++) {
		if (next >= m->nodes.len || !link_nodes(m, next, node->def, node->rep, depth + 1))
			return false;
		next = m->nodes.data[next].end;
	}
	node->end = next;
	return true;
}

static int read_groups(struct parquet_meta *m, const char *file, str groups, struct err *err)
{
	struct thrift t = thrift_over(groups);
	size_t n = thrift_list(&t);
	int64_t rows = 0;
	for (size_t i = 0; i < n && !t.bad; i++) {
		struct parquet_group g = {0};
		thrift_struct(&t, &GROUP, &g);
		if (g.rows < 0 || g.rows > LIMIT_DATASET_ROWS - rows)
			return err_set(err, ERR_LIMIT, "row group %zu claims %lld rows; the limit is %lld in all", i, (long long)g.rows,
				       (long long)LIMIT_DATASET_ROWS);
		rows += g.rows;
		vec_push(&m->groups, g);
	}
	if (t.bad)
		return damaged(&t, file, err);
	if (rows != m->rows)
		return err_set(err, ERR_DATA, "the parquet footer says %lld rows, its row groups %lld", (long long)m->rows,
			       (long long)rows);
	return 0;
}

int parquet_meta_read(struct parquet_meta *m, str file, struct err *err)
{
	str bytes;
	struct footer footer = {0};
	if (find_footer(file, &bytes, err) < 0)
		return -1;
	m->data_end = (size_t)(bytes.data - file.data);
	struct thrift t = thrift_over(bytes);
	thrift_struct(&t, &FOOTER, &footer);
	if (t.bad)
		return damaged(&t, file.data, err);
	m->rows = footer.rows;
	if (read_nodes(m, file.data, footer.schema, err) < 0)
		return -1;
	if (!link_nodes(m, 0, 0, 0, 0) || m->nodes.data[0].end != m->nodes.len)
		return err_set(err, ERR_DATA, "the parquet schema is damaged or nested deeper than %d", LIMIT_DATASET_NESTING);
	return read_groups(m, file.data, footer.groups, err);
}

void parquet_meta_done(struct parquet_meta *m)
{
	vec_done(&m->nodes);
	vec_done(&m->groups);
}

int parquet_meta_chunks(const struct parquet_meta *m, size_t g, const int *leaves, size_t n, struct parquet_chunk *out, struct err *err)
{
	struct thrift t = thrift_over(m->groups.data[g].columns);
	size_t count = thrift_list(&t), found = 0;
	for (size_t i = 0; i < count && !t.bad; i++) {
		struct parquet_chunk chunk = {0};
		thrift_struct(&t, &CHUNK, &chunk);
		for (size_t k = 0; k < n; k++)
			if (leaves[k] == (int)i) {
				out[k] = chunk;
				found++;
			}
	}
	if (t.bad || found != n)
		return err_set(err, ERR_DATA, "row group %zu: its list of column chunks is damaged", g);
	return 0;
}

/* Every limit of the column formats, at it and past it, over footers and schemas built here byte by byte. */
#include "fixture.h"

#include "base/limits.h"

/* ---- Thrift's compact protocol, as far as a footer needs it ---- */

enum { T_I32 = 5, T_I64 = 6, T_BINARY = 8, T_LIST = 9, T_STRUCT = 12 };

static void put_varint(struct buf *b, uint64_t v)
{
	for (; v > 127; v >>= 7)
		buf_putc(b, (char)(v | 128));
	buf_putc(b, (char)v);
}

static void put_head(struct buf *b, int *last, int id, int type)
{
	buf_putc(b, (char)((id - *last) << 4 | type));
	*last = id;
}

static void put_int(struct buf *b, int *last, int id, int type, int64_t v)
{
	put_head(b, last, id, type);
	put_varint(b, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

static void put_name(struct buf *b, int *last, int id, const char *name)
{
	put_head(b, last, id, T_BINARY);
	put_varint(b, strlen(name));
	buf_puts(b, name);
}

static void put_list(struct buf *b, int *last, int id, size_t count)
{
	put_head(b, last, id, T_LIST);
	buf_putc(b, (char)(15 << 4 | T_STRUCT));
	put_varint(b, count);
}

/* A group with children, or a text leaf (children 0). */
static void put_node(struct buf *b, const char *name, int children)
{
	int last = 0;
	if (!children)
		put_int(b, &last, 1, T_I32, 6);
	put_int(b, &last, 3, T_I32, 0);
	put_name(b, &last, 4, name);
	if (children)
		put_int(b, &last, 5, T_I32, children);
	buf_putc(b, 0);
}

struct made { int columns, depth, unknown_depth; int64_t rows, page_bytes; };

static void put_page(struct buf *b, int64_t page_bytes)
{
	int last = 0, inner = 0;
	put_int(b, &last, 1, T_I32, 0);
	put_int(b, &last, 2, T_I32, page_bytes);
	put_int(b, &last, 3, T_I32, 5);
	put_head(b, &last, 5, T_STRUCT);
	put_int(b, &inner, 1, T_I32, 1);
	put_int(b, &inner, 2, T_I32, 0);
	buf_putc(b, 0);
	buf_putc(b, 0);
	buf_put(b, "\1\0\0\0t", 5);
}

static void put_chunk(struct buf *b, size_t at)
{
	int last = 0, inner = 0;
	put_head(b, &last, 3, T_STRUCT);
	put_int(b, &inner, 1, T_I32, 6);
	put_int(b, &inner, 4, T_I32, 0);
	put_int(b, &inner, 5, T_I64, 1);
	put_int(b, &inner, 9, T_I64, (int64_t)at);
	buf_putc(b, 0);
	buf_putc(b, 0);
}

/* One text column of one row 't'; further columns, nested groups and claims as asked. */
static void write_parquet(const char *name, struct made m)
{
	struct buf b = {0};
	int last = 0, group = 0;
	buf_puts(&b, "PAR1");
	put_page(&b, m.page_bytes ? m.page_bytes : 5);
	size_t footer = b.len;
	put_list(&b, &last, 2, 1 + (size_t)m.columns + (size_t)m.depth);
	put_node(&b, "root", m.columns);
	for (int i = 0; i < m.columns - 1; i++)
		put_node(&b, i ? "x" : "text", 0);
	for (int i = 0; i < m.depth; i++)
		put_node(&b, "g", 1);
	put_node(&b, m.columns == 1 && !m.depth ? "text" : "x", 0);
	put_int(&b, &last, 3, T_I64, m.rows);
	put_list(&b, &last, 4, 1);
	put_list(&b, &group, 1, 1);
	put_chunk(&b, 4);
	put_int(&b, &group, 3, T_I64, m.rows);
	buf_putc(&b, 0);
	for (int i = 0; i < m.unknown_depth; i++) /* a struct in a struct, in a field that no row names */
		buf_putc(&b, (char)((i ? 1 : 9) << 4 | T_STRUCT));
	for (int i = 0; i <= m.unknown_depth; i++)
		buf_putc(&b, 0);
	uint32_t len = (uint32_t)(b.len - footer);
	buf_put(&b, &len, 4);
	buf_puts(&b, "PAR1");
	fixture_write(name, b.data, b.len);
	buf_done(&b);
}

static void reads_one_row(const char *name)
{
	struct data *d = fixture_open(name);
	row_is(d, 0, "t");
	data_close(d);
}

START_TEST(parquet_columns_are_bounded)
{
	write_parquet("a.parquet", (struct made){.columns = LIMIT_PARQUET_COLUMNS, .rows = 1});
	reads_one_row("a.parquet");
	write_parquet("a.parquet", (struct made){.columns = LIMIT_PARQUET_COLUMNS + 1, .rows = 1});
	refuse_open_with("a.parquet", NULL, ERR_LIMIT, "the parquet file has 4097 columns; the limit is 4096");
	write_parquet("a.parquet", (struct made){.columns = 4 * LIMIT_PARQUET_COLUMNS, .rows = 1});
	refuse_open_with("a.parquet", NULL, ERR_LIMIT, "the parquet schema has 16385 elements");
}
END_TEST

START_TEST(parquet_nesting_is_bounded)
{
	write_parquet("a.parquet", (struct made){.columns = 2, .depth = LIMIT_DATASET_NESTING - 1, .rows = 1});
	reads_one_row("a.parquet");
	write_parquet("a.parquet", (struct made){.columns = 2, .depth = LIMIT_DATASET_NESTING, .rows = 1});
	refuse_open("a.parquet", "the parquet schema is damaged or nested deeper than 64");
	write_parquet("a.parquet", (struct made){.columns = 1, .rows = 1, .unknown_depth = LIMIT_DATASET_NESTING});
	reads_one_row("a.parquet");
	write_parquet("a.parquet", (struct made){.columns = 1, .rows = 1, .unknown_depth = LIMIT_DATASET_NESTING + 2});
	refuse_open("a.parquet", "the parquet footer is damaged");
}
END_TEST

START_TEST(rows_are_bounded)
{
	write_parquet("a.parquet", (struct made){.columns = 1, .rows = LIMIT_DATASET_ROWS});
	struct data *d = fixture_open("a.parquet");
	ck_assert_int_eq(data_rows(d), LIMIT_DATASET_ROWS);
	row_is(d, 0, "t");
	row_fails(d, 1, "a.parquet row 2: column 'text' in row group 1: the column chunk ends before its row group does");
	row_fails(d, LIMIT_DATASET_ROWS - 1, "a.parquet row 100000000");
	data_close(d);
	write_parquet("b.parquet", (struct made){.columns = 1, .rows = LIMIT_DATASET_ROWS + 1});
	refuse_open_with("b.parquet", NULL, ERR_LIMIT, "row group 0 claims 100000001 rows; the limit is 100000000 in all");
	write_parquet("b.parquet", (struct made){.columns = 1, .rows = -1});
	refuse_open_with("b.parquet", NULL, ERR_LIMIT, "row group 0 claims -1 rows");
	write_parquet("b.parquet", (struct made){.columns = 1, .rows = 1});
	refuse_open_with(".", NULL, ERR_LIMIT, "b.parquet: the dataset has more than the limit of 100000000 rows");
}
END_TEST

START_TEST(parquet_pages_are_bounded)
{
	write_parquet("a.parquet", (struct made){.columns = 1, .rows = 1, .page_bytes = LIMIT_PARQUET_PAGE_BYTES});
	reads_one_row("a.parquet");
	write_parquet("a.parquet", (struct made){.columns = 1, .rows = 1, .page_bytes = LIMIT_PARQUET_PAGE_BYTES + 1});
	struct data *d = fixture_open("a.parquet");
	row_fails(d, 0, "a page claims 1073741825 bytes; the limit is 1073741824");
	data_close(d);
}
END_TEST

/* ---- FlatBuffers, as far as a schema message needs it: each table right after its vtable, children behind ---- */

static void put_u16(struct buf *b, unsigned v) { buf_put(b, &(uint16_t){(uint16_t)v}, 2); }
static void put_u32(struct buf *b, size_t v) { buf_put(b, &(uint32_t){(uint32_t)v}, 4); }
static void point(struct buf *b, size_t at) { memcpy(b->data + at, &(uint32_t){(uint32_t)(b->len - at)}, 4); }

/* A table whose slots (0: absent, else bytes) follow its head in order; returns where the first one lies. */
static size_t put_table(struct buf *b, const uint8_t *slots, size_t n)
{
	unsigned at = 4;
	put_u16(b, (unsigned)(4 + 2 * n));
	put_u16(b, 32);
	for (size_t i = 0; i < n; i++) {
		put_u16(b, slots[i] ? at : 0);
		at += slots[i];
	}
	put_u32(b, 4 + 2 * n);
	size_t first = b->len;
	buf_put(b, (char[32]){0}, at - 4);
	return first;
}

/* Table positions are those of the head behind the vtable. */
static void point_table(struct buf *b, size_t at, size_t slots)
{
	memcpy(b->data + at, &(uint32_t){(uint32_t)(b->len + 4 + 2 * slots - at)}, 4);
}

static const uint8_t FIELD_SLOTS[] = {0, 0, 1, 4, 0, 4}; /* type kind, type, children */

/* A chain of `depth` lists that ends in an integer; every level but the last has `children` pointers to the next one. */
static void put_field_chain(struct buf *b, int depth, size_t children)
{
	bool last = depth == 0;
	size_t at = put_table(b, FIELD_SLOTS, 6);
	b->data[at] = last ? 2 : 13;
	point_table(b, at + 1, 0);
	put_table(b, NULL, 0);
	point(b, at + 5);
	put_u32(b, last ? 0 : children);
	size_t pointers = b->len;
	for (size_t i = 0; !last && i < children; i++)
		put_u32(b, 0);
	for (size_t i = 0; !last && i < children; i++)
		point_table(b, pointers + 4 * i, 6);
	if (!last)
		put_field_chain(b, depth - 1, children);
}

static void write_arrow_schema(const char *name, size_t columns, int depth, size_t children)
{
	struct buf head = {0}, file = {0};
	put_u32(&head, 0);
	point_table(&head, 0, 4);
	size_t message = put_table(&head, (const uint8_t[]){2, 1, 4, 8}, 4);
	head.data[message + 2] = 1;
	point_table(&head, message + 3, 2);
	size_t schema = put_table(&head, (const uint8_t[]){2, 4}, 2);
	point(&head, schema + 2);
	put_u32(&head, columns);
	size_t pointers = head.len;
	for (size_t i = 0; i < columns; i++)
		put_u32(&head, 0);
	for (size_t i = 0; i < columns; i++)
		point_table(&head, pointers + 4 * i, 6);
	put_field_chain(&head, depth, children);
	put_u32(&file, UINT32_MAX);
	put_u32(&file, head.len);
	buf_put_str(&file, buf_str(&head));
	put_u32(&file, UINT32_MAX);
	put_u32(&file, 0);
	fixture_write(name, file.data, file.len);
	buf_done(&head);
	buf_done(&file);
}

START_TEST(arrow_columns_are_bounded)
{
	write_arrow_schema("a.arrow", LIMIT_DATASET_COLUMNS, 0, 0);
	refuse_open("a.arrow", "the dataset has no rows"); /* the schema itself is fine */
	write_arrow_schema("a.arrow", LIMIT_DATASET_COLUMNS + 1, 0, 0);
	refuse_open_with("a.arrow", NULL, ERR_LIMIT, "the Arrow schema has more than 4096 columns");
	write_arrow_schema("a.arrow", LIMIT_DATASET_COLUMNS, 1, 3);
	refuse_open("a.arrow", "the dataset has no rows");
	write_arrow_schema("a.arrow", LIMIT_DATASET_COLUMNS, 1, 4);
	refuse_open_with("a.arrow", NULL, ERR_LIMIT, "the Arrow schema has more than 4096 columns");
	write_arrow_schema("a.arrow", 1, 60, 2); /* few bytes, 2 to the 60th fields */
	refuse_open_with("a.arrow", NULL, ERR_LIMIT, "the Arrow schema has more than 4096 columns");
}
END_TEST

START_TEST(arrow_nesting_is_bounded)
{
	write_arrow_schema("a.arrow", 1, LIMIT_DATASET_NESTING, 1);
	refuse_open("a.arrow", "the dataset has no rows");
	write_arrow_schema("a.arrow", 1, LIMIT_DATASET_NESTING + 1, 1);
	refuse_open("a.arrow", "the Arrow schema is damaged or nested deeper than 64");
}
END_TEST

/* Every zstd buffer of a golden file claims this size. */
static void claim_buffers(uint64_t bytes)
{
	CLEANUP(mem_freep) char *path = golden_path("messages/stream-zstd.arrow");
	struct buf file = {0};
	ck_assert_int_eq(fd_read_file(path, (size_t)1 << 20, &file, &err), 0);
	for (char *p = file.data; (p = memmem(p, file.len - (size_t)(p - file.data), "\x28\xB5\x2F\xFD", 4)); p += 4)
		memcpy(p - 8, &bytes, 8);
	fixture_write("claims.arrow", file.data, file.len);
	buf_done(&file);
}

START_TEST(arrow_buffers_are_bounded)
{
	claim_buffers(LIMIT_ARROW_BUFFER_BYTES);
	struct data *d = fixture_open("claims.arrow");
	row_fails(d, 0, "is damaged: it does not give the 17179869184 bytes announced");
	data_close(d);
	claim_buffers(LIMIT_ARROW_BUFFER_BYTES + 1);
	d = fixture_open("claims.arrow");
	row_fails(d, 0, "a compressed buffer claims 17179869185 bytes; the limit is 17179869184");
	data_close(d);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("data/limits");
	TCase *tc = tcase_create("limits");
	tcase_add_checked_fixture(tc, fixture_setup, fixture_done);
	tcase_set_timeout(tc, 110);
	tcase_add_test(tc, parquet_columns_are_bounded);
	tcase_add_test(tc, parquet_nesting_is_bounded);
	tcase_add_test(tc, rows_are_bounded);
	tcase_add_test(tc, parquet_pages_are_bounded);
	tcase_add_test(tc, arrow_columns_are_bounded);
	tcase_add_test(tc, arrow_nesting_is_bounded);
	tcase_add_test(tc, arrow_buffers_are_bounded);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}

/* row_groups.c: finds the group of a row, loads it once. */
#include "data/row_groups.h"

#include "base/limits.h"
#include "data/record.h"

int row_groups_add(struct row_groups *r, int64_t rows, struct err *err)
{
	if (rows < 0 || rows > LIMIT_DATASET_ROWS - r->rows)
		return err_set(err, ERR_LIMIT, "row group %zu claims %lld rows; the limit is %lld in all", r->list.len, (long long)rows,
			       (long long)LIMIT_DATASET_ROWS);
	vec_push(&r->list, (struct row_group){.first_row = r->rows, .rows = rows});
	r->rows += rows;
	return 0;
}

int row_groups_put(struct row_groups *r, struct row_group *group, struct buf *record, struct err *err)
{
	uint64_t at;
	if (record->overflow) {
		buf_clear(record);
		record_put(record, CELL_OVERSIZE, STR(""));
	}
	int rc = row_store_put(r->store, buf_str(record), &at, err);
	buf_clear(record);
	if (rc < 0)
		return -1;
	vec_push(&group->at, at);
	return 0;
}

static struct row_group *group_of(struct row_groups *r, int64_t row)
{
	size_t low = 0, high = r->list.len;
	while (high - low > 1) {
		size_t middle = (low + high) / 2;
		if (r->list.data[middle].first_row <= row)
			low = middle;
		else
			high = middle;
	}
	return &r->list.data[low];
}

static void load_group(struct row_groups *r, struct row_group *g, row_groups_load *load, void *reader)
{
	struct err failure = ERR_INIT;
	g->loaded = true;
	if (load(reader, (size_t)(g - r->list.data), g, &failure) == 0 && (int64_t)g->at.len == g->rows)
		return;
	if (failure.kind == ERR_NONE)
		err_set(&failure, ERR_DATA, "the row group has %zu rows, %lld were announced", g->at.len, (long long)g->rows);
	g->failure = mem_alloc(sizeof *g->failure);
	*g->failure = failure;
}

int row_groups_read(struct row_groups *r, int64_t row, row_groups_load *load, void *reader, struct buf *record, struct err *err)
{
	struct row_group *g = group_of(r, row);
	if (!g->loaded)
		load_group(r, g, load, reader);
	size_t i = (size_t)(row - g->first_row);
	if (i >= g->at.len) {
		if (err)
			*err = *g->failure;
		return -1;
	}
	return row_store_get(r->store, g->at.data[i], record, err);
}

void row_groups_done(struct row_groups *r)
{
	for (size_t i = 0; i < r->list.len; i++) {
		vec_done(&r->list.data[i].at);
		free(r->list.data[i].failure);
	}
	vec_done(&r->list);
}

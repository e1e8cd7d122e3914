/* row_groups.h: the row groups (record batches) of one file of a column format, each decoded into the dataset's row store
 * when a row of it is first asked for. A group that breaks half-way keeps its readable rows; the others get its error. */
#pragma once
#include "base/vec.h"
#include "data/row_store.h"

struct row_group {
	int64_t first_row, rows;
	VEC(uint64_t) at;       /* handles of the rows decoded so far */
	bool loaded;
	struct err *failure;    /* why the rows past `at` cannot be had */
};
struct row_groups {
	VEC(struct row_group) list;
	int64_t rows;
	struct row_store *store; /* borrowed */
};

/* Decodes group g: one row_groups_put per row, in order. */
typedef int row_groups_load(void *reader, size_t g, struct row_group *group, struct err *err);

/* ERR_LIMIT past LIMIT_DATASET_ROWS; rows must not be negative. */
WARN_UNUSED int row_groups_add(struct row_groups *r, int64_t rows, struct err *err);
/* Stores one row; an overflown record is kept as too long. The buffer is cleared. */
WARN_UNUSED int row_groups_put(struct row_groups *r, struct row_group *group, struct buf *record, struct err *err);
WARN_UNUSED int row_groups_read(struct row_groups *r, int64_t row, row_groups_load *load, void *reader, struct buf *record,
				struct err *err);
void row_groups_done(struct row_groups *r);

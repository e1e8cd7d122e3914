/* arrow_file.h: an Arrow IPC file (Feather version 2) or stream as its schema and a list of blocks. Everything borrows
 * from the file's bytes. */
#pragma once
#include "data/arrow_schema.h"

struct arrow_block { struct flat head; struct flat_table batch; str body; };   /* batch: a RecordBatch table */
struct arrow_dictionary_block { struct arrow_block block; int64_t id; bool delta; };
struct arrow_batch_block { struct arrow_block block; int64_t rows; size_t dictionaries; /* how many dictionary blocks apply */ };

struct arrow_file {
	struct arrow_schema schema;
	VEC(struct arrow_dictionary_block) dictionaries;
	VEC(struct arrow_batch_block) batches;
};

WARN_UNUSED int arrow_file_read(struct arrow_file *a, str bytes, struct err *err);
void arrow_file_done(struct arrow_file *a);

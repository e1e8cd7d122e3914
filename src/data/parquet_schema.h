/* parquet_schema.h: what a parquet schema means for training rows: which top-level columns hold text or messages, and which
 * leaf columns have to be read for them. */
#pragma once
#include "data/columns.h"
#include "data/parquet_meta.h"

struct parquet_leaf {
	int column;        /* number of the leaf column */
	int type, type_length;
	int max_def, max_rep;
	int list_def;      /* for messages: definition level from which the list has an element */
};

void parquet_schema_columns(const struct parquet_meta *m, struct columns *out);
/* The leaf of text column `name`; the column is known to be COLUMN_TEXT. */
struct parquet_leaf parquet_schema_text(const struct parquet_meta *m, const char *name);
/* Leaves of role and content of COLUMN_MESSAGES `name`. */
void parquet_schema_messages(const struct parquet_meta *m, const char *name, struct parquet_leaf out[2]);

/* arrow_batch.h: the columns of one record batch that are wanted, their buffers found and decompressed, and checked access
 * to single texts and list ranges. */
#pragma once
#include "data/arrow_file.h"

struct arrow_dictionary { VEC(str) values; };  /* data NULL: null */

struct arrow_array {
	const struct arrow_field *field;
	int64_t length;
	str validity;           /* empty: all are valid */
	str offsets;            /* or views, or dictionary indices */
	str data;               /* or the sizes of a list view */
	VEC(str) variadic;      /* of views */
	const struct arrow_dictionary *dictionary; /* of a coded column; set by the caller */
};

struct arrow_batch {
	struct arrow_array *arrays;  /* one per field, filled where wanted */
	size_t n;
	VEC(char *) owned;           /* decompressed buffers */
};

/* fields: n in depth-first order, as in a schema. The arrays borrow from the block and the fields. */
WARN_UNUSED int arrow_batch_load(struct arrow_batch *b, const struct arrow_field *fields, size_t n, const bool *wanted,
				 const struct arrow_block *block, struct err *err);
void arrow_batch_done(struct arrow_batch *b);

/* All below: false when the buffers do not hold what they should. */
bool arrow_array_valid(const struct arrow_array *a, int64_t i, bool *out);
bool arrow_array_text(const struct arrow_array *a, int64_t i, str *out);   /* data NULL when null */
bool arrow_array_range(const struct arrow_array *a, int64_t i, int64_t *from, int64_t *count);

/* flat.h: a bounded reader of FlatBuffers, the encoding of Arrow's metadata. Positions are byte offsets in one buffer; every
 * read is checked. Damage sets `bad` and gives the default: check once at the end. A field is named by its slot, its
 * number in the schema's table. Strings borrow. */
#pragma once
#include "base/str.h"

struct flat { str bytes; bool bad; };
struct flat_table { size_t at, fields, n_fields; };  /* at 0 with n_fields 0: an empty table */
struct flat_vector { size_t at, count; };

struct flat_table flat_root(struct flat *f);
int64_t flat_int(struct flat *f, struct flat_table t, size_t slot, size_t bytes, int64_t fallback); /* 1, 2, 4 or 8 bytes, signed */
/* False when absent. */
bool flat_table(struct flat *f, struct flat_table t, size_t slot, struct flat_table *out);
str flat_string(struct flat *f, struct flat_table t, size_t slot);
/* Of scalars or structs of element_bytes, or tables (4). */
struct flat_vector flat_vector(struct flat *f, struct flat_table t, size_t slot, size_t element_bytes);
struct flat_table flat_vector_table(struct flat *f, struct flat_vector v, size_t i);
/* The integer of `bytes` at a position, for structs inside vectors. */
int64_t flat_int_at(struct flat *f, size_t at, size_t bytes);

/* thrift.h: Thrift's compact protocol, read by tables: a struct is described by rows (field id, kind, where it goes), and
 * whatever no row names is skipped. Everything is bounded by the bytes given; nesting by LIMIT_DATASET_NESTING.
 * Damage sets `bad` and stays: check once at the end. Strings borrow. */
#pragma once
#include "base/str.h"

struct thrift { const uint8_t *p, *end; bool bad; };

enum thrift_kind {
	THRIFT_BOOL,     /* bool */
	THRIFT_I32,      /* int32_t, from i16 or i32 */
	THRIFT_I64,      /* int64_t, from any integer */
	THRIFT_STR,      /* str */
	THRIFT_STRUCT,   /* the sub table's struct, in place */
	THRIFT_UNION,    /* int32_t: id of the member that is set */
	THRIFT_LIST,     /* str: the encoded list, for thrift_list */
	THRIFT_PRESENT   /* bool: whether the field is there */
};

struct thrift_field { int id; enum thrift_kind kind; size_t offset; const struct thrift_table *sub; };
struct thrift_table { size_t count; const struct thrift_field *fields; };
#define THRIFT_TABLE(rows) {sizeof(rows) / sizeof(rows)[0], rows}

static inline struct thrift thrift_over(str bytes)
{
	const uint8_t *from = (const uint8_t *)(bytes.data ? bytes.data : ""); /* a string or list that the bytes lacked */
	return (struct thrift){from, from + bytes.len, false};
}
/* Reads one struct into out; members that the bytes lack keep their value. */
void thrift_struct(struct thrift *t, const struct thrift_table *table, void *out);
/* Opens a list of structs taken by THRIFT_LIST: reads its head, returns the number of elements (at most the bytes left). */
size_t thrift_list(struct thrift *t);

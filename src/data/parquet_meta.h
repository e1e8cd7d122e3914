/* parquet_meta.h: the footer of a parquet file: schema tree, row groups, column chunks. Names and types follow the
 * format's parquet.thrift. Everything borrows from the file's bytes. */
#pragma once
#include "base/err.h"
#include "base/vec.h"
#include "data/thrift.h"

enum { PARQUET_REQUIRED, PARQUET_OPTIONAL, PARQUET_REPEATED };
enum { PARQUET_BOOLEAN, PARQUET_INT32, PARQUET_INT64, PARQUET_INT96, PARQUET_FLOAT, PARQUET_DOUBLE, PARQUET_BYTE_ARRAY, PARQUET_FIXED };

struct parquet_node {          /* one schema element, in depth-first order */
	str name;
	int32_t type;          /* physical type; -1 for a group */
	int32_t type_length;
	int32_t repetition, children;
	int32_t converted;     /* ConvertedType; -1: none */
	int32_t logical;       /* LogicalType's member id; 0: none */
	int leaf;              /* number of the leaf column; -1 for a group */
	size_t end;            /* one past the last node of this subtree */
	int def, rep;          /* levels when this node is there */
};

struct parquet_group { int64_t rows; str columns; /* encoded list of column chunks */ };

struct parquet_chunk {
	str file_path;         /* set: the data lies in another file */
	bool encrypted;
	struct {
		int32_t type, codec;
		int64_t values, data_at, dictionary_at;
	} meta;
};

struct parquet_meta {
	VEC(struct parquet_node) nodes; /* nodes.data[0] is the root */
	VEC(struct parquet_group) groups;
	int64_t rows;
	size_t data_end;       /* where the footer begins */
};

WARN_UNUSED int parquet_meta_read(struct parquet_meta *m, str file, struct err *err);
void parquet_meta_done(struct parquet_meta *m);
/* Chunks of the given leaf columns (ascending or not) in group g. */
WARN_UNUSED int parquet_meta_chunks(const struct parquet_meta *m, size_t g, const int *leaves, size_t n, struct parquet_chunk *out,
				    struct err *err);

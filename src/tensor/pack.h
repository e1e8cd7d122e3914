/* pack.h: which form a matrix takes in products, and packing of one 16-row group (layouts: kernels.h). */
#pragma once
#include "tensor/kernels.h"
#include "tensor/mat.h"

struct mat_pack {
	enum form form;
	size_t group_bytes, bytes;
	uint8_t *data;
};

enum form pack_form(const struct mat *m, enum compute compute);
/* Bytes of one packed group of `cols` inputs; a multiple of 32. */
size_t pack_group_bytes(enum form form, int64_t cols);
/* Rows [16 group, 16 group + 16) to out; rows past the end become zero. `rows` is scratch of pack_rows_bytes (f32, bf16 forms). */
void pack_group(const struct mat *m, enum form form, int64_t group, uint8_t *out, float *rows);
size_t pack_rows_bytes(enum form form, int64_t cols);

static inline bool form_is_int8(enum form form) { return form < FORM_INT8_COUNT; }
static inline int64_t input_blocks(int64_t cols) { return (cols + INPUT_BLOCK - 1) / INPUT_BLOCK; }
/* Per-thread scratch that grows and is freed with the thread; 64-byte aligned. Contents are lost by the next call. */
void *pack_scratch(size_t bytes);

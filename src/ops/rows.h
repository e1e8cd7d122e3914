/* rows.h: the simplest row-wise operations: addition, softmax, and copies in bfloat16 (round to nearest even).
 * Collective over rows, no barrier inside.
 */
#pragma once
#include "tensor/pool.h"

/* out = a + b; out may be a or b (same stride). The gradient of both inputs is the gradient of out. */
void rows_add(const float *a, int64_t lda, const float *b, int64_t ldb, float *out, int64_t ldo, int64_t rows, int64_t width, struct worker worker);
/* x = exp(x - max) / sum, row by row, in place; width at least 1. */
void rows_softmax(float *x, int64_t ldx, int64_t rows, int64_t width, struct worker worker);
void rows_to_bf16(const float *x, int64_t ldx, uint16_t *y, int64_t ldy, int64_t rows, int64_t width, struct worker worker);
void rows_from_bf16(const uint16_t *x, int64_t ldx, float *y, int64_t ldy, int64_t rows, int64_t width, struct worker worker);
void rows_copy(const float *x, int64_t ldx, float *y, int64_t ldy, int64_t rows, int64_t width, struct worker worker);

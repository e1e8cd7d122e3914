/* nf4.h: bitsandbytes' two weight formats. NF4 (Dettmers et al. 2023, QLoRA, section 3): each 64-element
 * block of the flattened matrix is w = NF4_CODE[nibble] * absmax (kernels.h), two nibbles a byte, the high one first.
 * Double quantisation stores absmax itself in 8 bits: absmax = code[q] * absmax2[block / 256] + offset.
 * I8: w = q * absmax / 127 with one absmax per row. */
#pragma once
#include "tensor/kernels.h"
#include "tensor/mat.h"

#define NF4_BLOCK 64
#define NF4_ABSMAX_BLOCK 256

static inline int64_t nf4_blocks(int64_t n) { return (n + NF4_BLOCK - 1) / NF4_BLOCK; }
static inline int64_t nf4_absmax_blocks(int64_t n) { return (nf4_blocks(n) + NF4_ABSMAX_BLOCK - 1) / NF4_ABSMAX_BLOCK; }
/* bitsandbytes' signed dynamic 8-bit map: 256 ascending values. Immutable; made on the first call (thread-safe). */
const float *nf4_dynamic_code(void);

/* Scale of one 64-block, from either form. */
float nf4_absmax(const struct mat_side *side, int64_t block);
/* Elements [from, from + n) of the flattened matrix. */
void nf4_to_f32(const uint8_t *packed, const struct mat_side *side, int64_t from, float *out, int64_t n);
void i8_row_to_f32(const int8_t *row, float absmax, float *out, int64_t n);

/* n floats to (n + 1) / 2 bytes and nf4_blocks(n) absmax values. */
void nf4_quantise(const float *w, int64_t n, uint8_t *packed, float *absmax);
/* The absmax values of n weights to nf4_blocks(n) bytes and nf4_absmax_blocks(n) floats (against nf4_dynamic_code). */
void nf4_quantise_absmax(const float *absmax, int64_t n, uint8_t *absmax_q, float *absmax2, float *offset);
void i8_quantise_row(const float *w, int64_t n, int8_t *row, float *absmax);

/* kernels.h: the internal contract between the products (forward.c, backward.c) and the code compiled once
 * per instruction set. Everything works on groups of GROUP = 16 output rows, interleaved so that a register of
 * 16 lanes holds 16 rows: there are no horizontal sums, and one kernel source (kernel_*.h over lanes_*.h)
 * serves every instruction set.
 *
 * Packed group of an int8 form, per block of 32 inputs (forms.h):
 *   nibbles   4 x 64 bytes: byte 4r + i of vector j holds input 4j + i of row r low, input 16 + 4j + i high
 *   bytes     8 x 64 bytes: byte 4r + i of vector j holds input 4j + i of row r
 *   scales    d[16], then for _MIN forms m[16], for _HALVES forms d[16] of inputs 16..31; half floats, or floats (_F32)
 *   w = d * (q - offset) + m, q unsigned.
 * Packed group of bf16: per input pair, 16 rows x 2 bf16. Tile of f32: per input, 16 rows x f32.
 *
 * Int8 activations: panels of at most COLUMNS_MAX rows of X. A panel of c rows holds, per block of 32 inputs,
 *   int8 q[c][32], f32 scale[c], f32 scaled_sum[c], i32 -sum[c], i32 -sum of inputs 0..15[c]       (48 c bytes)
 * with x ~ scale * q and sum = sum of q. The offset of w enters as the first value of the integer sum, m through scaled_sum. */
#pragma once
#include "tensor/dtype.h"
#include <stdbool.h>

enum { GROUP = 16, COLUMNS_MAX = 8, INPUT_BLOCK = 32, PANEL_BLOCK_BYTES = 48 };

/* To add a form: here, a row in FORMS (forms.h), its instances in kernel_int8.h and kernel_table.h. */
enum form {
	FORM_NIBBLE_MIN,      /* q4_1, q4_k */
	FORM_NIBBLE_OFFSET,   /* q4_0 */
	FORM_NIBBLE_TABLE,    /* nf4: q = NF4_LEVELS[nibble] */
	FORM_BYTE_MIN,        /* q5_1, q5_k */
	FORM_BYTE_OFFSET,     /* q5_0 */
	FORM_BYTE_HALVES,     /* q6_k */
	FORM_BYTE_SIGNED,     /* q8_0 */
	FORM_BYTE_SIGNED_F32, /* i8 */
	FORM_INT8_COUNT,
	FORM_BF16 = FORM_INT8_COUNT,
	FORM_F32, /* not packed: rows are expanded to f32 */
	FORM_COUNT
};

/* Y tile of 16 rows (the first `rows` are stored) and the kernel's c columns: y[t * ldy + r] (+)= W x. */
struct tile_out {
	float *y;
	int64_t ldy;
	int rows;
	bool accumulate;
};

typedef void int8_kernel(const uint8_t *group, const uint8_t *panel, int64_t blocks, struct tile_out out);
/* x: row-major f32 [c, ldx]; w: [inputs][16] */
typedef void f32_kernel(const float *w, const float *x, int64_t ldx, int64_t inputs, struct tile_out out);
/* x: row-major bf16 [c, ldx], ldx even; w: [pairs][16][2] */
typedef void bf16_kernel(const uint16_t *w, const uint16_t *x, int64_t ldx, int64_t pairs, struct tile_out out);

struct kernels {
	const char *name;
	int columns;                                     /* widest kernel of this instruction set */
	int8_kernel *int8[FORM_INT8_COUNT][COLUMNS_MAX]; /* [form][c - 1] */
	f32_kernel *f32[COLUMNS_MAX];
	bf16_kernel *bf16[COLUMNS_MAX]; /* NULL where the CPU has no bf16 dot product */
	/* out[t] = w . x[t], for 1..4 rows of X */
	void (*dots)(const float *w, const float *x, int64_t ldx, int columns, int64_t inputs, float *out);
	/* Blocks [from, to) of the panel that starts at row x; cols is the number of inputs. */
	void (*quantise)(const float *x, int64_t ldx, int columns, int64_t cols, int64_t from, int64_t to, uint8_t *panel);
	/* 16 rows of 32-bit words at stride ld words -> [words][16]. */
	void (*transpose)(const uint32_t *rows, int64_t ld, int64_t words, uint32_t *out);
	void (*to_bf16)(const float *x, uint16_t *out, int64_t n);
	/* out[i] = bf16(a[i]) | bf16(b[i]) << 16 */
	void (*interleave_bf16)(const float *a, const float *b, uint32_t *out, int64_t n);
	void (*to_f32[DT_COUNT])(const void *blocks, float *out, int64_t n); /* as dtype_traits.to_f32, bit for bit */
	/* 2 x bytes elements of NF4, all of one scale; bytes % 16 == 0. */
	void (*nf4)(const uint8_t *packed, float absmax, float *out, int64_t bytes);
};

extern const struct kernels KERNELS_REF;
#if defined(__x86_64__)
extern const struct kernels KERNELS_AVX2;
extern const struct kernels KERNELS_AVX512; /* F BW DQ VL VNNI */
extern const struct kernels KERNELS_AVX512_BF16;
#elif defined(__aarch64__)
extern const struct kernels KERNELS_NEON;
extern const struct kernels KERNELS_NEON_DOT;
#endif

/* NF4_CODE in integers, + 128 (pack.c) */
extern const uint8_t NF4_LEVELS[16];
extern const float NF4_CODE[16];

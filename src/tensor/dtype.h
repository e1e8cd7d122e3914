/* dtype.h: storage types of weights, as a traits table. Block layouts are GGUF's, byte for byte
 * (sizes static_asserted in dtype.c); NF4 and I8 are bitsandbytes' layouts with side data in struct mat. */
#pragma once
#include "base/str.h"
#include <stdint.h>

/* To add a type: enumerator here, row in dtype.c, a golden block in tests/tensor. */
enum dtype {
	DT_F32,
	DT_F16,
	DT_BF16,
	DT_Q4_0,
	DT_Q4_1,
	DT_Q5_0,
	DT_Q5_1,
	DT_Q8_0,
	DT_Q4_K,
	DT_Q5_K,
	DT_Q6_K,
	DT_NF4, /* 4-bit normal float, 64-element blocks over the flattened matrix; absmax in struct mat */
	DT_I8,  /* int8, one f32 scale per row (bitsandbytes LLM.int8 row-wise: w = q * absmax / 127) */
	DT_COUNT
};

struct dtype_traits {
	const char *name;       /* GGUF spelling, lower case: "q4_1" */
	int32_t block_elements; /* elements per block: 1 for plain types */
	int32_t block_bytes;
	/* n elements (a multiple of block_elements) to float32. NULL for NF4/I8, which need side data: use mat_row_f32. */
	void (*to_f32)(const void *blocks, float *out, int64_t n);
};
const struct dtype_traits *dtype_traits(enum dtype type);
/* Bytes of n elements, or 0 when n is not a whole number of blocks. */
size_t dtype_bytes(enum dtype type, int64_t n);
float dtype_f16_to_f32(uint16_t h);
uint16_t dtype_f32_to_f16(float f); /* round to nearest even */
static inline float dtype_bf16_to_f32(uint16_t h)
{
	uint32_t u = (uint32_t)h << 16;
	float f;
	memcpy(&f, &u, 4);
	return f;
}
uint16_t dtype_f32_to_bf16(float f); /* round to nearest even, NaN kept */

/* The traits table and the half-precision conversions. The block decoders are in decode.h. */
#include "tensor/dtype.h"
#include "tensor/decode.h"

static float bits_to_f32(uint32_t u)
{
	float f;
	memcpy(&f, &u, sizeof f);
	return f;
}

static uint32_t f32_to_bits(float f)
{
	uint32_t u;
	memcpy(&u, &f, sizeof u);
	return u;
}

float dtype_f16_to_f32(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = (h >> 10) & 31u, mantissa = h & 0x3ffu;
	if (exponent == 31)
		return bits_to_f32(sign | 0x7f800000u | mantissa << 13);
	if (exponent == 0) { /* zero and subnormals: mantissa * 2^-24, exact */
		float f = (float)mantissa * 0x1p-24f;
		return bits_to_f32(sign | f32_to_bits(f));
	}
	return bits_to_f32(sign | (exponent + 112) << 23 | mantissa << 13);
}

uint16_t dtype_f32_to_f16(float f)
{
	uint32_t u = f32_to_bits(f), sign = (u >> 16) & 0x8000u, magnitude = u & 0x7fffffffu;
	if (magnitude > 0x7f800000u) /* NaN: quiet, keep the top payload bits */
		return (uint16_t)(sign | 0x7e00u | ((magnitude >> 13) & 0x1ffu));
	if (magnitude >= 0x47800000u) /* 65536 and up, infinity */
		return (uint16_t)(sign | 0x7c00u);
	if (magnitude < 0x38800000u) { /* below 2^-14: the unit is 2^-24; adding 0.5 makes the FPU round to it */
		uint32_t rounded = f32_to_bits(bits_to_f32(magnitude) + 0.5f) - f32_to_bits(0.5f);
		return (uint16_t)(sign | rounded);
	}
	uint32_t rebased = magnitude - (112u << 23);
	rebased += 0xfffu + ((rebased >> 13) & 1u); /* may carry up to infinity, as it should */
	return (uint16_t)(sign | rebased >> 13);
}

uint16_t dtype_f32_to_bf16(float f)
{
	uint32_t u = f32_to_bits(f);
	if ((u & 0x7fffffffu) > 0x7f800000u)
		return (uint16_t)(u >> 16 | 0x40u);
	return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

/* To add a type: a row here, an enumerator in dtype.h, a decoder, a golden block in tests/golden/tensor. */
static const struct dtype_traits TRAITS[DT_COUNT] = {
	[DT_F32] = {"f32", 1, 4, decode_f32},
	[DT_F16] = {"f16", 1, 2, decode_f16},
	[DT_BF16] = {"bf16", 1, 2, decode_bf16},
	[DT_Q4_0] = {"q4_0", 32, sizeof(struct block_q4_0), block_q4_0_to_f32},
	[DT_Q4_1] = {"q4_1", 32, sizeof(struct block_q4_1), block_q4_1_to_f32},
	[DT_Q5_0] = {"q5_0", 32, sizeof(struct block_q5_0), block_q5_0_to_f32},
	[DT_Q5_1] = {"q5_1", 32, sizeof(struct block_q5_1), block_q5_1_to_f32},
	[DT_Q8_0] = {"q8_0", 32, sizeof(struct block_q8_0), block_q8_0_to_f32},
	[DT_Q4_K] = {"q4_k", 256, sizeof(struct block_q4_k), block_q4_k_to_f32},
	[DT_Q5_K] = {"q5_k", 256, sizeof(struct block_q5_k), block_q5_k_to_f32},
	[DT_Q6_K] = {"q6_k", 256, sizeof(struct block_q6_k), block_q6_k_to_f32},
	[DT_NF4] = {"nf4", 64, 32, NULL},
	[DT_I8] = {"i8", 1, 1, NULL},
};

const struct dtype_traits *dtype_traits(enum dtype type) { return &TRAITS[type]; }

size_t dtype_bytes(enum dtype type, int64_t n)
{
	const struct dtype_traits *t = &TRAITS[type];
	if (n < 0 || n % t->block_elements != 0)
		return 0;
	return (size_t)(n / t->block_elements) * (size_t)t->block_bytes;
}

/* Random matrices of every type, and a plain double-precision oracle of both products. */
#pragma once
#include "base/mem.h"
#include "tensor/blocks.h"
#include "tensor/kernels.h"
#include "tensor/mat.h"
#include "tensor/nf4.h"
#include <math.h>

struct sample {
	struct mat m;
	struct mat_side side;
	unsigned char *bytes;
	float *absmax;
};

static inline uint32_t sample_bits(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 32);
}
/* Uniform in [-1, 1). */
static inline float sample_float(uint64_t *seed) { return (float)(int32_t)sample_bits(seed) * 0x1p-31f; }

/* Where the half-float scales of a block are; -1 ends. */
static const int SAMPLE_HALVES[DT_COUNT][3] = {
	[DT_F32] = {-1},       [DT_F16] = {-1},        [DT_BF16] = {-1},    [DT_Q4_0] = {0, -1},    [DT_Q4_1] = {0, 2, -1},
	[DT_Q5_0] = {0, -1},   [DT_Q5_1] = {0, 2, -1}, [DT_Q8_0] = {0, -1}, [DT_Q4_K] = {0, 2, -1}, [DT_Q5_K] = {0, 2, -1},
	[DT_Q6_K] = {208, -1}, [DT_NF4] = {-1},        [DT_I8] = {-1},
};

static inline bool sample_fits(enum dtype type, int64_t cols) { return type == DT_NF4 || cols % dtype_traits(type)->block_elements == 0; }

static inline void sample_plain(enum dtype type, unsigned char *bytes, int64_t n, uint64_t *seed)
{
	for (int64_t i = 0; i < n; i++) {
		float f = sample_float(seed);
		uint16_t h = type == DT_F16 ? dtype_f32_to_f16(f) : dtype_f32_to_bf16(f);
		if (type == DT_F32)
			memcpy(bytes + 4 * i, &f, 4);
		else
			memcpy(bytes + 2 * i, &h, 2);
	}
}

static inline void sample_init(struct sample *s, enum dtype type, int64_t rows, int64_t cols, uint64_t seed)
{
	const struct dtype_traits *t = dtype_traits(type);
	int64_t n = rows * cols, blocks = (n + t->block_elements - 1) / t->block_elements;
	size_t bytes = (size_t)(blocks * t->block_bytes);
	*s = (struct sample){.bytes = mem_alloc(bytes), .absmax = mem_array((size_t)(blocks > rows ? blocks : rows), sizeof(float))};
	for (size_t i = 0; i < bytes; i++)
		s->bytes[i] = (unsigned char)sample_bits(&seed);
	if (type == DT_F32 || type == DT_F16 || type == DT_BF16)
		sample_plain(type, s->bytes, n, &seed);
	for (int64_t b = 0; b < blocks; b++) {
		s->absmax[b < (blocks > rows ? blocks : rows) ? b : 0] = 0.5f + 0.4f * sample_float(&seed);
		for (const int *at = SAMPLE_HALVES[type]; *at >= 0; at++) {
			uint16_t h = dtype_f32_to_f16(0.02f * sample_float(&seed));
			memcpy(s->bytes + b * t->block_bytes + *at, &h, sizeof h);
		}
	}
	s->side = (struct mat_side){.absmax = s->absmax};
	s->m = (struct mat){.type = type,
			    .rows = rows,
			    .cols = cols,
			    .src = s->bytes,
			    .row_bytes = type == DT_NF4 ? 0 : dtype_bytes(type, cols),
			    .side = &s->side};
}

static inline void sample_done(struct sample *s)
{
	mat_pack_free(&s->m);
	free(s->bytes);
	free(s->absmax);
}

/* What the int8 path sees of x: per 32-block, round(x * 127 / largest) * largest / 127. */
static inline void sample_quantise(const float *x, int64_t n, float *out)
{
	for (int64_t from = 0; from < n; from += 32) {
		int64_t to = from + 32 < n ? from + 32 : n;
		float largest = 0;
		for (int64_t i = from; i < to; i++)
			largest = fmaxf(largest, fabsf(x[i]));
		for (int64_t i = from; i < to; i++)
			out[i] = largest > 0 ? (float)lrintf(x[i] * (127.0f / largest)) * (largest / 127.0f) : 0;
	}
}

static inline void sample_round_bf16(float *x, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		x[i] = dtype_bf16_to_f32(dtype_f32_to_bf16(x[i]));
}

/* out[i] = a . b, scale[i] = |a| |b|, the measure of every tolerance (Cauchy-Schwarz). */
static inline void sample_dot(const float *a, int64_t lda, const float *b, int64_t ldb, int64_t n, double *out, double *scale)
{
	double dot = 0, aa = 0, bb = 0;
	for (int64_t i = 0; i < n; i++) {
		double u = (double)a[i * lda], v = (double)b[i * ldb];
		dot += u * v;
		aa += u * u;
		bb += v * v;
	}
	*out = dot;
	*scale = sqrt(aa * bb) + 1e-30;
}

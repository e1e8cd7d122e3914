/* Sixteen 32-bit lanes in plain C: the reference, and the fallback for any CPU. */
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>
#include "tensor/dtype.h"

/* The widest kernel, and lists over 1..1 columns. */
#define LANES_COLUMNS 1
#define LANES_EACH(X, f) X(f, 1)
#define LANES_LIST(prefix) prefix##1
#define LANES inline __attribute__((unused)) static
typedef struct {
	float v[16];
} vf;
typedef struct {
	int32_t v[16];
} vi;
#define EACH(r, expression)                                                                                                                \
	do {                                                                                                                               \
		for (int i = 0; i < 16; i++)                                                                                               \
			(r).v[i] = (expression);                                                                                           \
	} while (0)

LANES vi vi_set(int32_t x)
{
	vi r;
	EACH(r, x);
	return r;
}
LANES vi vi_load(const void *p)
{
	vi r;
	memcpy(&r, p, sizeof r);
	return r;
}
LANES void vi_store(void *p, vi a) { memcpy(p, &a, sizeof a); }
LANES vi vi_low(vi a)
{
	vi r;
	EACH(r, a.v[i] & 0x0f0f0f0f);
	return r;
}
LANES vi vi_high(vi a)
{
	vi r;
	EACH(r, (int32_t)(((uint32_t)a.v[i] >> 4) & 0x0f0f0f0f));
	return r;
}
LANES vi vi_lookup(vi nibbles, const uint8_t table[16])
{
	uint8_t b[64];
	memcpy(b, &nibbles, sizeof b);
	for (int i = 0; i < 64; i++)
		b[i] = table[b[i]];
	return vi_load(b);
}
LANES vi vi_dot(vi sum, vi levels, const void *x)
{
	const int8_t *xs = x;
	uint8_t b[64];
	memcpy(b, &levels, sizeof b);
	for (int i = 0; i < 16; i++)
		for (int j = 0; j < 4; j++)
			sum.v[i] += b[4 * i + j] * xs[j];
	return sum;
}
LANES vi vi_dot_wide(vi sum, vi levels, const void *x) { return vi_dot(sum, levels, x); }
LANES vi vi_shift(vi a, int n)
{
	vi r;
	EACH(r, a.v[i] * (1 << n));
	return r;
}
LANES vi vi_sub(vi a, vi b)
{
	vi r;
	EACH(r, a.v[i] - b.v[i]);
	return r;
}
/* The sums of a and of b. */
LANES void vi_totals(vi a, vi b, int32_t *total_a, int32_t *total_b)
{
	*total_a = *total_b = 0;
	for (int i = 0; i < 16; i++) {
		*total_a += a.v[i];
		*total_b += b.v[i];
	}
}
LANES void vi_store_bytes(void *p, vi a)
{
	int8_t b[16];
	for (int i = 0; i < 16; i++)
		b[i] = (int8_t)(a.v[i] > 127 ? 127 : a.v[i] < -128 ? -128 : a.v[i]);
	memcpy(p, b, sizeof b);
}

LANES vf vf_set(float x)
{
	vf r;
	EACH(r, x);
	return r;
}
LANES vf vf_load(const float *p)
{
	vf r;
	memcpy(&r, p, sizeof r);
	return r;
}
LANES void vf_store(float *p, vf a) { memcpy(p, &a, sizeof a); }
LANES vf vf_halves(const void *p)
{
	uint16_t h[16];
	vf r;
	memcpy(h, p, sizeof h);
	EACH(r, dtype_f16_to_f32(h[i]));
	return r;
}
LANES vf vf_from_int(vi a)
{
	vf r;
	EACH(r, (float)a.v[i]);
	return r;
}
LANES vi vf_round(vf a)
{
	vi r;
	EACH(r, (int32_t)lrintf(a.v[i]));
	return r;
}
LANES vf vf_fma(vf a, vf b, vf c)
{
	vf r;
	EACH(r, a.v[i] * b.v[i] + c.v[i]);
	return r;
}
LANES vf vf_mul(vf a, vf b)
{
	vf r;
	EACH(r, a.v[i] * b.v[i]);
	return r;
}
LANES vf vf_add(vf a, vf b)
{
	vf r;
	EACH(r, a.v[i] + b.v[i]);
	return r;
}
/* Of values without sign: a NaN is the largest. */
LANES float larger(float a, float b) { return a > b || a != a ? a : b; }
LANES vf vf_max(vf a, vf b)
{
	vf r;
	EACH(r, larger(a.v[i], b.v[i]));
	return r;
}
LANES vf vf_abs(vf a)
{
	vf r;
	EACH(r, fabsf(a.v[i]));
	return r;
}
LANES float vf_total(vf a)
{
	float s = 0;
	for (int i = 0; i < 16; i++)
		s += a.v[i];
	return s;
}
LANES float vf_largest(vf a)
{
	float s = a.v[0];
	for (int i = 1; i < 16; i++)
		s = larger(a.v[i], s);
	return s;
}

LANES vi vi_from_bytes(const uint8_t *p)
{
	vi r;
	EACH(r, p[i]);
	return r;
}
LANES vf vf_table(const float table[16], vi index)
{
	vf r;
	EACH(r, table[index.v[i]]);
	return r;
}
/* a0 b0 a1 b1 ... */
LANES void vf_store_pairs(float *p, vf a, vf b)
{
	for (int i = 0; i < 16; i++) {
		p[2 * i] = a.v[i];
		p[2 * i + 1] = b.v[i];
	}
}

LANES void lanes_transpose(const uint32_t *in, int64_t ld, uint32_t *out)
{
	for (int k = 0; k < 16; k++)
		for (int r = 0; r < 16; r++)
			out[k * 16 + r] = in[r * ld + k];
}

/* NF4 and row-wise int8 as bitsandbytes writes them: decoders, and quantisers whose bytes equal its own. */
#include "tensor/nf4.h"
#include "tensor/isa.h"
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

/* Quantiles of N(0, 1) scaled to [-1, 1], with an exact zero (QLoRA, appendix E). */
const float NF4_CODE[16] = {
	-1.0f,
	-0.6961928009986877f,
	-0.5250730514526367f,
	-0.39491748809814453f,
	-0.28444138169288635f,
	-0.18477343022823334f,
	-0.09105003625154495f,
	0.0f,
	0.07958029955625534f,
	0.16093020141124725f,
	0.24611230194568634f,
	0.33791524171829224f,
	0.44070982933044434f,
	0.5626170039176941f,
	0.7229568362236023f,
	1.0f,
};

static float dynamic_code[256];

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;
	return (x > y) - (x < y);
}

/* Point i of `points` evenly spaced in [0.1, 1], from the nearer end, rounded once as torch.linspace does. */
static float boundary(int i, int points)
{
	double step = (double)((1.0f - 0.1f) / (float)(points - 1));
	return (float)(i < points / 2 ? (double)0.1f + step * i : 1.0 - step * (points - 1 - i));
}

/* For each of seven decades 10^-6 .. 10^0, 2^i values at the middles of equal parts of [0.1, 1], both signs; 0; 1. */
static void make_dynamic_code(void)
{
	int n = 0;
	for (int i = 0; i < 7; i++) {
		float decade = (float)pow(10.0, i - 6);
		for (int j = 0; j < 1 << i; j++) {
			float middle = (boundary(j, (1 << i) + 1) + boundary(j + 1, (1 << i) + 1)) / 2;
			dynamic_code[n++] = decade * middle;
			dynamic_code[n++] = -(decade * middle);
		}
	}
	dynamic_code[n++] = 0.0f;
	dynamic_code[n++] = 1.0f;
	qsort(dynamic_code, 256, sizeof *dynamic_code, by_value);
}

const float *nf4_dynamic_code(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_dynamic_code);
	return dynamic_code;
}

float nf4_absmax(const struct mat_side *side, int64_t block)
{
	if (side->absmax)
		return side->absmax[block];
	return side->code[side->absmax_q[block]] * side->absmax2[block / NF4_ABSMAX_BLOCK] + side->offset;
}

static float element(const uint8_t *packed, int64_t i, float absmax)
{
	return NF4_CODE[i % 2 == 0 ? packed[i / 2] >> 4 : packed[i / 2] & 15] * absmax;
}

void nf4_to_f32(const uint8_t *packed, const struct mat_side *side, int64_t from, float *out, int64_t n)
{
	for (int64_t i = from; i < from + n;) {
		int64_t end = (i / NF4_BLOCK + 1) * NF4_BLOCK;
		float absmax = nf4_absmax(side, i / NF4_BLOCK);
		int64_t bytes = ((end < from + n ? end : from + n) - i) / 32 * 16;
		if (i % 2 == 0 && bytes > 0) {
			isa_kernels()->nf4(packed + i / 2, absmax, out + (i - from), bytes);
			i += 2 * bytes;
		}
		for (; i < end && i < from + n; i++)
			out[i - from] = element(packed, i, absmax);
	}
}

void i8_row_to_f32(const int8_t *row, float absmax, float *out, int64_t n)
{
	float scale = absmax * (1.0f / 127.0f);
	for (int64_t i = 0; i < n; i++)
		out[i] = (float)row[i] * scale;
}

static float max_abs(const float *w, int64_t n)
{
	float m = 0;
	for (int64_t i = 0; i < n; i++)
		m = fmaxf(m, fabsf(w[i]));
	return m;
}

/* Index of the nearest of `count` ascending values; the lower one of a tie. */
static uint8_t nearest(const float *code, int count, float x)
{
	int low = 0, high = count - 1;
	while (high - low > 1) {
		int mid = (low + high) / 2;
		if (code[mid] <= x)
			low = mid;
		else
			high = mid;
	}
	return (uint8_t)(fabsf(x - code[low]) <= fabsf(code[high] - x) ? low : high);
}

void nf4_quantise(const float *w, int64_t n, uint8_t *packed, float *absmax)
{
	for (int64_t i = 0; i < (n + 1) / 2; i++)
		packed[i] = 0;
	for (int64_t block = 0; block < nf4_blocks(n); block++) {
		int64_t from = block * NF4_BLOCK, to = from + NF4_BLOCK < n ? from + NF4_BLOCK : n;
		float m = max_abs(w + from, to - from);
		absmax[block] = m;
		for (int64_t i = from; i < to; i++) {
			uint8_t q = nearest(NF4_CODE, 16, m > 0 ? w[i] / m : 0);
			packed[i / 2] = (uint8_t)(packed[i / 2] | (i % 2 == 0 ? q << 4 : q));
		}
	}
}

/* bitsandbytes looks its 8-bit code up through a table over [-1, 1] of 65536 points: x is first moved to the
 * nearest point, which decides near-ties as the recorded bytes show. */
static float grid_point(float x)
{
	double point = floor(((double)x + 1) * 0.5 * 65535 + 0.5);
	return (float)(point * 2 / 65535 - 1);
}

void nf4_quantise_absmax(const float *absmax, int64_t n, uint8_t *absmax_q, float *absmax2, float *offset)
{
	const float *code = nf4_dynamic_code();
	int64_t blocks = nf4_blocks(n);
	double sum = 0;
	for (int64_t i = 0; i < blocks; i++)
		sum += (double)absmax[i];
	float mean = blocks > 0 ? (float)(sum / (double)blocks) : 0;
	*offset = mean;
	for (int64_t b = 0; b < nf4_absmax_blocks(n); b++) {
		int64_t from = b * NF4_ABSMAX_BLOCK, to = from + NF4_ABSMAX_BLOCK < blocks ? from + NF4_ABSMAX_BLOCK : blocks;
		float m = 0;
		for (int64_t i = from; i < to; i++)
			m = fmaxf(m, fabsf(absmax[i] - mean));
		absmax2[b] = m;
		for (int64_t i = from; i < to; i++)
			absmax_q[i] = nearest(code, 256, m > 0 ? grid_point((absmax[i] - mean) * (1.0f / m)) : 0);
	}
}

void i8_quantise_row(const float *w, int64_t n, int8_t *row, float *absmax)
{
	float m = max_abs(w, n), inverse = m > 0 ? 127.0f * (1.0f / m) : 0; /* in this order, as bitsandbytes rounds it */
	*absmax = m;
	for (int64_t i = 0; i < n; i++)
		row[i] = (int8_t)lrintf(w[i] * inverse);
}

/* rows_kernels.c: the vector versions of everything that works row by row: RMS norm, rotary embedding, gated activation,
 * addition, softmax, cross-entropy, bf16 copies. Compiled once per ISA level (see simd.h). The formulas are in reference.c. */
#include "ops/kernels_isa.h"
#include "ops/simd.h"

#include <math.h>

/* --- RMS norm (Zhang & Sennrich 2019): y = w x / sqrt(mean(x^2) + eps) ------------------------------- */

INLINE float square_sum(const float *x, int64_t d)
{
	vf sum = {0}, sum2 = {0};
	int64_t i = 0;
	for (; i + 2 * SIMD <= d; i += 2 * SIMD) {
		vf a = simd_load(x + i), b = simd_load(x + i + SIMD);
		sum += a * a;
		sum2 += b * b;
	}
	for (; i + SIMD <= d; i += SIMD) {
		vf a = simd_load(x + i);
		sum += a * a;
	}
	if (i < d) {
		vf a = simd_load_part(x + i, d - i);
		sum2 += a * a;
	}
	return simd_sum(sum + sum2);
}

static void norm_slice(const float *x, const float *w, float *y, int64_t d, float eps)
{
	vf r = simd_set(1.0f / sqrtf(square_sum(x, d) / (float)d + eps));
	int64_t i = 0;
	for (; i + SIMD <= d; i += SIMD)
		simd_store(y + i, simd_load(x + i) * r * simd_load(w + i));
	if (i < d)
		simd_store_part(y + i, simd_load_part(x + i, d - i) * r * simd_load_part(w + i, d - i), d - i);
}

void KERNEL(rms_norm)(const float *x, int64_t ldx, const float *w, float *y, int64_t ldy, int64_t rows, int64_t width, int64_t d, float eps)
{
	for (int64_t t = 0; t < rows; t++)
		for (int64_t h = 0; h < width; h += d)
			norm_slice(x + t * ldx + h, w, y + t * ldy + h, d, eps);
}

/* dx = r (w dy) - x r^3 / d * sum(w dy x). Both sums are taken before anything is written: dx may be dy. */
static void norm_slice_backward(const float *x, const float *w, const float *dy, float *dx, int64_t d, float eps, bool accumulate)
{
	vf dot = {0};
	int64_t i = 0;
	for (; i + SIMD <= d; i += SIMD)
		dot += simd_load(x + i) * simd_load(w + i) * simd_load(dy + i);
	if (i < d)
		dot += simd_load_part(x + i, d - i) * simd_load_part(w + i, d - i) * simd_load_part(dy + i, d - i);
	float r = 1.0f / sqrtf(square_sum(x, d) / (float)d + eps);
	vf rv = simd_set(r), c = simd_set(r * r * r / (float)d * simd_sum(dot));
	for (i = 0; i + SIMD <= d; i += SIMD) {
		vf g = rv * simd_load(w + i) * simd_load(dy + i) - c * simd_load(x + i);
		simd_store(dx + i, accumulate ? simd_load(dx + i) + g : g);
	}
	if (i < d) {
		vf g = rv * simd_load_part(w + i, d - i) * simd_load_part(dy + i, d - i) - c * simd_load_part(x + i, d - i);
		simd_store_part(dx + i, accumulate ? simd_load_part(dx + i, d - i) + g : g, d - i);
	}
}

void KERNEL(rms_norm_backward)(const float *x, int64_t ldx, const float *w, const float *dy, int64_t lddy, float *dx, int64_t lddx,
			       int64_t rows, int64_t width, int64_t d, float eps, bool accumulate)
{
	for (int64_t t = 0; t < rows; t++)
		for (int64_t h = 0; h < width; h += d)
			norm_slice_backward(x + t * ldx + h, w, dy + t * lddy + h, dx + t * lddx + h, d, eps, accumulate);
}

/* --- rotary embedding (Su et al. 2021), half-split pairs (i, i + dims/2) ------------------------------ */

static void rotate(const float *x, const float *table, float *y, int64_t half, bool inverse)
{
	const float *cosines = table, *sines = table + half;
	vf sign = simd_set(inverse ? -1.0f : 1.0f);
	int64_t i = 0;
	for (; i + SIMD <= half; i += SIMD) {
		vf a = simd_load(x + i), b = simd_load(x + half + i), c = simd_load(cosines + i), s = simd_load(sines + i) * sign;
		simd_store(y + i, a * c - b * s);
		simd_store(y + half + i, b * c + a * s);
	}
	if (i < half) {
		int64_t n = half - i;
		vf a = simd_load_part(x + i, n), b = simd_load_part(x + half + i, n), c = simd_load_part(cosines + i, n), s = simd_load_part(sines + i, n) * sign;
		simd_store_part(y + i, a * c - b * s, n);
		simd_store_part(y + half + i, b * c + a * s, n);
	}
}

void KERNEL(rope)(const float *x, int64_t ldx, const float *table, float *y, int64_t ldy, int64_t rows, int64_t width, int64_t d, int64_t dims, bool inverse)
{
	for (int64_t t = 0; t < rows; t++)
		for (int64_t h = 0; h < width; h += d) {
			const float *from = x + t * ldx + h;
			float *to = y + t * ldy + h;
			rotate(from, table + t * dims, to, dims / 2, inverse);
			if (to != from && dims < d)
				memcpy(to + dims, from + dims, (size_t)(d - dims) * sizeof *to);
		}
}

/* --- gated activation ---------------------------------------------------------------------------------- */

INLINE vf sigmoid(vf x) { return simd_set(1.0f) / (simd_set(1.0f) + simd_exp(-x)); }

/* act(x) and act'(x). GELU by tanh: x s(2u) with u = sqrt(2/pi) (x + 0.044715 x^3), as 0.5 (1 + tanh u) = s(2u). */
INLINE void activate(bool gelu, vf x, vf *act, vf *slope)
{
	if (!gelu) {
		vf s = sigmoid(x);
		*act = x * s;
		*slope = s * (simd_set(1.0f) + x * (simd_set(1.0f) - s));
		return;
	}
	vf u2 = simd_set(1.5957691216f) * (x + simd_set(0.044715f) * x * x * x);
	vf s = sigmoid(u2);
	*act = x * s;
	*slope = s + x * s * (simd_set(1.0f) - s) * simd_set(1.5957691216f) * (simd_set(1.0f) + simd_set(0.134145f) * x * x);
}

void KERNEL(glu)(bool gelu, const float *gate, int64_t ldg, const float *up, int64_t ldu, float *out, int64_t ldo, int64_t rows, int64_t width)
{
	for (int64_t t = 0; t < rows; t++, gate += ldg, up += ldu, out += ldo) {
		int64_t i = 0;
		vf act, slope;
		for (; i + SIMD <= width; i += SIMD) {
			activate(gelu, simd_load(gate + i), &act, &slope);
			simd_store(out + i, act * simd_load(up + i));
		}
		if (i < width) {
			activate(gelu, simd_load_part(gate + i, width - i), &act, &slope);
			simd_store_part(out + i, act * simd_load_part(up + i, width - i), width - i);
		}
	}
}

void KERNEL(glu_backward)(bool gelu, const float *gate, int64_t ldg, const float *up, int64_t ldu, const float *dout, int64_t lddo,
			  float *dgate, int64_t lddg, float *dup, int64_t lddu, int64_t rows, int64_t width)
{
	for (int64_t t = 0; t < rows; t++, gate += ldg, up += ldu, dout += lddo, dgate += lddg, dup += lddu) {
		int64_t i = 0;
		vf act, slope;
		for (; i + SIMD <= width; i += SIMD) {
			vf u = simd_load(up + i), g = simd_load(dout + i);
			activate(gelu, simd_load(gate + i), &act, &slope);
			simd_store(dgate + i, g * u * slope);
			simd_store(dup + i, g * act);
		}
		if (i < width) {
			int64_t n = width - i;
			vf u = simd_load_part(up + i, n), g = simd_load_part(dout + i, n);
			activate(gelu, simd_load_part(gate + i, n), &act, &slope);
			simd_store_part(dgate + i, g * u * slope, n);
			simd_store_part(dup + i, g * act, n);
		}
	}
}

void KERNEL(add)(const float *a, int64_t lda, const float *b, int64_t ldb, float *out, int64_t ldo, int64_t rows, int64_t width)
{
	for (int64_t t = 0; t < rows; t++, a += lda, b += ldb, out += ldo) {
		int64_t i = 0;
		for (; i + SIMD <= width; i += SIMD)
			simd_store(out + i, simd_load(a + i) + simd_load(b + i));
		for (; i < width; i++)
			out[i] = a[i] + b[i];
	}
}

/* --- softmax and cross-entropy --------------------------------------------------------------------------- */

static float row_max(const float *x, int64_t n)
{
	vf top = simd_set(x[0]), top2 = top;
	int64_t i = 0;
	for (; i + 2 * SIMD <= n; i += 2 * SIMD) {
		top = simd_max(top, simd_load(x + i));
		top2 = simd_max(top2, simd_load(x + i + SIMD));
	}
	float max = simd_top(simd_max(top, top2));
	for (; i < n; i++)
		max = x[i] > max ? x[i] : max;
	return max;
}

/* x = exp(x - shift) * factor, or only its sum when !store. */
INLINE float exp_pass(float *x, int64_t n, float shift, float factor, bool store)
{
	vf sum = {0}, m = simd_set(shift), f = simd_set(factor);
	int64_t i = 0;
	for (; i + SIMD <= n; i += SIMD) {
		vf e = simd_exp(simd_load(x + i) - m);
		sum += e;
		if (store)
			simd_store(x + i, e * f);
	}
	if (i < n) {
		float lanes[SIMD];
		simd_store(lanes, simd_exp(simd_load_part(x + i, n - i) - m));
		for (int64_t j = n - i; j < SIMD; j++)
			lanes[j] = 0.0f;
		sum += simd_load(lanes);
		if (store)
			simd_store_part(x + i, simd_load(lanes) * f, n - i);
	}
	return simd_sum(sum);
}

void KERNEL(softmax)(float *x, int64_t ldx, int64_t rows, int64_t width)
{
	for (int64_t t = 0; t < rows; t++, x += ldx) {
		float sum = exp_pass(x, width, row_max(x, width), 1.0f, true);
		vf factor = simd_set(1.0f / sum);
		int64_t i = 0;
		for (; i + SIMD <= width; i += SIMD)
			simd_store(x + i, simd_load(x + i) * factor);
		for (; i < width; i++)
			x[i] *= factor[0];
	}
}

float KERNEL(cross_entropy)(float *logits, int64_t vocab, int32_t label, float scale, bool gradient)
{
	float max = row_max(logits, vocab), own = logits[label];
	float lse = max + logf(exp_pass(logits, vocab, max, 1.0f, false));
	if (gradient) {
		exp_pass(logits, vocab, lse, scale, true);
		logits[label] -= scale;
	}
	return lse - own;
}

/* --- bf16 copies, round to nearest even -------------------------------------------------------------------- */

void KERNEL(to_bf16)(const float *x, int64_t ldx, uint16_t *y, int64_t ldy, int64_t rows, int64_t width)
{
	for (int64_t t = 0; t < rows; t++)
		for (int64_t i = 0; i < width; i++) {
			uint32_t bits;
			memcpy(&bits, x + t * ldx + i, sizeof bits);
			y[t * ldy + i] = (uint16_t)((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
		}
}

void KERNEL(from_bf16)(const uint16_t *x, int64_t ldx, float *y, int64_t ldy, int64_t rows, int64_t width)
{
	for (int64_t t = 0; t < rows; t++)
		for (int64_t i = 0; i < width; i++) {
			uint32_t bits = (uint32_t)x[t * ldx + i] << 16;
			memcpy(y + t * ldy + i, &bits, sizeof bits);
		}
}

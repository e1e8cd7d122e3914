/* reference.c: every kernel of kernels.h as the plain loop over its formula, double precision inside. This is the law the
 * vector versions are compared with; it is also what runs when a level is missing in a test. Never tuned.
 */
#include "ops/kernels.h"

#include <math.h>
#include <string.h>

static void rms_norm(const float *x, int64_t ldx, const float *w, float *y, int64_t ldy, int64_t rows, int64_t width, int64_t d, float eps)
{
	for (int64_t t = 0; t < rows; t++)
		for (int64_t h = 0; h < width; h += d) {
			double square = 0;
			for (int64_t i = 0; i < d; i++)
				square += (double)x[t * ldx + h + i] * x[t * ldx + h + i];
			double r = 1.0 / sqrt(square / (double)d + eps);
			for (int64_t i = 0; i < d; i++)
				y[t * ldy + h + i] = (float)(x[t * ldx + h + i] * r * w[i]);
		}
}

static void rms_norm_backward(const float *x, int64_t ldx, const float *w, const float *dy, int64_t lddy, float *dx, int64_t lddx,
			      int64_t rows, int64_t width, int64_t d, float eps, bool accumulate)
{
	for (int64_t t = 0; t < rows; t++)
		for (int64_t h = 0; h < width; h += d) {
			double square = 0, dot = 0;
			for (int64_t i = 0; i < d; i++) {
				double xi = x[t * ldx + h + i];
				square += xi * xi;
				dot += xi * w[i] * dy[t * lddy + h + i];
			}
			double r = 1.0 / sqrt(square / (double)d + eps), c = r * r * r / (double)d * dot;
			for (int64_t i = 0; i < d; i++) {
				double g = r * w[i] * dy[t * lddy + h + i] - c * x[t * ldx + h + i];
				dx[t * lddx + h + i] = (float)(accumulate ? dx[t * lddx + h + i] + g : g);
			}
		}
}

static void rope(const float *x, int64_t ldx, const float *table, float *y, int64_t ldy, int64_t rows, int64_t width, int64_t d, int64_t dims, bool inverse)
{
	for (int64_t t = 0; t < rows; t++)
		for (int64_t h = 0; h < width; h += d) {
			const float *from = x + t * ldx + h;
			float *to = y + t * ldy + h;
			int64_t half = dims / 2;
			for (int64_t i = 0; i < half; i++) {
				double a = from[i], b = from[half + i], c = table[t * dims + i], s = table[t * dims + half + i];
				s = inverse ? -s : s;
				to[i] = (float)(a * c - b * s);
				to[half + i] = (float)(b * c + a * s);
			}
			for (int64_t i = dims; i < d; i++)
				to[i] = from[i];
		}
}

static void activate(bool gelu, double x, double *act, double *slope)
{
	const double c = 0.79788456080286535588;
	if (gelu) {
		double th = tanh(c * (x + 0.044715 * x * x * x));
		*act = 0.5 * x * (1.0 + th);
		*slope = 0.5 * (1.0 + th) + 0.5 * x * (1.0 - th * th) * c * (1.0 + 3.0 * 0.044715 * x * x);
	} else {
		double s = 1.0 / (1.0 + exp(-x));
		*act = x * s;
		*slope = s * (1.0 + x * (1.0 - s));
	}
}

static void glu(bool gelu, const float *gate, int64_t ldg, const float *up, int64_t ldu, float *out, int64_t ldo, int64_t rows, int64_t width)
{
	for (int64_t t = 0; t < rows; t++)
		for (int64_t i = 0; i < width; i++) {
			double act, slope;
			activate(gelu, gate[t * ldg + i], &act, &slope);
			out[t * ldo + i] = (float)(act * up[t * ldu + i]);
		}
}

static void glu_backward(bool gelu, const float *gate, int64_t ldg, const float *up, int64_t ldu, const float *dout, int64_t lddo,
			 float *dgate, int64_t lddg, float *dup, int64_t lddu, int64_t rows, int64_t width)
{
	for (int64_t t = 0; t < rows; t++)
		for (int64_t i = 0; i < width; i++) {
			double act, slope, g = dout[t * lddo + i], u = up[t * ldu + i];
			activate(gelu, gate[t * ldg + i], &act, &slope);
			dgate[t * lddg + i] = (float)(g * u * slope);
			dup[t * lddu + i] = (float)(g * act);
		}
}

static void add(const float *a, int64_t lda, const float *b, int64_t ldb, float *out, int64_t ldo, int64_t rows, int64_t width)
{
	for (int64_t t = 0; t < rows; t++)
		for (int64_t i = 0; i < width; i++)
			out[t * ldo + i] = a[t * lda + i] + b[t * ldb + i];
}

static double log_sum_exp(const float *x, int64_t n)
{
	double top = x[0], sum = 0;
	for (int64_t i = 1; i < n; i++)
		top = x[i] > top ? x[i] : top;
	for (int64_t i = 0; i < n; i++)
		sum += exp(x[i] - top);
	return top + log(sum);
}

static void softmax(float *x, int64_t ldx, int64_t rows, int64_t width)
{
	for (int64_t t = 0; t < rows; t++) {
		double lse = log_sum_exp(x + t * ldx, width);
		for (int64_t i = 0; i < width; i++)
			x[t * ldx + i] = (float)exp(x[t * ldx + i] - lse);
	}
}

static float cross_entropy(float *logits, int64_t vocab, int32_t label, float scale, bool gradient)
{
	double lse = log_sum_exp(logits, vocab), loss = lse - logits[label];
	for (int64_t i = 0; i < vocab && gradient; i++)
		logits[i] = (float)(scale * (exp(logits[i] - lse) - (i == label ? 1.0 : 0.0)));
	return (float)loss;
}

static void to_bf16(const float *x, int64_t ldx, uint16_t *y, int64_t ldy, int64_t rows, int64_t width)
{
	for (int64_t t = 0; t < rows; t++)
		for (int64_t i = 0; i < width; i++) {
			uint32_t bits;
			memcpy(&bits, x + t * ldx + i, sizeof bits);
			uint32_t low = bits & 0xFFFFu, high = bits >> 16;
			bool up = low > 0x8000u || (low == 0x8000u && (high & 1u));
			y[t * ldy + i] = (uint16_t)(high + up);
		}
}

static void from_bf16(const uint16_t *x, int64_t ldx, float *y, int64_t ldy, int64_t rows, int64_t width)
{
	for (int64_t t = 0; t < rows; t++)
		for (int64_t i = 0; i < width; i++) {
			uint32_t bits = (uint32_t)x[t * ldx + i] << 16;
			memcpy(y + t * ldy + i, &bits, sizeof bits);
		}
}

static void gemm(const struct gemm *g, int64_t b_row, int64_t b_col)
{
	for (int64_t i = 0; i < g->m; i++)
		for (int64_t j = 0; j < g->n; j++) {
			double sum = 0;
			for (int64_t k = 0; k < g->k; k++)
				sum += (double)g->a[i * g->a_row + k * g->a_col] * g->b[k * b_row + j * b_col];
			float *c = g->c + i * g->ldc + j;
			*c = (float)(g->alpha * sum + (g->accumulate ? *c : 0.0));
		}
}
static void gemm_nn(const struct gemm *g) { gemm(g, g->ldb, 1); }
static void gemm_nt(const struct gemm *g) { gemm(g, 1, g->ldb); }

static int64_t first_key(const struct attention_head *h, int64_t i) { return h->window && i - h->window + 1 > 0 ? i - h->window + 1 : 0; }

static double dot(const float *a, const float *b, int64_t n)
{
	double sum = 0;
	for (int64_t i = 0; i < n; i++)
		sum += (double)a[i] * b[i];
	return sum;
}

static double score(const struct attention_head *h, int64_t i, int64_t j) { return h->scale * dot(h->q + i * h->ldq, h->k + j * h->ldk, h->d); }

static void attention(const struct attention_head *h)
{
	for (int64_t i = 0; i < h->n; i++) {
		double top = -INFINITY, sum = 0;
		for (int64_t j = first_key(h, i); j <= i; j++)
			top = fmax(top, score(h, i, j));
		for (int64_t j = first_key(h, i); j <= i; j++)
			sum += exp(score(h, i, j) - top);
		double lse = top + log(sum);
		for (int64_t c = 0; c < h->d; c++) {
			double o = 0;
			for (int64_t j = first_key(h, i); j <= i; j++)
				o += exp(score(h, i, j) - lse) * h->v[j * h->ldv + c];
			h->o[i * h->ldo + c] = (float)o;
		}
		h->lse[i] = (float)lse;
	}
}

static void attention_backward(const struct attention_head *h)
{
	for (int64_t i = 0; i < h->n; i++)
		for (int64_t c = 0; c < h->d; c++)
			h->dq[i * h->lddq + c] = h->dk[i * h->lddk + c] = h->dv[i * h->lddv + c] = 0.0f;
	for (int64_t i = 0; i < h->n; i++) {
		const float *g = h->dout + i * h->lddo;
		double delta = dot(g, h->out + i * h->ldo, h->d);
		for (int64_t j = first_key(h, i); j <= i; j++) {
			double p = exp(score(h, i, j) - h->lse[i]);
			double ds = h->scale * p * (dot(g, h->v + j * h->ldv, h->d) - delta);
			for (int64_t c = 0; c < h->d; c++) {
				h->dq[i * h->lddq + c] += (float)(ds * h->k[j * h->ldk + c]);
				h->dk[j * h->lddk + c] += (float)(ds * h->q[i * h->ldq + c]);
				h->dv[j * h->lddv + c] += (float)(p * g[c]);
			}
		}
	}
}

const struct ops_kernels ops_kernels_reference = {
	.name = "reference",
	.rms_norm = rms_norm,
	.rms_norm_backward = rms_norm_backward,
	.rope = rope,
	.glu = glu,
	.glu_backward = glu_backward,
	.add = add,
	.softmax = softmax,
	.cross_entropy = cross_entropy,
	.to_bf16 = to_bf16,
	.from_bf16 = from_bf16,
	.gemm_nn = gemm_nn,
	.gemm_nt = gemm_nt,
	.attention = attention,
	.attention_backward = attention_backward,
};

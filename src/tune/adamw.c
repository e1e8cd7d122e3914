/* adamw.c: plain loops that the compiler vectorises. */
#include "tune/adamw.h"

#include <math.h>

void adamw_square_sums(const float *grad, size_t n, double *partial, struct worker w)
{
	int64_t from, to;
	worker_range(w, (int64_t)adamw_chunks(n), 1, &from, &to);
	for (int64_t c = from; c < to; c++) {
		size_t start = (size_t)c * ADAMW_CHUNK, end = start + ADAMW_CHUNK < n ? start + ADAMW_CHUNK : n;
		double lane[8] = {0}, sum = 0;
		for (size_t i = start; i < end; i++)
			lane[i & 7] += (double)grad[i] * grad[i];
		for (int i = 0; i < 8; i++)
			sum += lane[i];
		partial[c] = sum;
	}
}

double adamw_norm(const double *partial, size_t n)
{
	double sum = 0;
	for (size_t c = 0; c < adamw_chunks(n); c++)
		sum += partial[c];
	return sqrt(sum);
}

void adamw_apply(const struct adamw_step *s, struct worker w)
{
	int64_t from, to;
	worker_range(w, (int64_t)s->n, ADAMW_CHUNK, &from, &to);
	float clip = (float)s->clip, b1 = (float)s->beta1, b2 = (float)s->beta2, g1 = (float)(1.0 - s->beta1), g2 = (float)(1.0 - s->beta2);
	float keep = (float)(1.0 - s->lr * s->weight_decay), eps = (float)s->eps;
	float rate = (float)(s->lr / (1.0 - pow(s->beta1, (double)s->step))), root = (float)(1.0 / sqrt(1.0 - pow(s->beta2, (double)s->step)));
	float *restrict p = s->p, *restrict g = s->grad, *restrict m = s->m, *restrict v = s->v;
	for (int64_t i = from; i < to; i++) {
		float x = g[i] * clip;
		m[i] = b1 * m[i] + g1 * x;
		v[i] = b2 * v[i] + g2 * (x * x);
		p[i] = p[i] * keep - rate * m[i] / (sqrtf(v[i]) * root + eps);
		g[i] = 0.0f;
	}
}

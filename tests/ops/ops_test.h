/* ops_test.h: random buffers and comparisons for the op tests. */
#pragma once
#include "base/mem.h"
#include "base/random.h"
#include "ops/kernels.h"
#include <check.h>
#include <math.h>
#include <stdlib.h>

/* n normal numbers, a function of `key` only. */
static inline float *random_floats(uint64_t key, int64_t n, float scale)
{
	float *x = mem_array((size_t)n + 1, sizeof *x);
	for (int64_t i = 0; i < n; i++)
		x[i] = scale * random_normal(key, RANDOM_TEST, 0, (uint64_t)i);
	return x;
}

/* Largest |a - b| / (1 + |b|). */
static inline double worst_difference(const float *a, const float *b, int64_t n)
{
	double worst = 0;
	for (int64_t i = 0; i < n; i++) {
		double diff = fabs((double)a[i] - b[i]) / (1.0 + fabs((double)b[i]));
		if (!(diff <= worst))
			worst = diff;
	}
	return worst;
}

static inline double weighted_sum(const float *y, const float *weights, int64_t n)
{
	double sum = 0;
	for (int64_t i = 0; i < n; i++)
		sum += (double)y[i] * weights[i];
	return sum;
}

/* Checks `grad` against central differences of loss() along every `stride`-th element of x. */
static inline void check_gradient(const char *what, float *x, int64_t n, int64_t stride, const float *grad, double (*loss)(void *), void *arg)
{
	for (int64_t i = 0; i < n; i += stride) {
		float kept = x[i], h = 1e-2f;
		x[i] = kept + h;
		double up = loss(arg);
		x[i] = kept - h;
		double down = loss(arg);
		x[i] = kept;
		double expect = (up - down) / (2.0 * (double)h);
		ck_assert_msg(fabs(expect - grad[i]) <= 2e-3 * (1.0 + fabs(expect)), "%s: element %lld: gradient %g, finite difference %g", what,
			      (long long)i, (double)grad[i], expect);
	}
}

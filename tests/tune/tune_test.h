/* tune_test.h: what the training tests share: golden files, packing rows of a recorded batch, small checks. */
#pragma once
#include "base/mem.h"
#include "codec/json.h"
#include "tune/trainstep.h"
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SLOW_BUILD 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLOW_BUILD 1
#endif
#endif
#ifndef SLOW_BUILD
#define SLOW_BUILD 0
#endif

static inline const char *source_root(void)
{
	const char *root = getenv("KAITO_SOURCE_ROOT");
	return root ? root : ".";
}

#define must(call) ck_assert_msg((call) >= 0, "%s: %s", #call, err.message)

/* Sequences packed one after the other. */
struct packed { int32_t *ids, *labels, *positions, *segments; int32_t rows; };

static inline struct packed packed_new(int32_t rows_max)
{
	size_t n = (size_t)rows_max, size = sizeof(int32_t);
	return (struct packed){mem_array(n, size), mem_array(n, size), mem_array(n, size), mem_array(n, size), 0};
}
static inline void packed_done(struct packed *p)
{
	free(p->ids);
	free(p->labels);
	free(p->positions);
	free(p->segments);
}
static inline void packed_add(struct packed *p, const int32_t *ids, const int32_t *labels, int32_t n)
{
	int32_t start = p->rows;
	for (int32_t i = 0; i < n; i++, p->rows++) {
		p->ids[p->rows] = ids[i];
		p->labels[p->rows] = labels[i];
		p->positions[p->rows] = i;
		p->segments[p->rows] = start;
	}
}
static inline struct micro_batch packed_batch(const struct packed *p) { return (struct micro_batch){p->rows, p->ids, p->labels, p->positions, p->segments}; }

/* torch's AdamW defaults but the weight decay, no clipping: how the goldens were made. */
static const struct trainstep_adamw plain_adamw = {0.9, 0.999, 1e-8, 0.0, 0.0};

/* One update over one micro-batch; returns the mean loss. */
static inline double step_once(struct trainstep *t, const struct micro_batch *b, double lr, double *norm)
{
	struct err err = ERR_INIT;
	double sum = 0, ignored;
	int64_t n = trainstep_count_labels(b);
	must(trainstep_accumulate(t, b, n, &sum, &err));
	must(trainstep_update(t, lr, &plain_adamw, norm ? norm : &ignored, &err));
	return sum / (double)n;
}

static inline int run_suite(Suite *s)
{
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}

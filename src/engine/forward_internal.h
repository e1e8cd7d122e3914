/* forward_internal.h: the state that forward.c (memory, the walk over steps) and forward_steps.c (what each step does) share. */
#pragma once
#include "engine/forward.h"
#include "tensor/pool.h"

enum { FORWARD_FEW_ROWS = 8 };

/* One worker's private memory. */
struct lane {
	float *x;          /* [FORWARD_FEW_ROWS, input_width] prepared rows */
	void *prepared;
	float *low_rank;   /* [rows of one adapter, rank] with many rows */
	float *attention;
};

struct forward {
	const struct model *model;
	const struct kv_cache *kv;
	struct pool *pool;
	struct forward_options options;
	struct plan plans[2][2];       /* [shared_input][deltas] */
	float *buffers[PLAN_BUFFERS_MAX];
	float *shared_x;               /* [max_rows, input_width] */
	void *shared_prepared;
	struct lane *lanes;
	float *low_rank;               /* [LIN_COUNT, FORWARD_FEW_ROWS, rank] with few rows: A x, which workers share out by adapter */
	float *rope;                   /* [max_rows, rope_dims] */
	int32_t *positions;            /* [max_rows] */
	float *inv_freq[2], magnitude; /* short, long */
	float *head_x, *logits;        /* [max_samples, C], [max_samples, V] */
	void *head_prepared;
	struct arena arena;
	unsigned char *pages;
	size_t bytes;
};

/* One run as one worker sees it. */
struct walk {
	struct forward *f;
	const struct forward_job *job;
	const struct plan *plan;
	bool shared;               /* inputs are prepared together (many rows) */
	bool branches;             /* some row has an adapter */
	struct worker w, solo;     /* solo: all work of a collective function */
	struct lane *lane;
	struct mat_input input;    /* prepared by the last STEP_PREPARE */
	const struct mat *prepared_like; /* the product whose form it has, NULL: none yet */
	int32_t layer;
};

void forward_step_prepare(struct walk *k, const struct step *s);
void forward_step_linear(struct walk *k, const struct step *s);
void forward_step_delta(struct walk *k, const struct step *s);
void forward_step_keys(struct walk *k, const struct step *s);
void forward_step_attention(struct walk *k, const struct step *s);

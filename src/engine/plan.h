/* plan.h: a layer program lowered to steps that threads can run with few barriers.
 *
 * Pointwise ops disappear into their neighbours: a norm or a gated unit happens while the input of the next products is prepared,
 * per-head norms and rotary embedding happen when keys are stored, a residual addition is a product that accumulates.
 * Values share storage where the program allows it (views, residual stream). Each step knows which buffers it reads and
 * writes, and from that the plan decides where workers must meet. Immutable after plan_build.
 */
#pragma once
#include "model/model.h"

enum step_kind {
	STEP_PREPARE,    /* input := norm(a) | glu(a, b) | a, in the form the products want */
	STEP_LINEAR,     /* out (+)= input · Wᵀ; with few rows also what STEP_DELTA does, on the worker's own columns */
	STEP_DELTA,      /* out += bias + scale * B (A input), per row's adapter */
	STEP_KEYS,       /* q, k := rope(norm(.)); k, v -> cache */
	STEP_ATTENTION   /* out = attention(q, cache) */
};

/* Where a value lives: columns [offset, offset + width) of a buffer. */
struct view { int8_t buffer; int32_t offset, width; };

struct step {
	enum step_kind kind;
	bool barrier;               /* workers meet before it */
	enum op_kind prepare;       /* PREPARE: OP_RMS_NORM, OP_GLU, or OP_ADD for "as it is" */
	struct view a, b, c, out;   /* KEYS: q, k, v */
	int8_t vector, vector_b;    /* PREPARE: norm weight; LINEAR, DELTA: bias; KEYS: q's and k's norm; -1: none */
	int8_t linear;
	bool accumulate;
	bool rope_a, rope_b;        /* KEYS */
};

enum { PLAN_STEPS_MAX = 2 * PROGRAM_OPS_MAX, PLAN_BUFFERS_MAX = 12 };
struct plan {
	struct step steps[PLAN_STEPS_MAX];
	int32_t n_steps;
	int32_t widths[PLAN_BUFFERS_MAX]; /* buffer 0 is the residual stream, in and out of the layer */
	int32_t n_buffers;
	int32_t input_width;              /* widest prepared input */
};

/* shared_input: workers split the preparation and share its result (many rows), else each prepares all rows for itself (few
 * rows). deltas: with shared input, emit STEP_DELTA after every product, not only after those with a bias. */
struct plan_options { bool shared_input, deltas; };
WARN_UNUSED int plan_build(struct plan *plan, const struct model *m, struct plan_options options, struct err *err);

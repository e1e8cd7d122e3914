/* trainstep.h: one training step on one machine: forward, loss, backward, clipping, AdamW over a frozen base with LoRA.
 *
 * The object owns a single block of memory that is planned, reported in bytes, then allocated once. The layer program of
 * model.h is walked forwards and backwards by all workers of a pool together.
 *
 *     trainstep_new → for each update: { trainstep_accumulate for each micro-batch; trainstep_update } → trainstep_free
 *
 * Rows. A micro-batch is a list of rows (tokens) without padding; sequences are packed one after the other and never see
 * each other: row i attends to rows segments[i]..i. Labels are aligned with ids, as in transformers (labels[i] == ids[i], or
 * TRAIN_IGNORE): row i predicts labels[i + 1] when row i + 1 belongs to the same segment. The step does the shift.
 * Loss = sum of the token losses / n_items, where n_items is the number of predicted labels of ALL micro-batches of the
 * update (trainstep_count_labels, summed by the caller): the num_items_in_batch rule of transformers.
 *
 * Determinism: the same binary, ISA level and thread count give the same bits; a checkpoint of (p, m, v, steps) taken
 * between updates resumes bit for bit, dropout included (its random numbers are keyed by seed, update, micro-batch, layer, slot and element).
 * Owner: one thread.
 */
#pragma once
#include "tune/lora_train.h"

#define TRAIN_IGNORE (-100)

struct trainstep_options {
	enum compute compute;     /* COMPUTE_F32: exact. COMPUTE_FAST: reduced-precision products with the frozen weights; activations kept in bf16 */
	int32_t max_rows;         /* tokens of the largest micro-batch */
	int32_t max_length;       /* longest sequence (decides the long-rope factors); 0: max_rows */
	bool checkpoint_all;      /* keep only each layer's input and recompute the rest (gradient_checkpointing: true) */
	size_t memory_budget_bytes; /* for the planned block; layers fall back to recomputing from their input until it fits. 0: keep what is worth keeping */
};
struct trainstep_adamw { double beta1, beta2, eps, weight_decay, max_grad_norm; }; /* max_grad_norm 0: no clipping */

struct trainstep_plan {     /* bytes */
	size_t parameters, optimizer, kept, workspace, head, total;
	int32_t layers_kept, layers; /* layers whose inner activations are kept */
};

struct micro_batch {
	int32_t rows;
	const int32_t *ids, *labels; /* [rows] */
	const int32_t *positions;    /* [rows] rope positions, 0-based within the sequence */
	const int32_t *segments;     /* [rows] index of the first row of this row's sequence */
};

struct trainstep;
/* The model and the pool are borrowed and must outlive the step. `init` (may be NULL) gives ranks, scales and start values. */
WARN_UNUSED int trainstep_new(struct trainstep **out, const struct model *m, struct pool *pool, const struct trainstep_options *o,
			      const struct lora_options *lora, const struct adapter *init, struct err *err);
void trainstep_free(struct trainstep *t);
const struct trainstep_plan *trainstep_plan(const struct trainstep *t);
struct lora *trainstep_lora(struct trainstep *t);  /* parameters and moments: to export, checkpoint and restore */

int64_t trainstep_count_labels(const struct micro_batch *b);
/* Adds this micro-batch's part of the gradient. *loss_sum: sum (not mean) of the token losses; divide the update's sum by n_items.
 * ERR_LIMIT: too many rows; ERR_DATA: ids out of the vocabulary; ERR_DIVERGED: the loss is not finite (gradients are then cleared). */
WARN_UNUSED int trainstep_accumulate(struct trainstep *t, const struct micro_batch *b, int64_t n_items, double *loss_sum, struct err *err);
/* Clips by global norm, applies AdamW with this learning rate, clears the gradients. *grad_norm: before clipping. ERR_DIVERGED: not finite. */
WARN_UNUSED int trainstep_update(struct trainstep *t, double lr, const struct trainstep_adamw *a, double *grad_norm, struct err *err);
/* Loss without gradient or dropout. */
WARN_UNUSED int trainstep_evaluate(struct trainstep *t, const struct micro_batch *b, double *loss_sum, int64_t *labels, struct err *err);

/* layout.h: which examples stand in which micro-batch of which update. Nothing here has state: the order of an epoch is a function of
 * the seed and the epoch's number, so the position in the data is the number of updates made, and resuming needs no more than that.
 *
 * A unit is what the batch size counts: one example, or (packing) one row filled with several. The split into training
 * and evaluation rows, the packing and every epoch's order come from counter-based random numbers (base/random.h). */
#pragma once
#include "tune/examples.h"

enum packing { PACKING_NONE, PACKING_BEST_FIT, PACKING_SPLIT, PACKING_WRAPPED };

struct unit_part { int64_t example; int32_t from, to; };  /* tokens [from, to) of an example */
struct units {
	struct unit_part *parts;
	int64_t *first;             /* [count + 1]: parts of unit u are first[u] .. first[u + 1] - 1 */
	int64_t count;
	bool joined;                /* the parts of a unit are one sequence (wrapped), else they do not see each other */
	int32_t longest;            /* tokens of the longest unit */
	int32_t longest_sequence;   /* tokens of the longest sequence inside a unit */
};
/* Splits examples 0 .. count-1: *train and *eval (the caller frees) get example numbers. share in (0, 1]; shuffle: in random order. */
WARN_UNUSED int layout_split(int64_t count, double share, bool shuffle, uint64_t seed, int64_t **train, int64_t *n_train, int64_t **eval,
			     int64_t *n_eval, struct err *err);
/* max_length: tokens of a packed row. */
WARN_UNUSED int units_build(struct units *u, const struct examples *e, const int64_t *list, int64_t n, enum packing packing, int32_t max_length,
			    struct err *err);
int32_t units_length(const struct units *u, int64_t unit);
/* Tokens of the `batch` longest units: no micro-batch has more. */
int64_t units_max_tokens(const struct units *u, int64_t batch);
void units_done(struct units *u);

struct plan {
	int64_t units, batch, accumulation;   /* units of an epoch, of a micro-batch; micro-batches of an update */
	bool drop_last, random;
	uint64_t seed;
	double epochs;
	int64_t max_steps;                    /* positive: overrides epochs */
	/* Derived by plan_finish. */
	int64_t batches_per_epoch, updates_per_epoch, total_updates;
};
void plan_finish(struct plan *p);
struct plan_position { int64_t epoch, first_batch, n_batches; }; /* micro-batches of one update, numbered within the epoch */
struct plan_position plan_update(const struct plan *p, int64_t update);
/* Epochs done after `updates`, with the fraction. */
double plan_epoch_after(const struct plan *p, int64_t updates);
/* order[units]: the units of an epoch in order. */
void plan_order(const struct plan *p, int64_t epoch, int64_t *order);

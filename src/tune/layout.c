/* layout.c: split, order and the arithmetic of epochs, as transformers' Trainer counts them (an epoch's last update may have
 * fewer micro-batches). Packing is in packing.c. */
#include "tune/layout.h"

#include "base/random.h"
#include <math.h>

static void shuffle(int64_t *list, int64_t n, uint64_t seed, enum random_stream stream, uint64_t high)
{
	for (int64_t i = n - 1; i > 0; i--) {
		int64_t j = (int64_t)random_below(seed, stream, high, (uint64_t)i, (uint64_t)i + 1);
		int64_t swap = list[i];
		list[i] = list[j];
		list[j] = swap;
	}
}

int layout_split(int64_t count, double share, bool random, uint64_t seed, int64_t **train, int64_t *n_train, int64_t **eval, int64_t *n_eval,
		 struct err *err)
{
	/* As scikit-learn rounds: the held-out part up. */
	int64_t held = share >= 1 ? 0 : (int64_t)ceil((double)count * (1 - share) - 1e-9);
	if (held >= count)
		return err_set(err, ERR_DATA, "%lld rows split by %g leave none to train on: raise DatasetConfig.train_test_split", (long long)count, share);
	int64_t *list = mem_try_alloc((size_t)count, sizeof *list, err);
	if (!list)
		return -1;
	for (int64_t i = 0; i < count; i++)
		list[i] = i;
	if (random || held)
		shuffle(list, count, seed, RANDOM_SPLIT, 0);
	*n_train = count - held;
	*n_eval = held;
	*eval = mem_array((size_t)held, sizeof **eval);
	if (held)
		memcpy(*eval, list + *n_train, (size_t)held * sizeof **eval);
	*train = list;
	return 0;
}

int32_t units_length(const struct units *u, int64_t unit)
{
	int32_t n = 0;
	for (int64_t p = u->first[unit]; p < u->first[unit + 1]; p++)
		n += u->parts[p].to - u->parts[p].from;
	return n;
}

static int longest_first(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
	return (x < y) - (x > y);
}

int64_t units_max_tokens(const struct units *u, int64_t batch)
{
	CLEANUP(mem_freep) int32_t *lengths = mem_array((size_t)u->count + 1, sizeof *lengths);
	int64_t sum = 0;
	for (int64_t i = 0; i < u->count; i++)
		lengths[i] = units_length(u, i);
	qsort(lengths, (size_t)u->count, sizeof *lengths, longest_first);
	for (int64_t i = 0; i < batch && i < u->count; i++)
		sum += lengths[i];
	return sum;
}

void units_done(struct units *u)
{
	free(u->parts);
	free(u->first);
	*u = (struct units){0};
}

static int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

void plan_finish(struct plan *p)
{
	p->batches_per_epoch = p->drop_last ? p->units / p->batch : divide_up(p->units, p->batch);
	if (p->batches_per_epoch == 0)
		p->batches_per_epoch = 1;
	p->updates_per_epoch = divide_up(p->batches_per_epoch, p->accumulation);
	p->total_updates = p->max_steps > 0 ? p->max_steps : (int64_t)ceil(p->epochs * (double)p->updates_per_epoch);
	if (p->total_updates < 1)
		p->total_updates = 1;
}

struct plan_position plan_update(const struct plan *p, int64_t update)
{
	struct plan_position at = {.epoch = update / p->updates_per_epoch, .first_batch = update % p->updates_per_epoch * p->accumulation};
	int64_t left = p->batches_per_epoch - at.first_batch;
	at.n_batches = left < p->accumulation ? left : p->accumulation;
	return at;
}

double plan_epoch_after(const struct plan *p, int64_t updates)
{
	int64_t whole = updates / p->updates_per_epoch, batches = updates % p->updates_per_epoch * p->accumulation;
	return (double)whole + (double)batches / (double)p->batches_per_epoch;
}

void plan_order(const struct plan *p, int64_t epoch, int64_t *order)
{
	for (int64_t i = 0; i < p->units; i++)
		order[i] = i;
	if (p->random)
		shuffle(order, p->units, p->seed, RANDOM_SHUFFLE, (uint64_t)epoch);
}

/* pool.h: a persistent fork-join thread pool with a spinning barrier.
 * pool_run makes every worker (the caller is worker 0) call fn(arg, worker); it returns when all are done.
 * Work is split statically by worker number, so results do not depend on timing (determinism rule,
 * ARCHITECTURE.md). Only one thread may call pool_run at a time. */
#pragma once
#include "base/err.h"
#include <stdint.h>

struct pool;
struct worker {
	int index, count;
	struct pool *pool;
}; /* passed by value into every collective function */

WARN_UNUSED int pool_new(struct pool **out, int threads, struct err *err); /* threads 0: the CPUs this process may use */
void pool_free(struct pool *pool);
int pool_threads(const struct pool *pool);
void pool_run(struct pool *pool, void (*fn)(void *arg, struct worker w), void *arg);
/* All workers of the running pool_run meet here. Spins briefly, then yields (shared CPUs), so that a neighbour cannot stall us. */
void pool_barrier(struct worker w);
/* This worker's share [*from, *to) of n items, in whole units of `unit` items. */
static inline void worker_range(struct worker w, int64_t n, int64_t unit, int64_t *from, int64_t *to)
{
	int64_t units = (n + unit - 1) / unit;
	int64_t a = units * w.index / w.count * unit, b = units * (w.index + 1) / w.count * unit;
	*from = a < n ? a : n;
	*to = b < n ? b : n;
}

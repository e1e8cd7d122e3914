/* The thread pool. Every wait is on a gate: a counter that someone else advances. A waiter spins (the usual
 * case: tens of microseconds between steps), then yields (a neighbour wants the CPU), then sleeps in the
 * kernel (the server is idle). All ordering is by the atomics; the futex only parks. */
#include "tensor/pool.h"
#include "base/mem.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SPIN_ROUNDS = 4000, YIELD_ROUNDS = 2000, THREADS_MAX = 256 };

/* On its own cache line, so that spinning on one gate does not slow another. */
struct gate {
	_Alignas(64) _Atomic uint32_t value;
	_Atomic uint32_t sleepers;
};

struct pool {
	struct gate start, done, barrier;                    /* advanced by: pool_run, the last worker of a run, the last at a barrier */
	_Alignas(64) _Atomic int running;                    /* workers still inside fn */
	_Alignas(64) _Atomic int waiting;                    /* workers that reached the current barrier */
	_Alignas(64) void (*fn)(void *arg, struct worker w); /* written by pool_run before start advances */
	void *arg;
	bool stop;
	int count, started;
	pthread_t threads[];
};

static inline void cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static void gate_advance(struct gate *g)
{
	atomic_fetch_add(&g->value, 1);
	if (atomic_load(&g->sleepers) != 0)
		syscall(SYS_futex, &g->value, FUTEX_WAKE_PRIVATE, THREADS_MAX, NULL, NULL, 0);
}

static uint32_t gate_value(struct gate *g) { return atomic_load_explicit(&g->value, memory_order_acquire); }

/* Returns when the gate has left `seen`. */
static void gate_wait(struct gate *g, uint32_t seen)
{
	for (int i = 0; i < SPIN_ROUNDS; i++) {
		if (gate_value(g) != seen)
			return;
		cpu_relax();
	}
	for (int i = 0; i < YIELD_ROUNDS; i++) {
		if (gate_value(g) != seen)
			return;
		sched_yield();
	}
	atomic_fetch_add(&g->sleepers, 1);
	while (atomic_load(&g->value) == seen)
		syscall(SYS_futex, &g->value, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
	atomic_fetch_sub(&g->sleepers, 1);
}

static void finish(struct pool *pool)
{
	if (atomic_fetch_sub(&pool->running, 1) == 1)
		gate_advance(&pool->done);
}

static void *worker_main(void *arg)
{
	struct worker w = *(struct worker *)arg;
	struct pool *pool = w.pool;
	free(arg);
	for (uint32_t seen = 0;; seen++) {
		gate_wait(&pool->start, seen);
		if (pool->stop)
			return NULL;
		pool->fn(pool->arg, w);
		finish(pool);
	}
}

/* A container's CPU quota ("200000 100000" microseconds per period), rounded up; 0 when there is none. */
static int quota_cpus(void)
{
	long long quota, period;
	FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
	if (!f)
		return 0;
	int fields = fscanf(f, "%lld %lld", &quota, &period);
	fclose(f);
	if (fields != 2 || quota <= 0 || period <= 0)
		return 0;
	long long cpus = (quota + period - 1) / period;
	return cpus > THREADS_MAX ? THREADS_MAX : (int)cpus;
}

static int usable_cpus(void)
{
	cpu_set_t set;
	int cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
	int quota = quota_cpus();
	if (quota > 0 && quota < cpus)
		cpus = quota;
	return cpus > THREADS_MAX ? THREADS_MAX : cpus;
}

static int start_threads(struct pool *pool, struct err *err)
{
	for (int i = 1; i < pool->count; i++) {
		struct worker *w = mem_alloc(sizeof *w);
		*w = (struct worker){i, pool->count, pool};
		int e = pthread_create(&pool->threads[i], NULL, worker_main, w);
		if (e != 0) {
			free(w);
			return err_set_errno(err, ERR_NO_MEMORY, e, "start thread %d of the compute pool; lower the number of threads", i);
		}
		pool->started = i + 1;
	}
	return 0;
}

int pool_new(struct pool **out, int threads, struct err *err)
{
	int count = threads == 0 ? usable_cpus() : threads;
	if (count < 1 || count > THREADS_MAX)
		return err_set(err, ERR_USAGE, "%d threads asked for; give 1 to %d, or 0 for all CPUs", threads, THREADS_MAX);
	size_t bytes = sizeof(struct pool) + (size_t)count * sizeof(pthread_t);
	struct pool *pool = aligned_alloc(64, (bytes + 63) / 64 * 64);
	if (!pool)
		return err_set(err, ERR_NO_MEMORY, "no memory for a pool of %d threads", count);
	memset(pool, 0, bytes);
	pool->count = count;
	if (start_threads(pool, err) < 0) {
		pool_free(pool);
		return -1;
	}
	*out = pool;
	return 0;
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	pool->stop = true;
	gate_advance(&pool->start);
	for (int i = 1; i < pool->started; i++)
		pthread_join(pool->threads[i], NULL);
	free(pool);
}

int pool_threads(const struct pool *pool) { return pool->count; }

void pool_run(struct pool *pool, void (*fn)(void *arg, struct worker w), void *arg)
{
	if (pool->count == 1) {
		fn(arg, (struct worker){0, 1, pool});
		return;
	}
	uint32_t done = gate_value(&pool->done);
	pool->fn = fn;
	pool->arg = arg;
	atomic_store_explicit(&pool->running, pool->count, memory_order_relaxed);
	gate_advance(&pool->start);
	fn(arg, (struct worker){0, pool->count, pool});
	finish(pool);
	gate_wait(&pool->done, done);
}

void pool_barrier(struct worker w)
{
	if (w.count == 1)
		return;
	struct pool *pool = w.pool;
	uint32_t seen = gate_value(&pool->barrier);
	if (atomic_fetch_add(&pool->waiting, 1) == w.count - 1) {
		atomic_store_explicit(&pool->waiting, 0, memory_order_relaxed);
		gate_advance(&pool->barrier);
	} else {
		gate_wait(&pool->barrier, seen);
	}
}

/* tune_step.c: speed and memory of a LoRA update: forward, backward and AdamW over SmolLM2-135M or any other model.
 *
 *     tune_step MODEL [--threads N] [--rows N] [--batches N] [--modules all|qv] [--steps N] [--exact] [--checkpoint] [--budget MB]
 *
 * One line a configuration: tokens/s (median and best), the planned memory and this process's peak. Each configuration runs
 * in a child of its own, so that peaks do not mix. Without --batches and --modules: batch 1 and 4, all seven modules and q + v.
 */
#include "base/clock.h"
#include "base/random.h"
#include "tune/trainstep.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS_MAX 64

struct setup { const char *model; int threads, rows, batches, steps; bool all, exact, checkpoint; long budget_mb; };

static const struct { const char *name; int offset; } numbers[] = {
	{"--threads", offsetof(struct setup, threads)}, {"--rows", offsetof(struct setup, rows)}, {"--batches", offsetof(struct setup, batches)}, {"--steps", offsetof(struct setup, steps)}};

static int fail(const struct err *err)
{
	fprintf(stderr, "tune_step: %s\n", err->message);
	return 1;
}

/* Sequences of text-like ids: all different, all labelled. */
static void fill(const struct setup *s, int32_t vocab, int32_t *ids, int32_t *positions, int32_t *segments)
{
	for (int i = 0; i < s->rows * s->batches; i++) {
		ids[i] = (int32_t)random_below(7, RANDOM_TEST, 0, (uint64_t)i, (uint64_t)vocab);
		positions[i] = i % s->rows;
		segments[i] = i / s->rows * s->rows;
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static int measure(const struct setup *s, struct trainstep *t, const struct micro_batch *b, struct err *err)
{
	double seconds[STEPS_MAX], loss = 0, norm = 0;
	for (int i = 0; i < s->steps; i++) {
		int64_t start = clock_now_ns();
		if (trainstep_accumulate(t, b, trainstep_count_labels(b), &loss, err) < 0 ||
		    trainstep_update(t, 1e-4, &(struct trainstep_adamw){0.9, 0.999, 1e-8, 0.0, 1.0}, &norm, err) < 0)
			return -1;
		seconds[i] = (double)(clock_now_ns() - start) * 1e-9;
	}
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	const struct trainstep_plan *p = trainstep_plan(t);
	qsort(seconds, (size_t)s->steps, sizeof *seconds, by_value);
	printf("%s %s batch %d x %d, %d threads: %.0f tok/s (best %.0f), peak %ld MB; planned %zu MB = parameters %zu + optimizer %zu + kept %zu (%d of %d layers) + workspace %zu + head %zu\n",
	       s->all ? "all7" : "q+v", s->exact ? "f32" : "fast", s->batches, s->rows, s->threads, b->rows / seconds[s->steps / 2], b->rows / seconds[0], usage.ru_maxrss / 1024,
	       p->total >> 20, p->parameters >> 20, p->optimizer >> 20, p->kept >> 20, p->layers_kept, p->layers, p->workspace >> 20, p->head >> 20);
	return 0;
}

static int run_model(const struct setup *s, const struct model *m, struct pool *pool, struct err *err)
{
	size_t rows = (size_t)(s->rows * s->batches);
	int32_t *ids = mem_array(rows * 3, sizeof *ids);
	fill(s, m->config.vocab, ids, ids + rows, ids + 2 * rows);
	struct micro_batch b = {.rows = (int32_t)rows, .ids = ids, .labels = ids, .positions = ids + rows, .segments = ids + 2 * rows};
	struct trainstep_options o = {.compute = s->exact ? COMPUTE_F32 : COMPUTE_FAST, .max_rows = b.rows, .max_length = s->rows, .checkpoint_all = s->checkpoint,
				      .memory_budget_bytes = (size_t)s->budget_mb << 20};
	struct lora_options lora = {.slots = s->all ? UINT32_MAX : 1u << LIN_Q | 1u << LIN_V | 1u << LIN_QKV, .rank = 8, .alpha = 16, .seed = 1};
	struct trainstep *t;
	int status = trainstep_new(&t, m, pool, &o, &lora, NULL, err);
	if (status == 0) {
		status = measure(s, t, &b, err);
		trainstep_free(t);
	}
	free(ids);
	return status;
}

static int run(const struct setup *s)
{
	struct err err = ERR_INIT;
	struct model *m;
	struct pool *pool;
	if (model_open(&m, s->model, &err) < 0)
		return fail(&err);
	if (pool_new(&pool, s->threads, &err) < 0)
		return fail(&err);
	int status = run_model(s, m, pool, &err);
	pool_free(pool);
	model_close(m);
	return status < 0 ? fail(&err) : 0;
}

static int run_child(struct setup s)
{
	int status = 1;
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		status = run(&s);
		fflush(stdout);
		_exit(status);
	}
	waitpid(child, &status, 0);
	return status;
}

static int parse(struct setup *s, int argc, char **argv, bool *modules_given)
{
	for (int i = 2; i < argc; i++) {
		bool known = true, has_value = i + 1 < argc;
		if (strcmp(argv[i], "--exact") == 0)
			s->exact = true;
		else if (strcmp(argv[i], "--checkpoint") == 0)
			s->checkpoint = true;
		else if (strcmp(argv[i], "--budget") == 0 && has_value)
			s->budget_mb = strtol(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--modules") == 0 && has_value)
			*modules_given = true, s->all = strcmp(argv[++i], "all") == 0;
		else
			known = false;
		for (size_t k = 0; !known && has_value && k < sizeof numbers / sizeof *numbers; k++)
			if (strcmp(argv[i], numbers[k].name) == 0) {
				*(int *)(void *)((char *)s + numbers[k].offset) = (int)strtol(argv[++i], NULL, 10);
				known = true;
				break;
			}
		if (!known) {
			fprintf(stderr, "tune_step: unknown or incomplete option '%s'\n", argv[i]);
			return -1;
		}
	}
	return s->steps < 1 || s->steps > STEPS_MAX || s->rows < 2 ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct setup s = {.threads = 2, .rows = 512, .steps = 5, .all = true};
	bool modules = false;
	if (argc < 2 || parse(&s, argc, argv, &modules) < 0) {
		fprintf(stderr, "usage: tune_step MODEL [--threads N] [--rows N] [--batches N] [--modules all|qv] [--steps 1..%d] [--exact] [--checkpoint] [--budget MB]\n", STEPS_MAX);
		return 2;
	}
	s.model = argv[1];
	int status = 0;
	for (int qv = 0; qv < (modules ? 1 : 2); qv++)
		for (int batches = 1; batches <= (s.batches ? 1 : 4); batches += 3) {
			struct setup one = s;
			one.batches = s.batches ? s.batches : batches;
			one.all = modules ? s.all : qv == 0;
			status |= run_child(one);
		}
	return status ? 1 : 0;
}

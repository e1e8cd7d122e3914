/* cmd_bench.c: `kaito bench`: medians of this build on this machine, with the physical limit beside each. Decoding cannot read the
 * weights faster than memory gives them; a prompt cannot be multiplied faster than the integer units allow. */
#include "cmd/bench_limits.h"
#include "cmd/bench_runs.h"
#include "cmd/command.h"
#include "cmd/flags.h"

#include "base/clock.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>

#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { SEQUENCES = 8, ROUNDS_MAX = 21 };
struct options { const char *model; int64_t threads, rounds; bool json; };

/* One line of the table. */
struct row { const char *name, *unit; double value, limit; const char *limit_name; };
struct table { struct row rows[16]; size_t n; };

static void add(struct table *t, struct row row)
{
	t->rows[t->n++] = row;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *values, int64_t n)
{
	qsort(values, (size_t)n, sizeof *values, by_value);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* --- a whole process ------------------------------------------------------------------------------------------------- */

/* About 37 tokens in the vocabularies of the models we serve. */
#define PROMPT "The capital of France is a city that many people visit every year, because of its museums, its food, its river and the way the light falls on the old stone houses"

struct process { double first_token_ms, rss_mb; };

static int spawn(const struct options *o, int out_fd, pid_t *pid, struct err *err)
{
	char threads[32];
	snprintf(threads, sizeof threads, "%lld", (long long)o->threads);
	char *argv[] = {"kaito", "generate", "--model", (char *)o->model, "--prompt", PROMPT, "--max-tokens", "1", "--max-model-len", "1024", "--threads", threads, "--json", NULL};
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
	int rc = posix_spawn(pid, "/proc/self/exe", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return rc == 0 ? 0 : err_set_errno(err, ERR_INTERNAL, rc, "start a process of our own");
}

/* Time until the answer can be read, and what the process says about its memory. */
static int run_process(const struct options *o, struct process *out, struct err *err)
{
	int fds[2], status = 0;
	char text[4096];
	size_t len = 0;
	pid_t pid;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set_errno(err, ERR_INTERNAL, errno, "make a pipe");
	int64_t start = clock_now_ns();
	int rc = spawn(o, fds[1], &pid, err);
	close(fds[1]);
	for (ssize_t n; rc == 0 && (n = read(fds[0], text + len, sizeof text - len)) > 0;)
		len += (size_t)n;
	out->first_token_ms = (double)(clock_now_ns() - start) / 1e6;
	close(fds[0]);
	if (rc < 0)
		return -1;
	waitpid(pid, &status, 0);
	json_t *j = json_loadb(text, len, 0, NULL);
	out->rss_mb = (double)json_integer_value(json_object_get(j, "peak_rss_bytes")) / 1e6;
	rc = j ? 0 : err_set(err, ERR_INTERNAL, "the measured process failed (exit code %d)", WEXITSTATUS(status));
	json_decref(j);
	return rc;
}

static int measure_process(const struct options *o, struct table *t, struct err *err)
{
	double ms[ROUNDS_MAX], mb[ROUNDS_MAX];
	for (int64_t i = 0; i < o->rounds; i++) {
		struct process p;
		if (run_process(o, &p, err) < 0)
			return -1;
		ms[i] = p.first_token_ms;
		mb[i] = p.rss_mb;
	}
	add(t, (struct row){.name = "process start to first token, 37-token prompt", .unit = "ms", .value = median(ms, o->rounds)});
	add(t, (struct row){.name = "peak resident memory of that process", .unit = "MB", .value = median(mb, o->rounds)});
	return 0;
}

/* --- inside one engine ------------------------------------------------------------------------------------------------ */

struct decode_case { const char *name; int32_t sequences, prompt; const int32_t *adapters; };

static double decode_median(struct bench_runs *b, const struct options *o, const struct decode_case *c)
{
	double v[ROUNDS_MAX];
	for (int64_t i = 0; i < o->rounds; i++)
		v[i] = bench_decode(b, c->sequences, c->prompt, 128, c->adapters);
	return median(v, o->rounds);
}

static double linear_weights(const struct model *m)
{
	double sum = 0;
	for (int32_t layer = 0; layer < m->config.layers; layer++)
		for (int slot = 0; slot < LIN_COUNT; slot++)
			sum += (double)m->layers[layer].linear[slot].rows * (double)m->layers[layer].linear[slot].cols;
	return sum;
}

static int measure_engine(struct bench_runs *b, const struct model *m, const struct options *o, const struct bench_limits *limits, struct table *t, struct err *err)
{
	static const enum linear_slot few[] = {LIN_Q, LIN_V}, all[] = {LIN_Q, LIN_K, LIN_V, LIN_QKV, LIN_O, LIN_GATE, LIN_UP, LIN_GATE_UP, LIN_DOWN};
	int32_t two[SEQUENCES], seven[SEQUENCES];
	struct engine_stats stats;
	double v[ROUNDS_MAX];
	if (bench_adapters(b, m, "qv", few, sizeof few / sizeof few[0], SEQUENCES, two, err) < 0 ||
	    bench_adapters(b, m, "all", all, sizeof all / sizeof all[0], SEQUENCES, seven, err) < 0)
		return -1;
	engine_stats(b->engine, &stats);
	double per_token = limits->read_gb_s * 1e9 / (double)stats.weight_bytes, prefill = limits->int8_tops * 1e12 / (2 * linear_weights(m));
	bench_prefill(b, 512);
	for (int64_t i = 0; i < o->rounds; i++)
		v[i] = bench_prefill(b, 512);
	add(t, (struct row){"prefill, 512 tokens", "tok/s", median(v, o->rounds), prefill, "int8 units"});
	const struct decode_case cases[] = {
		{"decode, 1 sequence", 1, 8, NULL},
		{"decode, 8 sequences", SEQUENCES, 128, NULL},
		{"decode, 8 sequences, 8 adapters (q, v)", SEQUENCES, 128, two},
		{"decode, 8 sequences, 8 adapters (all linear)", SEQUENCES, 128, seven},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		add(t, (struct row){cases[i].name, "tok/s", decode_median(b, o, &cases[i]), per_token * cases[i].sequences, "memory read"});
	return 0;
}

static int measure(const struct options *o, const struct bench_limits *limits, struct table *t, struct err *err)
{
	struct model *m;
	if (model_open(&m, o->model, err) < 0)
		return -1;
	struct engine_options eo = {.threads = (int)o->threads, .compute = COMPUTE_FAST, .max_sequences = SEQUENCES, .max_model_len = m->config.context < 1024 ? 0 : 1024};
	struct bench_runs b = {.vocab = m->config.vocab};
	int rc = engine_new(&b.engine, m, NULL, &eo, err);
	if (rc == 0) {
		rc = measure_engine(&b, m, o, limits, t, err);
		engine_free(b.engine);
	}
	model_close(m);
	return rc;
}

/* --- output ----------------------------------------------------------------------------------------------------------------- */

static void print_table(const struct table *t, const struct bench_limits *limits)
{
	printf("memory read %.1f GB/s, int8 %.2f TOP/s\n\n%-46s %12s %16s\n", limits->read_gb_s, limits->int8_tops, "", "measured", "limit");
	for (size_t i = 0; i < t->n; i++) {
		const struct row *r = &t->rows[i];
		printf("%-46s %8.1f %-6s", r->name, r->value, r->unit);
		if (r->limit > 0)
			printf(" %8.0f (%s, %.0f %%)", r->limit, r->limit_name, 100 * r->value / r->limit);
		putchar('\n');
	}
}

static int print_json(const struct table *t, const struct bench_limits *limits, struct err *err)
{
	json_t *rows = json_array();
	for (size_t i = 0; i < t->n; i++)
		json_array_append_new(rows, json_pack("{s:s, s:s, s:f, s:f}", "name", t->rows[i].name, "unit", t->rows[i].unit, "value", t->rows[i].value, "limit", t->rows[i].limit));
	json_t *j = json_pack("{s:f, s:f, s:o}", "read_gb_s", limits->read_gb_s, "int8_tops", limits->int8_tops, "rows", rows);
	int rc = json_dumpf(j, stdout, JSON_INDENT(1));
	json_decref(j);
	putchar('\n');
	return rc == 0 ? 0 : err_set(err, ERR_IO, "write the table");
}

static int bench(const struct options *o, struct err *err)
{
	struct table t = {0};
	struct bench_limits limits;
	if (bench_limits_measure((int)o->threads, &limits, err) < 0 || measure(o, &limits, &t, err) < 0 || measure_process(o, &t, err) < 0)
		return -1;
	if (o->json)
		return print_json(&t, &limits, err);
	print_table(&t, &limits);
	return 0;
}

int cmd_bench(int argc, char **argv, struct err *err)
{
	struct options o = {.rounds = 5};
	const struct flag flags[] = {
		{"json", NULL, FLAG_BOOL, &o.json, "print one JSON object", false, 0, 0},
		{"model", "PATH", FLAG_STRING, &o.model, "GGUF file or model folder", true, 0, 0},
		{"rounds", "N", FLAG_INT, &o.rounds, "runs per line, the median counts (5)", false, 1, ROUNDS_MAX},
		{"threads", "N", FLAG_INT, &o.threads, "threads (all CPUs of this process)", false, 0, 256},
	};
	size_t n = sizeof flags / sizeof flags[0];
	int rc = flags_parse("bench --model PATH [flags]", flags, n, argc, argv, NULL, 0, NULL, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	rc = bench(&o, err);
	flags_done(flags, n);
	return rc;
}

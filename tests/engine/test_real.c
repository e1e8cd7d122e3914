/* test_real.c: SmolLM2-135M-Instruct (Q4_1) through the engine, against transformers on the dequantised weights: logits, checksums,
 * likelihood, greedy text, an adapter; then the fast path against the exact one. Skipped when the model is not here. */
#include "engine/engine.h"
#include "golden.h"

#include <math.h>
#include <pthread.h>

/* float32 expands every weight at each step: all that is recorded takes a minute, and five under a sanitizer. */
#ifdef TEST_SANITIZED
enum { PROMPTS = 1, GREEDY = 1, LONG = 96 };
#else
enum { PROMPTS = 5, GREEDY = 6, LONG = 400 };
#endif

static char *model_path;
static struct model *model;
static struct engine *engine;

static void open_engine(enum compute compute)
{
	struct err err = ERR_INIT;
	struct engine_options o = {.compute = compute, .max_sequences = 2, .max_model_len = 512, .threads = 2};
	ck_assert_msg(model_open(&model, model_path, &err) == 0, "%s", err.message);
	ck_assert_msg(engine_new(&engine, model, NULL, &o, &err) == 0, "%s", err.message);
}

static void close_engine(void)
{
	engine_free(engine);
	model_close(model);
}

static void check_top(const float *logits, const json_t *prompt, const char *name, double tolerance)
{
	const json_t *ids = json_object_get(prompt, "top20_ids"), *values = json_object_get(prompt, "top20_logits");
	for (size_t i = 0; i < json_array_size(ids); i++) {
		json_int_t id = json_integer_value(json_array_get(ids, i));
		double want = json_number_value(json_array_get(values, i));
		ck_assert_msg(fabs(logits[id] - want) < tolerance, "%s: logit of %lld is %.5f, the reference has %.5f", name, (long long)id, (double)logits[id], want);
	}
}

static void check_sums(const float *logits, const json_t *sums, const char *name)
{
	double square = 0, max = -INFINITY, min = INFINITY;
	for (int32_t i = 0; i < model->config.vocab; i++) {
		square += (double)logits[i] * logits[i];
		max = fmax(max, logits[i]);
		min = fmin(min, logits[i]);
	}
	ck_assert_msg(fabs(sqrt(square) - json_number_value(json_object_get(sums, "l2"))) < 0.05, "%s: l2 is %.4f", name, sqrt(square));
	ck_assert_msg(fabs(max - json_number_value(json_object_get(sums, "max"))) < 1e-3, "%s: max is %.5f", name, max);
	ck_assert_msg(fabs(min - json_number_value(json_object_get(sums, "min"))) < 1e-3, "%s: min is %.5f", name, min);
}

/* Greedy tokens by the engine's own loop. */
struct out { pthread_mutex_t mu; pthread_cond_t over; bool done; int32_t ids[128]; int32_t n; };
static void on_event(void *arg, const struct engine_event *e)
{
	struct out *o = arg;
	pthread_mutex_lock(&o->mu);
	if (e->id >= 0)
		o->ids[o->n++] = e->id;
	o->done = e->finish != FINISH_NONE;
	pthread_cond_signal(&o->over);
	pthread_mutex_unlock(&o->mu);
}

static void check_greedy(const struct golden_ids *g, int32_t adapter, const json_t *want, const json_t *margins, int32_t most, const char *name)
{
	struct out o = {.mu = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER};
	struct engine_request r = {.prompt = g->ids, .n_prompt = (size_t)g->n, .sampling = sampling_default(), .adapter = adapter, .on_event = on_event, .arg = &o};
	struct err err = ERR_INIT;
	r.sampling.temperature = 0;
	r.sampling.max_tokens = most;
	ck_assert_msg(engine_submit(engine, &r, NULL, &err) == 0, "%s", err.message);
	pthread_mutex_lock(&o.mu);
	while (!o.done)
		pthread_cond_wait(&o.over, &o.mu);
	pthread_mutex_unlock(&o.mu);
	for (int32_t i = 0; i < o.n && (size_t)i < json_array_size(want); i++) {
		if (json_number_value(json_array_get(margins, (size_t)i)) < 2e-3)
			return;
		ck_assert_msg(o.ids[i] == json_integer_value(json_array_get(want, (size_t)i)), "%s: greedy token %d is %d", name, i, o.ids[i]);
	}
}


START_TEST(float32_gives_the_reference_numbers)
{
	struct err err = ERR_INIT;
	json_t *golden = golden_json("numerics/infer_f32.json"), *p;
	size_t i;
	open_engine(COMPUTE_F32);
	float *logits = mem_array((size_t)model->config.vocab, sizeof *logits);
	json_array_foreach(json_object_get(golden, "prompts"), i, p)
	{
		if (i == PROMPTS)
			break;
		struct golden_ids g = golden_ids(json_object_get(p, "ids"));
		const char *name = json_string_value(json_object_get(p, "name"));
		double nll, want = json_number_value(json_object_get(p, "prompt_mean_nll"));
		ck_assert_int_eq(engine_logits(engine, g.ids, (size_t)g.n, -1, logits, &err), 0);
		check_top(logits, p, name, 1e-3);
		check_sums(logits, json_object_get(p, "checksum"), name);
		ck_assert_int_eq(engine_nll(engine, g.ids, (size_t)g.n, -1, &nll, &err), 0);
		ck_assert_msg(fabs(nll - want) < 1e-3, "%s: nll %.6f, the reference has %.6f", name, nll, want);
		check_greedy(&g, -1, json_object_get(p, "greedy64_ids"), json_object_get(p, "greedy64_margin"), GREEDY, name);
		free(g.ids);
	}
	free(logits);
	json_decref(golden);
	close_engine();
}
END_TEST

START_TEST(float32_with_a_peft_adapter_gives_the_reference_numbers)
{
	struct err err = ERR_INIT;
	json_t *golden = golden_json("numerics/infer_adapter.json"), *p;
	size_t i;
	open_engine(COMPUTE_F32);
	ck_assert_msg(engine_adapter_add(engine, "kaito", source_path("tests/golden/numerics/adapter_kaito"), 1, &err) == 0, "%s", err.message);
	float *logits = mem_array((size_t)model->config.vocab, sizeof *logits);
	json_array_foreach(json_object_get(golden, "prompts"), i, p)
	{
		if (i == PROMPTS)
			break;
		struct golden_ids g = golden_ids(json_object_get(p, "ids"));
		const char *name = json_string_value(json_object_get(p, "name"));
		ck_assert_int_eq(engine_logits(engine, g.ids, (size_t)g.n, 0, logits, &err), 0);
		check_top(logits, p, name, 1e-3);
		check_greedy(&g, 0, json_object_get(p, "greedy_ids"), json_object_get(p, "margins"), GREEDY, name);
		free(g.ids);
	}
	free(logits);
	json_decref(golden);
	close_engine();
}
END_TEST

/* A long text out of what is recorded: all prompts with their answers, cut to whole windows. */
static struct golden_ids long_text(void)
{
	json_t *golden = golden_json("numerics/infer_f32.json"), *p, *id;
	struct golden_ids g = {.ids = mem_array(4096, sizeof *g.ids)};
	size_t i, k;
	json_array_foreach(json_object_get(golden, "prompts"), i, p)
	{
		json_array_foreach(json_object_get(p, "ids"), k, id)
			g.ids[g.n++] = (int32_t)json_integer_value(id);
		json_array_foreach(json_object_get(p, "greedy64_ids"), k, id)
			g.ids[g.n++] = (int32_t)json_integer_value(id);
	}
	json_decref(golden);
	return g;
}

START_TEST(fast_path_keeps_the_likelihood)
{
	struct err err = ERR_INIT;
	struct golden_ids g = long_text();
	double nll[2];
	ck_assert_int_gt(g.n, LONG);
	g.n = LONG;
	for (int fast = 0; fast < 2; fast++) {
		open_engine(fast ? COMPUTE_FAST : COMPUTE_F32);
		ck_assert_int_eq(engine_nll(engine, g.ids, (size_t)g.n, -1, &nll[fast], &err), 0);
		close_engine();
	}
	ck_assert_msg(fabs(nll[0] - nll[1]) < 0.01, "nll %.5f exact, %.5f fast over %d tokens", nll[0], nll[1], g.n);
	free(g.ids);
}
END_TEST

int main(void)
{
	model_path = golden_real_model();
	if (model_path == NULL) {
		puts("skipped: no SmolLM2-135M-Instruct.Q4_1.gguf; set KAITO_TEST_MODEL");
		return CHECK_SKIPPED;
	}
	CHECK_RUN("real model", 250, float32_gives_the_reference_numbers, float32_with_a_peft_adapter_gives_the_reference_numbers, fast_path_keeps_the_likelihood);
}

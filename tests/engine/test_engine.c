/* test_engine.c: the engine through its interface, on tiny models: batches, adapters, queue, cancellation, limits. */
#include "base/clock.h"
#include "base/random.h"
#include "client.h"

#include <math.h>

enum { PROMPTS = 5, NEW = 24 };
static const char *const MODELS[] = {"llama-gqa", "llama3-rope", "mistral-swa", "phi3-4k", "phi3-longrope", "phi4mini-partial", "qwen2-bias", "qwen3-qknorm"};

static struct model *model;
static struct engine *engine;
static json_t *golden;
static struct golden_ids prompts[PROMPTS];

static void open_model(const char *name, struct engine_options o)
{
	char rest[64];
	struct err err = ERR_INIT;
	snprintf(rest, sizeof rest, "tests/golden/tiny/%s", name);
	ck_assert_msg(model_open(&model, source_path(rest), &err) == 0, "%s", err.message);
	ck_assert_msg(engine_new(&engine, model, NULL, &o, &err) == 0, "%s", err.message);
	snprintf(rest, sizeof rest, "tiny/%s/golden.json", name);
	golden = golden_json(rest);
	for (size_t i = 0; i < PROMPTS; i++)
		prompts[i] = golden_ids(json_object_get(json_array_get(json_object_get(golden, "cases"), i), "ids"));
}

static void close_model(void)
{
	engine_free(engine);
	model_close(model);
	json_decref(golden);
	for (size_t i = 0; i < PROMPTS; i++)
		free(prompts[i].ids);
}

static struct engine_options two_threads(int32_t sequences)
{
	return (struct engine_options){.threads = 2, .max_sequences = sequences, .prefill_chunk = 64};
}

/* An adapter with something in it, written in PEFT's form. */
static void add_adapter(const char *name, uint64_t seed)
{
	char folder[] = "/tmp/kaito-test-adapter-XXXXXX";
	struct adapter a = {.layers = model->config.layers};
	struct adapter_meta meta = {.base_model = "tiny", .rank = 4, .alpha = 8};
	struct err err = ERR_INIT;
	ck_assert_ptr_nonnull(mkdtemp(folder));
	a.pairs = arena_array(&a.arena, (size_t)a.layers * LIN_COUNT, sizeof *a.pairs);
	for (int32_t i = 0; i < a.layers * LIN_COUNT; i++) {
		const struct mat *w = &model->layers[i / LIN_COUNT].linear[i % LIN_COUNT];
		if (w->rows == 0 || (seed + (uint64_t)i) % 3 == 0)
			continue;
		struct lora_pair p = {.rank = 4, .n = (int32_t)w->rows, .k = (int32_t)w->cols, .scale = 2};
		p.a = arena_array(&a.arena, (size_t)p.k * 4, sizeof(float));
		p.b = arena_array(&a.arena, (size_t)p.n * 4, sizeof(float));
		for (int32_t k = 0; k < p.k * 4; k++)
			p.a[k] = 0.1f * random_normal(seed, RANDOM_TEST, (uint64_t)i, (uint64_t)k);
		for (int32_t k = 0; k < p.n * 4; k++)
			p.b[k] = 0.1f * random_normal(seed, RANDOM_TEST, (uint64_t)i + 1000, (uint64_t)k);
		a.pairs[i] = p;
	}
	ck_assert_msg(adapter_save(&a, folder, &meta, &err) == 0, "%s", err.message);
	ck_assert_msg(engine_adapter_add(engine, name, folder, 1, &err) == 0, "%s", err.message);
	ck_assert_int_eq(fd_remove_tree(folder, &err), 0);
	arena_done(&a.arena);
}

static void expect_same(const struct client *a, const struct client *b, const char *what)
{
	ck_assert_msg(a->n == b->n, "%s: %d and %d tokens", what, a->n, b->n);
	for (int32_t i = 0; i < a->n; i++)
		ck_assert_msg(a->ids[i] == b->ids[i], "%s: token %d is %d and %d", what, i, a->ids[i], b->ids[i]);
}

/* Runs n clients one after another, then the same requests all at once; the answers must be the same. */
static void alone_and_together(struct client *alone, struct client *together, int n, const char *what)
{
	for (int i = 0; i < n; i++) {
		client_submit(engine, &alone[i]);
		client_wait(&alone[i]);
	}
	for (int i = 0; i < n; i++) {
		together[i] = (struct client){.mu = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .request = alone[i].request};
		together[i].request.arg = &together[i];
		client_submit(engine, &together[i]);
	}
	for (int i = 0; i < n; i++)
		client_wait(&together[i]);
	for (int i = 0; i < n; i++)
		expect_same(&alone[i], &together[i], what);
}

START_TEST(greedy_text_is_the_references_for_every_architecture)
{
	open_model(MODELS[_i], two_threads(3));
	struct client c[PROMPTS];
	for (size_t i = 0; i < PROMPTS; i++) {
		client_init(&c[i], &prompts[i], 16);
		client_submit(engine, &c[i]);
	}
	for (size_t i = 0; i < PROMPTS; i++) {
		const json_t *one = json_array_get(json_object_get(golden, "cases"), i), *want = json_object_get(one, "greedy"), *margins = json_object_get(one, "greedy_margin");
		client_wait(&c[i]);
		ck_assert_int_eq(c[i].n, 16);
		for (size_t k = 0; k < 16 && json_number_value(json_array_get(margins, k)) > 2e-3; k++)
			ck_assert_msg(c[i].ids[k] == json_integer_value(json_array_get(want, k)), "%s prompt %zu: token %zu is %d", MODELS[_i], i, k, c[i].ids[k]);
	}
	close_model();
}
END_TEST

START_TEST(a_batch_of_n_gives_what_n_single_requests_give)
{
	struct client alone[8], together[8];
	open_model("llama-gqa", two_threads(8));
	for (int i = 0; i < 8; i++) {
		client_init(&alone[i], &prompts[i % PROMPTS], NEW);
		if (i % 2) {
			alone[i].request.sampling.temperature = 0.8f;
			alone[i].request.sampling.top_p = 0.9f;
			alone[i].request.sampling.seed = (uint64_t)i;
		}
	}
	alone_and_together(alone, together, 8, "batch");
	close_model();
}
END_TEST

START_TEST(adapters_mixed_in_a_batch_equal_each_alone)
{
	struct client alone[6], together[6];
	open_model(_i ? "phi3-4k" : "qwen2-bias", two_threads(6));
	add_adapter("one", 1);
	add_adapter("two", 2);
	for (int i = 0; i < 6; i++) {
		client_init(&alone[i], &prompts[0], NEW);
		alone[i].request.adapter = i % 3 - 1;
	}
	alone_and_together(alone, together, 6, "adapters");
	ck_assert_int_ne(memcmp(alone[0].ids, alone[1].ids, NEW * sizeof(int32_t)), 0);
	ck_assert_int_ne(memcmp(alone[1].ids, alone[2].ids, NEW * sizeof(int32_t)), 0);
	close_model();
}
END_TEST

START_TEST(a_cancelled_request_frees_its_slot)
{
	struct client a, b;
	open_model("llama-gqa", two_threads(1));
	client_init(&a, &prompts[0], 200);
	client_init(&b, &prompts[1], 4);
	client_submit(engine, &a);
	client_submit(engine, &b);
	client_wait_first(&a);
	engine_cancel(engine, a.id);
	client_wait(&a);
	client_wait(&b);
	ck_assert_int_eq(a.last.finish, FINISH_CANCELLED);
	ck_assert_int_lt(a.n, 200);
	ck_assert_int_eq(b.last.finish, FINISH_LENGTH);
	engine_cancel(engine, a.id);
	close_model();
}
END_TEST

START_TEST(a_full_queue_refuses_and_waiting_requests_can_be_cancelled)
{
	struct client a, b, c;
	struct err err = ERR_INIT;
	struct engine_options o = two_threads(1);
	o.max_waiting = 1;
	open_model("llama-gqa", o);
	client_init(&a, &prompts[0], 4);
	client_init(&b, &prompts[1], 4);
	client_init(&c, &prompts[2], 4);
	a.hold = true;
	client_submit(engine, &a);
	client_wait_first(&a);
	client_submit(engine, &b);
	ck_assert_int_eq(engine_submit(engine, &c.request, NULL, &err), -1);
	ck_assert_int_eq(err.kind, ERR_BUSY);
	engine_cancel(engine, b.id);
	client_release(&a);
	client_wait(&b);
	ck_assert_int_eq(b.last.finish, FINISH_CANCELLED);
	ck_assert_int_eq(b.n, 0);
	client_wait(&a);
	close_model();
}
END_TEST

START_TEST(a_deadline_ends_a_request)
{
	struct client a, b;
	open_model("llama-gqa", two_threads(1));
	client_init(&a, &prompts[0], 200);
	client_init(&b, &prompts[0], 4);
	b.request.deadline_ms = clock_now_ms() - 1;
	client_submit(engine, &b);
	client_wait(&b);
	ck_assert_int_eq(b.last.finish, FINISH_DEADLINE);
	a.hold = true;
	a.request.deadline_ms = clock_now_ms() + 1000;
	client_submit(engine, &a);
	client_wait_first(&a);
	while (clock_now_ms() < a.request.deadline_ms)
		clock_sleep_ms(5);
	client_release(&a);
	client_wait(&a);
	ck_assert_int_eq(a.last.finish, FINISH_DEADLINE);
	close_model();
}
END_TEST

START_TEST(a_prompt_fits_up_to_the_last_place)
{
	struct client c;
	struct err err = ERR_INIT;
	struct engine_options o = two_threads(2);
	o.max_model_len = 40;
	open_model("llama-gqa", o);
	struct golden_ids exact = {prompts[1].ids, 39}, over = {prompts[1].ids, 40}, none = {prompts[1].ids, 0};
	client_init(&c, &exact, 50);
	client_submit(engine, &c);
	client_wait(&c);
	ck_assert_int_eq(c.n, 1);
	ck_assert_int_eq(c.last.finish, FINISH_LENGTH);
	client_init(&c, &over, 1);
	ck_assert_int_eq(engine_submit(engine, &c.request, NULL, &err), -1);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
	client_init(&c, &none, 1);
	ck_assert_int_eq(engine_submit(engine, &c.request, NULL, &err), -1);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	int32_t foreign = model->config.vocab;
	struct golden_ids bad = {&foreign, 1};
	client_init(&c, &bad, 1);
	ck_assert_int_eq(engine_submit(engine, &c.request, NULL, &err), -1);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	close_model();
}
END_TEST

START_TEST(sampling_values_out_of_range_are_refused)
{
	struct client c;
	open_model("llama-gqa", two_threads(1));
	for (int i = 0; i < 6; i++) {
		struct err err = ERR_INIT;
		client_init(&c, &prompts[0], 4);
		struct sampling *s = &c.request.sampling;
		*(i == 0 ? &s->temperature : i == 1 ? &s->top_p : i == 2 ? &s->repetition_penalty : i == 3 ? &s->typical_p : &s->min_p) = i == 4 ? 1.5f : -1;
		s->max_tokens = i == 5 ? 0 : 4;
		ck_assert_int_eq(engine_submit(engine, &c.request, NULL, &err), -1);
		ck_assert_int_eq(err.kind, ERR_INVALID);
	}
	close_model();
}
END_TEST

START_TEST(a_shared_prefix_is_not_computed_again)
{
	struct client a, b, c;
	open_model("mistral-swa", two_threads(2));
	client_init(&a, &prompts[4], NEW);
	client_init(&b, &prompts[4], NEW);
	client_init(&c, &prompts[4], NEW);
	client_submit(engine, &a);
	client_wait(&a);
	client_submit(engine, &b);
	client_wait(&b);
	ck_assert_int_eq(a.last.cached_tokens, 0);
	ck_assert_int_eq(b.last.cached_tokens, prompts[4].n - 1);
	expect_same(&a, &b, "prefix");
	add_adapter("one", 1);
	c.request.adapter = 0;
	client_submit(engine, &c);
	client_wait(&c);
	ck_assert_int_eq(c.last.cached_tokens, 0);
	close_model();
}
END_TEST

START_TEST(prompt_log_probabilities_add_up_to_the_references_likelihood)
{
	open_model("llama3-rope", two_threads(2));
	for (size_t i = 0; i < PROMPTS; i++) {
		struct client c;
		client_init(&c, &prompts[i], 1);
		c.request.score_prompt = true;
		c.request.sampling.top_logprobs = 3;
		client_submit(engine, &c);
		client_wait(&c);
		double want = json_number_value(json_object_get(json_array_get(json_object_get(golden, "cases"), i), "mean_nll"));
		ck_assert_int_eq(c.n_prompt_events, prompts[i].n);
		ck_assert_double_eq_tol(-c.prompt_logprobs / (prompts[i].n - 1), want, 1e-3);
		ck_assert_uint_eq(c.n_top, 3);
		ck_assert_int_eq(c.best.id, c.ids[0]);
		ck_assert_float_eq_tol(c.best.logprob, c.logprobs[0], 1e-6f);
	}
	close_model();
}
END_TEST

START_TEST(embeddings_have_length_one_and_do_not_depend_on_neighbours)
{
	struct client c[4];
	float vectors[4][64];
	open_model("llama-gqa", two_threads(4));
	for (int i = 0; i < 4; i++) {
		client_init(&c[i], &prompts[i % 2 ? 4 : 0], 1);
		c[i].request.embed = true;
		c[i].request.embedding = vectors[i];
		client_submit(engine, &c[i]);
	}
	for (int i = 0; i < 4; i++) {
		double square = 0, difference = 0;
		client_wait(&c[i]);
		for (int k = 0; k < 64; k++) {
			square += (double)vectors[i][k] * vectors[i][k];
			difference = fmax(difference, fabs(vectors[i][k] - vectors[i % 2][k]));
		}
		ck_assert_double_eq_tol(square, 1, 1e-5);
		ck_assert_double_lt(difference, 1e-5);
		ck_assert_int_eq(c[i].last.finish, FINISH_STOP);
	}
	close_model();
}
END_TEST

START_TEST(stop_ids_end_and_min_tokens_delay)
{
	struct client free_run, stopped;
	open_model("llama-gqa", two_threads(1));
	client_init(&free_run, &prompts[0], 8);
	client_submit(engine, &free_run);
	client_wait(&free_run);
	client_init(&stopped, &prompts[0], 8);
	stopped.request.sampling.stop_ids = &free_run.ids[3];
	stopped.request.sampling.n_stop_ids = 1;
	client_submit(engine, &stopped);
	client_wait(&stopped);
	ck_assert_int_eq(stopped.n, 4);
	ck_assert_int_eq(stopped.last.finish, FINISH_STOP);
	close_model();
}
END_TEST

START_TEST(draining_finishes_what_runs_and_refuses_what_comes)
{
	struct client a, b;
	struct err err = ERR_INIT;
	open_model("llama-gqa", two_threads(2));
	client_init(&a, &prompts[0], 30);
	client_submit(engine, &a);
	engine_drain(engine);
	ck_assert(a.done);
	ck_assert_int_eq(a.n, 30);
	client_init(&b, &prompts[0], 1);
	ck_assert_int_eq(engine_submit(engine, &b.request, NULL, &err), -1);
	ck_assert_int_eq(err.kind, ERR_BUSY);
	close_model();
}
END_TEST

START_TEST(freeing_the_engine_cancels_everything)
{
	struct client a, b;
	open_model("llama-gqa", two_threads(1));
	client_init(&a, &prompts[0], 200);
	client_init(&b, &prompts[1], 200);
	client_submit(engine, &a);
	client_submit(engine, &b);
	client_wait_first(&a);
	engine_free(engine);
	engine = NULL;
	ck_assert(a.done && b.done);
	ck_assert_int_eq(b.last.finish, FINISH_CANCELLED);
	close_model();
}
END_TEST

START_TEST(adapters_are_named_once_and_wait_for_their_requests)
{
	struct client a;
	struct err err = ERR_INIT;
	char names[4][128];
	open_model("llama-gqa", two_threads(1));
	add_adapter("one", 1);
	ck_assert_int_eq(engine_adapter_find(engine, "one"), 0);
	ck_assert_int_eq(engine_adapter_find(engine, "two"), -1);
	ck_assert_uint_eq(engine_adapter_list(engine, names, 4), 1);
	ck_assert_str_eq(names[0], "one");
	ck_assert_int_eq(engine_adapter_add(engine, "one", source_path("tests/golden/tiny/llama-gqa/adapter_init"), 1, &err), -1);
	ck_assert_int_eq(err.kind, ERR_EXISTS);
	ck_assert_int_eq(engine_adapter_add(engine, "foreign", source_path("tests/golden/numerics/adapter_kaito"), 1, &err), -1);
	ck_assert_int_eq(err.kind, ERR_MODEL);
	client_init(&a, &prompts[0], 20);
	a.request.adapter = 0;
	client_submit(engine, &a);
	ck_assert_int_eq(engine_adapter_remove(engine, "one", &err), 0);
	ck_assert(a.done);
	ck_assert_int_eq(a.n, 20);
	ck_assert_int_eq(engine_submit(engine, &a.request, NULL, &err), -1);
	ck_assert_int_eq(err.kind, ERR_NOT_FOUND);
	ck_assert_int_eq(engine_adapter_remove(engine, "one", &err), -1);
	close_model();
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("engine");
	Suite *s = suite_create("engine");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, greedy_text_is_the_references_for_every_architecture, 0, sizeof MODELS / sizeof MODELS[0]);
	tcase_add_test(t, a_batch_of_n_gives_what_n_single_requests_give);
	tcase_add_loop_test(t, adapters_mixed_in_a_batch_equal_each_alone, 0, 2);
	tcase_add_test(t, a_cancelled_request_frees_its_slot);
	tcase_add_test(t, a_full_queue_refuses_and_waiting_requests_can_be_cancelled);
	tcase_add_test(t, a_deadline_ends_a_request);
	tcase_add_test(t, a_prompt_fits_up_to_the_last_place);
	tcase_add_test(t, sampling_values_out_of_range_are_refused);
	tcase_add_test(t, a_shared_prefix_is_not_computed_again);
	tcase_add_test(t, prompt_log_probabilities_add_up_to_the_references_likelihood);
	tcase_add_test(t, embeddings_have_length_one_and_do_not_depend_on_neighbours);
	tcase_add_test(t, stop_ids_end_and_min_tokens_delay);
	tcase_add_test(t, draining_finishes_what_runs_and_refuses_what_comes);
	tcase_add_test(t, freeing_the_engine_cancels_everything);
	tcase_add_test(t, adapters_are_named_once_and_wait_for_their_requests);
	suite_add_tcase(s, t);
	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}

/* Ten LoRA updates of SmolLM2-135M against transformers + PEFT (tests/golden/numerics/train.json, train_tolerances.json), the
 * gradients of the first, the same on an NF4 base (nf4.json), and the fast arithmetic within what bf16 costs the reference. */
#include "tune_test.h"

#include "weights/weights.h"

#define NUMERICS "tests/golden/numerics"
#define STEPS_MAX 10
static const int steps_to_run = SLOW_BUILD ? 1 : STEPS_MAX;

static const char *model_path(void)
{
	static char path[1024];
	const char *set = getenv("KAITO_TEST_MODEL"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	if (set)
		return set;
	snprintf(path, sizeof path, "%s%s/kaito/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", cache ? cache : home ? home : "", cache ? "" : "/.cache");
	return path;
}

static const char *golden_path(const char *name)
{
	static char path[1024];
	snprintf(path, sizeof path, "%s/" NUMERICS "/%s", source_root(), name);
	return path;
}

static json_t *golden_json(const char *name)
{
	struct err err = ERR_INIT;
	json_t *root;
	must(json_parse_file(&root, golden_path(name), &err));
	return root;
}

/* The recorded batch without its padding. */
static struct packed batch_rows(const char *labels_name)
{
	struct err err = ERR_INIT;
	struct weights *file;
	must(weights_open(&file, golden_path("train_batch.safetensors"), &err));
	const struct weights_tensor *ids = weights_find(file, "input_ids"), *labels = weights_find(file, labels_name), *mask = weights_find(file, "attention_mask");
	ck_assert(ids && labels && mask);
	struct packed p = packed_new((int32_t)(ids->shape[0] * ids->shape[1]));
	for (int64_t r = 0; r < ids->shape[0]; r++) {
		int32_t row[3][1024], n = 0;
		size_t bytes = (size_t)ids->shape[1] * sizeof(int32_t);
		memcpy(row[0], (const char *)ids->data + (size_t)r * bytes, bytes);
		memcpy(row[1], (const char *)labels->data + (size_t)r * bytes, bytes);
		memcpy(row[2], (const char *)mask->data + (size_t)r * bytes, bytes);
		while (n < ids->shape[1] && row[2][n])
			n++;
		packed_add(&p, row[0], row[1], n);
	}
	weights_close(file);
	return p;
}

static struct trainstep *step_new(const struct model *m, struct pool *pool, int32_t rows, enum compute compute)
{
	struct err err = ERR_INIT;
	struct trainstep *t;
	struct weights *init;
	must(trainstep_new(&t, m, pool, &(struct trainstep_options){.compute = compute, .max_rows = rows},
			   &(struct lora_options){.slots = 1u << LIN_Q | 1u << LIN_V, .rank = 8, .alpha = 8}, NULL, &err));
	must(weights_open(&init, golden_path("train_kaito_init_A_bf16.safetensors"), &err));
	struct lora *l = trainstep_lora(t);
	for (int32_t i = 0; i < l->layers * LIN_COUNT; i++) {
		char name[160];
		snprintf(name, sizeof name, "base_model.model.model.layers.%d.%s.lora_A.weight", i / LIN_COUNT, model_linear_traits((enum linear_slot)(i % LIN_COUNT))->peft);
		const struct weights_tensor *a = weights_find(init, name);
		ck_assert_int_eq(a != NULL, l->slots[i].rank > 0);
		if (a)
			dtype_traits(a->type)->to_f32(a->data, l->p + l->slots[i].a, l->slots[i].rank * l->slots[i].k);
	}
	weights_close(init);
	return t;
}

static double l2(const float *x, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += (double)x[i] * x[i];
	return sqrt(sum);
}

/* l2 of each tensor of `x` (parameters or gradients) against table[name] or table[name].l2. */
static void check_l2(const struct lora *l, const float *x, const json_t *table, double tolerance)
{
	for (int32_t i = 0; i < l->layers * LIN_COUNT; i++)
		for (int is_b = 0; is_b < 2 && l->slots[i].rank > 0; is_b++) {
			const struct lora_slot *s = &l->slots[i];
			char name[160];
			snprintf(name, sizeof name, "base_model.model.model.layers.%d.%s.lora_%c.weight", i / LIN_COUNT, model_linear_traits((enum linear_slot)(i % LIN_COUNT))->peft, is_b ? 'B' : 'A');
			const json_t *value = json_object_get(table, name);
			ck_assert_msg(value != NULL, "%s is not in the golden", name);
			double expect = json_number_value(json_is_object(value) ? json_object_get(value, "l2") : value);
			double got = is_b ? l2(x + s->b, (size_t)s->rank * (size_t)s->n) : l2(x + s->a, (size_t)s->rank * (size_t)s->k);
			ck_assert_msg(fabs(got - expect) <= tolerance * expect + 1e-7, "%s: %.8g, expected %.8g", name, got, expect);
		}
}

/* Gradients of B after the first pass, element by element: PEFT's [N, r] against our [r, N]. */
static void check_first_gradient(const struct lora *l, double tolerance)
{
	struct err err = ERR_INIT;
	struct weights *file;
	must(weights_open(&file, golden_path("train_kaito_assistant_grad_step1_B.safetensors"), &err));
	for (int32_t i = 0; i < l->layers * LIN_COUNT; i++) {
		const struct lora_slot *s = &l->slots[i];
		char name[160];
		snprintf(name, sizeof name, "base_model.model.model.layers.%d.%s.lora_B.weight", i / LIN_COUNT, model_linear_traits((enum linear_slot)(i % LIN_COUNT))->peft);
		const struct weights_tensor *b = weights_find(file, name);
		if (!b)
			continue;
		double off = 0, all = 0;
		for (int64_t n = 0; n < s->n; n++)
			for (int64_t r = 0; r < s->rank; r++) {
				float expect;
				memcpy(&expect, (const char *)b->data + (size_t)(n * s->rank + r) * sizeof expect, sizeof expect);
				double diff = l->grad[s->b + (size_t)(r * s->n + n)] - (double)expect;
				off += diff * diff;
				all += (double)expect * expect;
			}
		ck_assert_msg(sqrt(off / all) <= tolerance, "%s: relative gradient error %g", name, sqrt(off / all));
	}
	weights_close(file);
}

struct course { const char *labels; int steps; const json_t *losses, *norms, *grads, *final; double loss_tolerance, norm_tolerance; enum compute compute; bool check_b; };

static void run_course(const struct model *m, struct pool *pool, const struct course *c)
{
	struct err err = ERR_INIT;
	struct packed rows = batch_rows(c->labels);
	struct trainstep *t = step_new(m, pool, rows.rows, c->compute);
	struct lora *l = trainstep_lora(t);
	struct micro_batch b = packed_batch(&rows);
	int64_t n = trainstep_count_labels(&b);
	int steps = c->steps < steps_to_run ? c->steps : steps_to_run;
	for (int i = 0; i < steps; i++) {
		double sum = 0, norm, expect = json_number_value(json_array_get(c->losses, (size_t)i));
		must(trainstep_accumulate(t, &b, n, &sum, &err));
		ck_assert_msg(fabs(sum / (double)n - expect) <= c->loss_tolerance, "%s: loss %d is %.8f, expected %.8f", c->labels, i, sum / (double)n, expect);
		if (i == 0 && c->grads)
			check_l2(l, l->grad, c->grads, c->norm_tolerance);
		if (i == 0 && c->check_b)
			check_first_gradient(l, 1e-4);
		must(trainstep_update(t, 1e-3, &plain_adamw, &norm, &err));
		if (c->norms) {
			expect = json_number_value(json_array_get(c->norms, (size_t)i));
			ck_assert_msg(fabs(norm - expect) <= c->norm_tolerance * expect, "%s: gradient norm %d is %.8f, expected %.8f", c->labels, i, norm, expect);
		}
	}
	if (c->final && steps == STEPS_MAX)
		check_l2(l, l->p, c->final, 1e-3);
	trainstep_free(t);
	packed_done(&rows);
}

struct bench { struct model *model; struct pool *pool; json_t *train, *run; };
static struct bench bench_open(const char *run)
{
	struct err err = ERR_INIT;
	struct bench b = {.train = golden_json("train.json")};
	must(model_open(&b.model, model_path(), &err));
	must(pool_new(&b.pool, 2, &err));
	b.run = json_object_get(json_object_get(b.train, "runs"), run);
	return b;
}
static void bench_close(struct bench *b)
{
	json_decref(b->train);
	pool_free(b->pool);
	model_close(b->model);
}

START_TEST(completion_losses_gradients_and_weights_equal_peft)
{
	struct bench b = bench_open("kaito/assistant");
	struct course c = {"labels_assistant", STEPS_MAX, json_object_get(b.run, "losses"), json_object_get(b.run, "grad_norms"), json_object_get(b.run, "grad_l2_step1"),
			   json_object_get(b.run, "final_summary"), 2e-5, 1e-3, COMPUTE_F32, true};
	run_course(b.model, b.pool, &c);
	bench_close(&b);
}
END_TEST

START_TEST(all_token_losses_equal_peft)
{
	struct bench b = bench_open("kaito/full");
	struct course c = {"labels_full", 3, json_object_get(b.run, "losses"), json_object_get(b.run, "grad_norms"), json_object_get(b.run, "grad_l2_step1"),
			   NULL, 2e-5, 1e-3, COMPUTE_F32, false};
	run_course(b.model, b.pool, &c);
	bench_close(&b);
}
END_TEST

START_TEST(fast_arithmetic_stays_within_what_bf16_costs_peft)
{
	struct bench b = bench_open("kaito/assistant");
	json_t *tolerances = golden_json("train_tolerances.json");
	double allowed = json_number_value(json_object_get(json_object_get(tolerances, "kaito/bf16-base-2t"), "max_loss_diff"));
	struct course c = {"labels_assistant", STEPS_MAX, json_object_get(b.run, "losses"), json_object_get(b.run, "grad_norms"), NULL, NULL, allowed, 0.05, COMPUTE_FAST, false};
	run_course(b.model, b.pool, &c);
	json_decref(tolerances);
	bench_close(&b);
}
END_TEST

START_TEST(nf4_base_losses_equal_bitsandbytes)
{
	struct bench b = bench_open("kaito/assistant");
	struct err err = ERR_INIT;
	struct lora_requantised *owner;
	json_t *nf4 = golden_json("nf4.json");
	must(lora_requantise(b.model, DT_NF4, true, &owner, &err));
	ck_assert_uint_lt(lora_requantised_bytes(owner), (size_t)70 << 20);
	struct course c = {"labels_assistant", 4, json_object_get(nf4, "losses_kaito_assistant_compute_float32"), NULL, NULL, NULL, 1e-3, 0, COMPUTE_F32, false};
	run_course(b.model, b.pool, &c);
	c.compute = COMPUTE_FAST;
	c.steps = STEPS_MAX;
	c.loss_tolerance = 0.03; /* bitsandbytes' own bf16 run is up to 0.024 away from its float32 run */
	run_course(b.model, b.pool, &c);
	json_decref(nf4);
	bench_close(&b);
	lora_requantised_free(owner);
}
END_TEST

int main(void)
{
	if (access(model_path(), R_OK) != 0) {
		printf("skipped: no model at %s (set KAITO_TEST_MODEL)\n", model_path());
		return 77;
	}
	Suite *s = suite_create("smollm2");
	TCase *c = tcase_create("golden");
	tcase_set_timeout(c, 300);
	tcase_add_test(c, completion_losses_gradients_and_weights_equal_peft);
	if (!SLOW_BUILD) { /* half a minute of processor each under a sanitizer; the tiny models cover the same code there */
		tcase_add_test(c, all_token_losses_equal_peft);
		tcase_add_test(c, fast_arithmetic_stays_within_what_bf16_costs_peft);
		tcase_add_test(c, nf4_base_losses_equal_bitsandbytes);
	}
	suite_add_tcase(s, c);
	return run_suite(s);
}

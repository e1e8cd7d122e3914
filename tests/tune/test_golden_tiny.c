/* Five LoRA updates of each tiny model against transformers + PEFT: losses to 1e-4, first gradient norms of every LoRA tensor to 0.1 %. */
#include "tune_test.h"

static const char *const models[] = {"llama-gqa", "llama3-rope", "mistral-swa", "phi3-4k", "phi3-longrope", "phi4mini-partial", "qwen2-bias", "qwen3-qknorm"};

struct golden { struct model *model; struct adapter *init; json_t *training; struct packed rows; struct pool *pool; };

static struct golden golden_open(const char *name)
{
	struct err err = ERR_INIT;
	struct golden g;
	char path[512];
	snprintf(path, sizeof path, "%s/tests/golden/tiny/%s", source_root(), name);
	must(model_open(&g.model, path, &err));
	snprintf(path, sizeof path, "%s/tests/golden/tiny/%s/adapter_init", source_root(), name);
	must(adapter_open(&g.init, path, g.model, &err));
	snprintf(path, sizeof path, "%s/tests/golden/tiny/%s/golden.json", source_root(), name);
	json_t *root;
	must(json_parse_file(&root, path, &err));
	g.training = json_incref(json_object_get(root, "training"));
	json_decref(root);
	must(pool_new(&g.pool, 2, &err));
	g.rows = packed_new(4096);
	json_t *ids = json_object_get(g.training, "input_ids"), *row;
	size_t i;
	json_array_foreach(ids, i, row) {
		int32_t buffer[512];
		size_t n = json_array_size(row);
		ck_assert_uint_le(n, 512);
		for (size_t j = 0; j < n; j++)
			buffer[j] = (int32_t)json_integer_value(json_array_get(row, j));
		packed_add(&g.rows, buffer, buffer, (int32_t)n);
	}
	return g;
}

static void golden_close(struct golden *g)
{
	packed_done(&g->rows);
	json_decref(g->training);
	pool_free(g->pool);
	adapter_close(g->init);
	model_close(g->model);
}

static double l2(const float *x, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += (double)x[i] * x[i];
	return sqrt(sum);
}

/* Gradient norms of every A and B by PEFT's names. */
static void check_norms(const struct golden *g, const struct lora *l)
{
	json_t *norms = json_object_get(g->training, "grad_l2_step0");
	size_t seen = 0;
	for (int32_t layer = 0; layer < l->layers; layer++)
		for (int slot = 0; slot < LIN_COUNT; slot++) {
			const struct lora_slot *s = lora_slot(l, layer, slot);
			for (int is_b = 0; is_b < 2 && s->rank > 0; is_b++, seen++) {
				char name[160];
				snprintf(name, sizeof name, "base_model.model.model.layers.%d.%s.lora_%c.weight", layer, model_linear_traits((enum linear_slot)slot)->peft, is_b ? 'B' : 'A');
				const json_t *value = json_object_get(norms, name);
				ck_assert_msg(value != NULL, "%s is not in the golden", name);
				double expect = json_number_value(value), got = is_b ? l2(l->grad + s->b, (size_t)s->rank * (size_t)s->n) : l2(l->grad + s->a, (size_t)s->rank * (size_t)s->k);
				ck_assert_msg(fabs(got - expect) <= 1e-3 * expect + 1e-7, "%s: gradient norm %.7g, expected %.7g", name, got, expect);
			}
		}
	ck_assert_uint_eq(seen, json_object_size(norms));
}

static void run_golden(const char *name, struct trainstep_options options, double loss_tolerance, bool norms)
{
	struct golden g = golden_open(name);
	struct err err = ERR_INIT;
	struct trainstep *t;
	options.max_rows = g.rows.rows;
	options.max_length = 0;
	for (int32_t i = 0; i < g.rows.rows; i++)
		options.max_length = g.rows.positions[i] + 1 > options.max_length ? g.rows.positions[i] + 1 : options.max_length;
	must(trainstep_new(&t, g.model, g.pool, &options, &(struct lora_options){0}, g.init, &err));
	struct micro_batch b = packed_batch(&g.rows);
	json_t *losses = json_object_get(g.training, "losses");
	int64_t n = trainstep_count_labels(&b);
	for (size_t i = 0; i < json_array_size(losses); i++) {
		double sum = 0, norm, expect = json_number_value(json_array_get(losses, i));
		must(trainstep_accumulate(t, &b, n, &sum, &err));
		ck_assert_msg(fabs(sum / (double)n - expect) <= loss_tolerance, "%s: loss %zu is %.7f, expected %.7f", name, i, sum / (double)n, expect);
		if (i == 0 && norms)
			check_norms(&g, trainstep_lora(t));
		must(trainstep_update(t, 1e-2, &plain_adamw, &norm, &err));
	}
	trainstep_free(t);
	golden_close(&g);
}

START_TEST(losses_and_gradient_norms_equal_peft) { run_golden(models[_i], (struct trainstep_options){.compute = COMPUTE_F32}, 1e-4, true); }
END_TEST

START_TEST(recomputing_every_layer_changes_nothing) { run_golden(models[_i], (struct trainstep_options){.compute = COMPUTE_F32, .checkpoint_all = true}, 1e-4, true); }
END_TEST

START_TEST(fast_arithmetic_follows_the_same_losses) { run_golden(models[_i], (struct trainstep_options){.compute = COMPUTE_FAST}, 5e-2, false); }
END_TEST

int main(void)
{
	Suite *s = suite_create("tiny models");
	TCase *c = tcase_create("golden");
	int n = (int)(sizeof models / sizeof *models);
	tcase_set_timeout(c, 100);
	tcase_add_loop_test(c, losses_and_gradient_norms_equal_peft, 0, n);
	tcase_add_loop_test(c, recomputing_every_layer_changes_nothing, 0, SLOW_BUILD ? 2 : n);
	tcase_add_loop_test(c, fast_arithmetic_follows_the_same_losses, 0, SLOW_BUILD ? 2 : n);
	suite_add_tcase(s, c);
	return run_suite(s);
}

/* The training step as its users see it: packing, accumulation, determinism, resume, dropout, memory budgets, bad batches. */
#include "tune_test.h"

#include "base/random.h"

#define ROWS 60

static struct pool *pool;
static struct model *open_model(const char *name)
{
	struct err err = ERR_INIT;
	struct model *m;
	char path[512];
	snprintf(path, sizeof path, "%s/tests/golden/tiny/%s", source_root(), name);
	must(model_open(&m, path, &err));
	return m;
}
static void start_pool(void)
{
	struct err err = ERR_INIT;
	must(pool_new(&pool, 2, &err));
}
static void stop_pool(void) { pool_free(pool); }

static const struct lora_options all_modules = {.slots = UINT32_MAX, .rank = 3, .alpha = 6, .seed = 5};

/* Sequences of the given lengths; every third token has no label. */
static struct packed rows_of(const int32_t *lengths, int n, int32_t vocab)
{
	struct packed p = packed_new(512);
	for (int s = 0; s < n; s++) {
		int32_t ids[512], labels[512];
		for (int32_t i = 0; i < lengths[s]; i++) {
			ids[i] = (int32_t)random_below(1, RANDOM_TEST, (uint64_t)s, (uint64_t)i, (uint64_t)vocab);
			labels[i] = i % 3 == 2 ? TRAIN_IGNORE : ids[i];
		}
		packed_add(&p, ids, labels, lengths[s]);
	}
	return p;
}

static struct trainstep *step_of(const struct model *m, struct trainstep_options o, struct lora_options l)
{
	struct err err = ERR_INIT;
	struct trainstep *t;
	if (o.max_rows == 0)
		o.max_rows = 128;
	must(trainstep_new(&t, m, pool, &o, &l, NULL, &err));
	struct lora *lora = trainstep_lora(t); /* B starts at zero, where half of the gradients vanish */
	for (size_t i = 0; i < lora->n; i++)
		lora->p[i] += 0.1f * random_normal(2, RANDOM_TEST, 0, i);
	return t;
}

static double accumulate(struct trainstep *t, const struct packed *p, int64_t n_items)
{
	struct err err = ERR_INIT;
	double sum;
	struct micro_batch b = packed_batch(p);
	must(trainstep_accumulate(t, &b, n_items, &sum, &err));
	return sum;
}

static double worst(const float *a, const float *b, size_t n)
{
	double off = 0;
	for (size_t i = 0; i < n; i++)
		off = fmax(off, fabs((double)a[i] - b[i]));
	return off;
}

START_TEST(packed_sequences_give_the_sum_of_single_ones)
{
	struct model *m = open_model(_i ? "mistral-swa" : "qwen3-qknorm");
	const int32_t lengths[] = {21, 1, 33};
	struct packed all = rows_of(lengths, 3, m->config.vocab);
	struct trainstep *one = step_of(m, (struct trainstep_options){0}, all_modules), *many = step_of(m, (struct trainstep_options){0}, all_modules);
	double together = accumulate(one, &all, 10), apart = 0;
	for (int32_t s = 0, start = 0; s < 3; start += lengths[s++]) {
		struct packed p = packed_new(512);
		packed_add(&p, all.ids + start, all.labels + start, lengths[s]);
		apart += accumulate(many, &p, 10);
		packed_done(&p);
	}
	ck_assert_double_eq_tol(together, apart, 1e-4);
	ck_assert_double_lt(worst(trainstep_lora(one)->grad, trainstep_lora(many)->grad, trainstep_lora(one)->n), 2e-5);
	trainstep_free(one);
	trainstep_free(many);
	packed_done(&all);
	model_close(m);
}
END_TEST

START_TEST(labels_are_shifted_within_a_sequence_only)
{
	const int32_t ids[] = {1, 2, 3, 4, 5, 6}, labels[] = {1, TRAIN_IGNORE, 3, 4, 5, 6}, positions[] = {0, 1, 2, 0, 1, 2}, segments[] = {0, 0, 0, 3, 3, 3};
	struct micro_batch b = {6, ids, labels, positions, segments};
	ck_assert_int_eq(trainstep_count_labels(&b), 3); /* 1->(2 ignored), 2->3, 4->5, 5->6; never 3->4 */
}
END_TEST

static void train(struct trainstep *t, const struct packed *p, int updates)
{
	struct micro_batch b = packed_batch(p);
	for (int i = 0; i < updates; i++)
		step_once(t, &b, 1e-3, NULL);
}

START_TEST(the_same_seed_gives_the_same_bits_and_a_checkpoint_resumes)
{
	struct model *m = open_model("llama-gqa");
	const int32_t lengths[] = {40, 20};
	struct packed p = rows_of(lengths, 2, m->config.vocab);
	struct lora_options l = all_modules;
	l.dropout = 0.2;
	struct trainstep_options o = {.compute = _i ? COMPUTE_FAST : COMPUTE_F32};
	struct trainstep *a = step_of(m, o, l), *b = step_of(m, o, l), *resumed = step_of(m, o, l);
	size_t bytes = trainstep_lora(a)->n * sizeof(float);
	train(a, &p, 4);
	train(b, &p, 2);
	struct lora *from = trainstep_lora(b), *to = trainstep_lora(resumed);
	memcpy(to->p, from->p, bytes);
	memcpy(to->m, from->m, bytes);
	memcpy(to->v, from->v, bytes);
	to->steps = from->steps;
	train(b, &p, 2);
	train(resumed, &p, 2);
	ck_assert_mem_eq(trainstep_lora(a)->p, trainstep_lora(b)->p, bytes);
	ck_assert_mem_eq(trainstep_lora(a)->p, to->p, bytes);
	ck_assert_int_eq(to->steps, 4);
	trainstep_free(a);
	trainstep_free(b);
	trainstep_free(resumed);
	packed_done(&p);
	model_close(m);
}
END_TEST

/* Loss of the first micro-batch with parameter i moved by h: dropout draws the same elements each time. */
static double loss_moved(const struct model *m, const struct packed *p, struct lora_options l, size_t i, float h)
{
	struct trainstep *t = step_of(m, (struct trainstep_options){0}, l);
	trainstep_lora(t)->p[i] += h;
	double sum = accumulate(t, p, 1);
	trainstep_free(t);
	return sum;
}

START_TEST(gradients_through_dropout_equal_finite_differences)
{
	struct model *m = open_model(_i ? "phi3-4k" : "qwen3-qknorm");
	const int32_t lengths[] = {20, 9};
	struct packed p = rows_of(lengths, 2, m->config.vocab);
	struct lora_options l = all_modules;
	l.dropout = 0.3;
	struct trainstep *t = step_of(m, (struct trainstep_options){0}, l);
	accumulate(t, &p, 1);
	const struct lora *lora = trainstep_lora(t);
	for (size_t i = 0; i < lora->n; i += lora->n / 23) {
		float h = 4e-3f;
		double expect = (loss_moved(m, &p, l, i, h) - loss_moved(m, &p, l, i, -h)) / (2.0 * (double)h);
		ck_assert_msg(fabs(lora->grad[i] - expect) <= 0.02 * fabs(expect) + 0.02, "parameter %zu: gradient %g, finite difference %g", i, (double)lora->grad[i], expect);
	}
	trainstep_free(t);
	packed_done(&p);
	model_close(m);
}
END_TEST

START_TEST(dropout_is_off_in_evaluation_and_evaluation_leaves_no_gradient)
{
	struct model *m = open_model("llama-gqa");
	const int32_t lengths[] = {50};
	struct packed p = rows_of(lengths, 1, m->config.vocab);
	struct micro_batch b = packed_batch(&p);
	struct lora_options wet = all_modules;
	wet.dropout = 0.5;
	struct trainstep *plain = step_of(m, (struct trainstep_options){0}, all_modules), *dropped = step_of(m, (struct trainstep_options){0}, wet);
	struct err err = ERR_INIT;
	double expect = accumulate(plain, &p, 1), loss;
	int64_t labels;
	must(trainstep_evaluate(dropped, &b, &loss, &labels, &err));
	ck_assert_double_eq(loss, expect);
	ck_assert_int_eq(labels, trainstep_count_labels(&b));
	for (size_t i = 0; i < trainstep_lora(dropped)->n; i++)
		ck_assert_float_eq(trainstep_lora(dropped)->grad[i], 0.0f);
	ck_assert_double_ne(accumulate(dropped, &p, 1), expect);
	trainstep_free(plain);
	trainstep_free(dropped);
	packed_done(&p);
	model_close(m);
}
END_TEST

START_TEST(a_memory_budget_trades_kept_layers_for_recomputation)
{
	struct model *m = open_model("phi4mini-partial");
	const int32_t lengths[] = {ROWS};
	struct packed p = rows_of(lengths, 1, m->config.vocab);
	struct trainstep *full = step_of(m, (struct trainstep_options){0}, all_modules), *none = step_of(m, (struct trainstep_options){.checkpoint_all = true}, all_modules);
	size_t most = trainstep_plan(full)->total, least = trainstep_plan(none)->total;
	ck_assert_uint_lt(least, most);
	struct trainstep *some = step_of(m, (struct trainstep_options){.memory_budget_bytes = (most + least) / 2}, all_modules);
	const struct trainstep_plan *plan = trainstep_plan(some);
	ck_assert_uint_le(plan->total, (most + least) / 2);
	ck_assert_int_gt(plan->layers_kept, 0);
	ck_assert_int_lt(plan->layers_kept, plan->layers);
	ck_assert_uint_eq(plan->total, plan->parameters + plan->optimizer + plan->kept + plan->workspace + plan->head);
	accumulate(full, &p, 7);
	accumulate(some, &p, 7);
	accumulate(none, &p, 7);
	size_t bytes = trainstep_lora(full)->n * sizeof(float);
	ck_assert_mem_eq(trainstep_lora(full)->grad, trainstep_lora(some)->grad, bytes);
	ck_assert_mem_eq(trainstep_lora(full)->grad, trainstep_lora(none)->grad, bytes);
	struct err err = ERR_INIT;
	struct trainstep *t;
	ck_assert_int_lt(trainstep_new(&t, m, pool, &(struct trainstep_options){.max_rows = 128, .memory_budget_bytes = least / 2}, &all_modules, NULL, &err), 0);
	ck_assert_int_eq(err.kind, ERR_NO_MEMORY);
	trainstep_free(full);
	trainstep_free(some);
	trainstep_free(none);
	packed_done(&p);
	model_close(m);
}
END_TEST

START_TEST(a_batch_without_labels_is_harmless)
{
	struct model *m = open_model("llama-gqa");
	const int32_t ids[] = {1, 2, 3}, labels[] = {TRAIN_IGNORE, TRAIN_IGNORE, TRAIN_IGNORE};
	struct packed p = packed_new(8);
	packed_add(&p, ids, labels, 3);
	struct trainstep *t = step_of(m, (struct trainstep_options){0}, all_modules);
	ck_assert_double_eq(accumulate(t, &p, 0), 0.0);
	for (size_t i = 0; i < trainstep_lora(t)->n; i++)
		ck_assert_float_eq(trainstep_lora(t)->grad[i], 0.0f);
	trainstep_free(t);
	packed_done(&p);
	model_close(m);
}
END_TEST

START_TEST(unsound_batches_are_refused)
{
	struct model *m = open_model("llama-gqa");
	struct trainstep *t = step_of(m, (struct trainstep_options){.max_rows = 3}, all_modules);
	struct err err = ERR_INIT;
	double sum;
	static const struct { int32_t rows, ids[4], labels[4], positions[4], segments[4]; enum err_kind kind; } bad[] = {
		{4, {1, 1, 1, 1}, {1, 1, 1, 1}, {0, 1, 2, 3}, {0, 0, 0, 0}, ERR_LIMIT}, {0, {0}, {0}, {0}, {0}, ERR_LIMIT},
		{2, {1, 768}, {1, 1}, {0, 1}, {0, 0}, ERR_DATA},                       {2, {1, -1}, {1, 1}, {0, 1}, {0, 0}, ERR_DATA},
		{2, {1, 1}, {1, 768}, {0, 1}, {0, 0}, ERR_DATA},                       {2, {1, 1}, {1, -1}, {0, 1}, {0, 0}, ERR_DATA},
		{2, {1, 1}, {1, 1}, {0, -1}, {0, 0}, ERR_DATA},                        {2, {1, 1}, {1, 1}, {0, 1}, {0, 2}, ERR_DATA},
		{2, {1, 1}, {1, 1}, {0, 1}, {1, 1}, ERR_DATA},                         {3, {1, 1, 1}, {1, 1, 1}, {0, 1, 2}, {0, 1, 0}, ERR_DATA},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct micro_batch b = {bad[i].rows, bad[i].ids, bad[i].labels, bad[i].positions, bad[i].segments};
		ck_assert_int_lt(trainstep_accumulate(t, &b, 1, &sum, &err), 0);
		ck_assert_msg(err.kind == bad[i].kind, "batch %zu: %s", i, err.message);
	}
	trainstep_free(t);
	model_close(m);
}
END_TEST

START_TEST(a_diverged_loss_is_an_error_and_clears_the_gradient)
{
	struct model *m = open_model("llama-gqa");
	const int32_t lengths[] = {10};
	struct packed p = rows_of(lengths, 1, m->config.vocab);
	struct micro_batch b = packed_batch(&p);
	struct trainstep *t = step_of(m, (struct trainstep_options){0}, all_modules);
	struct err err = ERR_INIT;
	double sum, norm;
	trainstep_lora(t)->p[0] = NAN;
	ck_assert_int_lt(trainstep_accumulate(t, &b, 1, &sum, &err), 0);
	ck_assert_int_eq(err.kind, ERR_DIVERGED);
	ck_assert_float_eq(trainstep_lora(t)->grad[1], 0.0f);
	trainstep_lora(t)->grad[0] = INFINITY;
	ck_assert_int_lt(trainstep_update(t, 1e-3, &plain_adamw, &norm, &err), 0);
	ck_assert_int_eq(err.kind, ERR_DIVERGED);
	ck_assert_int_eq(trainstep_lora(t)->steps, 0);
	trainstep_free(t);
	packed_done(&p);
	model_close(m);
}
END_TEST

START_TEST(clipping_scales_the_gradient_to_the_norm)
{
	struct model *m = open_model("llama-gqa");
	const int32_t lengths[] = {30};
	struct packed p = rows_of(lengths, 1, m->config.vocab);
	struct trainstep *t = step_of(m, (struct trainstep_options){0}, all_modules);
	struct err err = ERR_INIT;
	accumulate(t, &p, 1);
	struct trainstep_adamw clipped = {0.0, 0.0, 1e-8, 0.0, 0.5}; /* beta1 0: the moment is the clipped gradient itself */
	double norm, after = 0;
	must(trainstep_update(t, 0.0, &clipped, &norm, &err));
	for (size_t i = 0; i < trainstep_lora(t)->n; i++)
		after += (double)trainstep_lora(t)->m[i] * trainstep_lora(t)->m[i];
	ck_assert_double_gt(norm, 0.5);
	ck_assert_double_eq_tol(sqrt(after), 0.5, 1e-4);
	trainstep_free(t);
	packed_done(&p);
	model_close(m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("trainstep");
	TCase *c = tcase_create("trainstep");
	tcase_set_timeout(c, 60);
	tcase_add_checked_fixture(c, start_pool, stop_pool);
	tcase_add_loop_test(c, packed_sequences_give_the_sum_of_single_ones, 0, 2);
	tcase_add_test(c, labels_are_shifted_within_a_sequence_only);
	tcase_add_loop_test(c, the_same_seed_gives_the_same_bits_and_a_checkpoint_resumes, 0, 2);
	tcase_add_loop_test(c, gradients_through_dropout_equal_finite_differences, 0, 2);
	tcase_add_test(c, dropout_is_off_in_evaluation_and_evaluation_leaves_no_gradient);
	tcase_add_test(c, a_memory_budget_trades_kept_layers_for_recomputation);
	tcase_add_test(c, a_batch_without_labels_is_harmless);
	tcase_add_test(c, unsound_batches_are_refused);
	tcase_add_test(c, a_diverged_loss_is_an_error_and_clears_the_gradient);
	tcase_add_test(c, clipping_scales_the_gradient_to_the_norm);
	suite_add_tcase(s, c);
	return run_suite(s);
}

/* LoRA parameters: PEFT's start values and scales, import and export, targets that do not exist, requantised bases. */
#include "tune_test.h"

static struct model *open_model(const char *name)
{
	struct err err = ERR_INIT;
	struct model *m;
	char path[512];
	snprintf(path, sizeof path, "%s/tests/golden/tiny/%s", source_root(), name);
	must(model_open(&m, path, &err));
	return m;
}

static void *bound(struct lora *l)
{
	void *block = mem_alloc(lora_bytes(l) + 64);
	lora_bind(l, (void *)(((uintptr_t)block + 63) & ~(uintptr_t)63));
	return block;
}

START_TEST(a_starts_uniform_and_b_at_zero)
{
	struct err err = ERR_INIT;
	struct model *m = open_model("llama-gqa");
	struct lora l;
	must(lora_layout(&l, m, &(struct lora_options){.slots = 1u << LIN_Q | 1u << LIN_DOWN, .rank = 8, .alpha = 16, .seed = 3}, NULL, &err));
	void *block = bound(&l);
	lora_init(&l);
	const struct lora_slot *q = lora_slot(&l, 1, LIN_Q), *down = lora_slot(&l, 1, LIN_DOWN);
	ck_assert_int_eq(lora_slot(&l, 1, LIN_K)->rank, 0);
	ck_assert_float_eq(q->scale, 2.0f);
	double mean = 0, square = 0, bound_q = 1.0 / sqrt(64.0);
	for (int64_t i = 0; i < 8 * 64; i++) {
		double a = l.p[q->a + (size_t)i];
		ck_assert_double_le(fabs(a), bound_q);
		mean += a / 512;
		square += a * a / 512;
	}
	ck_assert_double_lt(fabs(mean), 0.02);
	ck_assert_double_eq_tol(square, bound_q * bound_q / 3, 0.1 * bound_q * bound_q);
	for (int64_t i = 0; i < 8 * down->n; i++)
		ck_assert_float_eq(l.p[down->b + (size_t)i], 0.0f);
	ck_assert_float_ne(l.p[q->a], l.p[down->a]);
	free(block);
	lora_done(&l);
	model_close(m);
}
END_TEST

START_TEST(rslora_scales_by_the_root_of_the_rank)
{
	struct err err = ERR_INIT;
	struct model *m = open_model("llama-gqa");
	struct lora l;
	must(lora_layout(&l, m, &(struct lora_options){.slots = 1u << LIN_V, .rank = 16, .alpha = 8, .rslora = true}, NULL, &err));
	ck_assert_float_eq(lora_slot(&l, 0, LIN_V)->scale, 2.0f);
	lora_done(&l);
	model_close(m);
}
END_TEST

START_TEST(export_returns_what_import_took)
{
	struct err err = ERR_INIT;
	struct model *m = open_model("phi3-4k");
	struct adapter *init, out = {0};
	struct lora l;
	char path[512];
	snprintf(path, sizeof path, "%s/tests/golden/tiny/phi3-4k/adapter_init", source_root());
	must(adapter_open(&init, path, m, &err));
	must(lora_layout(&l, m, &(struct lora_options){0}, init, &err));
	void *block = bound(&l);
	lora_import(&l, init);
	lora_export(&l, &out);
	for (int32_t i = 0; i < l.layers * LIN_COUNT; i++) {
		const struct lora_pair *a = &init->pairs[i], *b = &out.pairs[i];
		ck_assert_int_eq(a->rank, b->rank);
		if (a->rank == 0)
			continue;
		ck_assert_float_eq(a->scale, b->scale);
		ck_assert_mem_eq(a->a, b->a, (size_t)(a->rank * l.slots[i].k) * sizeof(float));
		ck_assert_mem_eq(a->b, b->b, (size_t)(a->rank * l.slots[i].n) * sizeof(float));
	}
	arena_done(&out.arena);
	free(block);
	lora_done(&l);
	adapter_close(init);
	model_close(m);
}
END_TEST

START_TEST(impossible_options_are_refused)
{
	struct err err = ERR_INIT;
	struct model *m = open_model("llama-gqa");
	struct lora l;
	static const struct lora_options bad[] = {{.slots = 1u << LIN_QKV, .rank = 4, .alpha = 1}, {.slots = 1u << LIN_Q, .rank = 0}, {.slots = 1u << LIN_Q, .rank = LIMIT_LORA_RANK + 1},
						  {.slots = 1u << LIN_Q, .rank = 4, .dropout = 1.0}, {.slots = 1u << LIN_Q, .rank = 4, .dropout = -0.1}};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		ck_assert_int_lt(lora_layout(&l, m, &bad[i], NULL, &err), 0);
		ck_assert_int_eq(err.kind, ERR_CONFIG);
	}
	must(lora_layout(&l, m, &(struct lora_options){.slots = 1u << LIN_Q, .rank = LIMIT_LORA_RANK, .alpha = 1}, NULL, &err));
	lora_done(&l);
	model_close(m);
}
END_TEST

START_TEST(requantising_stays_near_the_weights_and_keeps_the_head)
{
	static const struct { enum dtype type; bool twice; double allowed; } kinds[] = {{DT_NF4, false, 0.16}, {DT_NF4, true, 0.17}, {DT_I8, false, 0.006}};
	struct err err = ERR_INIT;
	struct model *m = open_model("llama-gqa"), *plain = open_model("llama-gqa");
	struct lora_requantised *owner;
	must(lora_requantise(m, kinds[_i].type, kinds[_i].twice, &owner, &err));
	ck_assert_int_eq(m->head.type, DT_F32);
	for (int slot = 0; slot < LIN_COUNT; slot++) {
		const struct mat *q = &m->layers[2].linear[slot], *w = &plain->layers[2].linear[slot];
		float got[256], expect[256];
		for (int64_t r = 0; r < w->rows; r++) {
			double top = 0;
			mat_row_f32(q, r, got);
			mat_row_f32(w, r, expect);
			for (int64_t i = 0; i < w->cols; i++)
				top = fmax(top, fabs((double)expect[i]));
			for (int64_t i = 0; i < w->cols; i++)
				ck_assert_double_le(fabs((double)got[i] - expect[i]), kinds[_i].allowed * top * 1.6);
		}
	}
	ck_assert_int_lt(lora_requantise(plain, DT_Q4_0, false, &owner, &err), 0);
	ck_assert_int_eq(err.kind, ERR_UNSUPPORTED);
	model_close(m);
	model_close(plain);
	lora_requantised_free(owner);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lora");
	TCase *c = tcase_create("lora");
	tcase_add_test(c, a_starts_uniform_and_b_at_zero);
	tcase_add_test(c, rslora_scales_by_the_root_of_the_rank);
	tcase_add_test(c, export_returns_what_import_took);
	tcase_add_test(c, impossible_options_are_refused);
	tcase_add_loop_test(c, requantising_stays_near_the_weights_and_keeps_the_head, 0, 3);
	suite_add_tcase(s, c);
	return run_suite(s);
}

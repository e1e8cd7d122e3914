/* Which example stands where: split, packing, epochs, order. Everything is a function of seeds and numbers. */
#include "tune/batch.h"

#include <check.h>

static struct err err;

/* Examples without data: lengths only; token j of example i is 100 * i + j. */
static struct examples make(const int32_t *lengths, int64_t n)
{
	struct examples e = {.count = n, .rows = mem_array((size_t)n, sizeof *e.rows)};
	for (int64_t i = 0; i < n; i++) {
		e.rows[i] = (struct example_row){i, e.n_tokens, lengths[i]};
		e.tokens = mem_realloc(e.tokens, (e.n_tokens + (size_t)lengths[i]) * sizeof *e.tokens);
		for (int32_t j = 0; j < lengths[i]; j++)
			e.tokens[e.n_tokens++] = (int32_t)(100 * i) + j;
	}
	return e;
}

static const int64_t ALL[] = {0, 1, 2, 3, 4, 5, 6, 7};

START_TEST(split_is_a_permutation_and_depends_on_the_seed_only)
{
	int64_t *train, *eval, *again, *none, n_train, n_eval, n;
	ck_assert_int_eq(layout_split(10, 0.8, true, 42, &train, &n_train, &eval, &n_eval, &err), 0);
	ck_assert_int_eq(n_train, 8);
	ck_assert_int_eq(n_eval, 2);
	bool seen[10] = {0};
	for (int64_t i = 0; i < 10; i++)
		seen[i < 8 ? train[i] : eval[i - 8]] = true;
	for (int i = 0; i < 10; i++)
		ck_assert(seen[i]);
	ck_assert_int_eq(layout_split(10, 0.8, true, 42, &again, &n, &none, &n_eval, &err), 0);
	ck_assert_mem_eq(train, again, 8 * sizeof *train);
	free(train), free(eval), free(again), free(none);
	ck_assert_int_eq(layout_split(3, 1, false, 1, &train, &n_train, &eval, &n_eval, &err), 0);
	ck_assert(n_train == 3 && n_eval == 0 && train[0] == 0 && train[2] == 2);
	free(train), free(eval);
	ck_assert_int_eq(layout_split(1, 0.5, true, 1, &train, &n_train, &eval, &n_eval, &err), -1);
	ck_assert_int_eq(err.kind, ERR_DATA);
}
END_TEST

START_TEST(best_fit_packs_whole_examples_tightly)
{
	const int32_t lengths[] = {7, 3, 5, 5, 2, 8, 10, 1};
	struct examples e = make(lengths, 8);
	struct units u;
	ck_assert_int_eq(units_build(&u, &e, ALL, 8, PACKING_BEST_FIT, 10, &err), 0);
	ck_assert_int_eq(u.count, 5); /* 41 tokens: 10 | 8 2 | 7 3 | 5 5 | 1 */
	ck_assert_int_eq(u.longest, 10);
	ck_assert_int_eq(u.longest_sequence, 10);
	int32_t used[8] = {0};
	for (int64_t i = 0; i < u.count; i++) {
		ck_assert_int_le(units_length(&u, i), 10);
		for (int64_t p = u.first[i]; p < u.first[i + 1]; p++)
			used[u.parts[p].example] += u.parts[p].to - u.parts[p].from;
	}
	ck_assert_mem_eq(used, lengths, sizeof used);
	units_done(&u);
	examples_done(&e);
}
END_TEST

START_TEST(split_packing_keeps_the_cut_part)
{
	const int32_t lengths[] = {25, 3};
	struct examples e = make(lengths, 2);
	struct units u;
	ck_assert_int_eq(units_build(&u, &e, ALL, 2, PACKING_SPLIT, 10, &err), 0);
	ck_assert_int_eq(u.count, 3); /* 10 | 10 | 5 3 */
	int32_t total = 0;
	for (int64_t i = 0; i < u.count; i++)
		total += units_length(&u, i);
	ck_assert_int_eq(total, 28);
	units_done(&u);
	examples_done(&e);
}
END_TEST

START_TEST(wrapped_packing_is_one_stream)
{
	const int32_t lengths[] = {7, 3, 5};
	struct examples e = make(lengths, 3);
	struct units u;
	struct batch b;
	batch_init(&b, 15);
	ck_assert_int_eq(units_build(&u, &e, ALL, 3, PACKING_WRAPPED, 6, &err), 0);
	ck_assert_int_eq(u.count, 3);
	ck_assert_int_eq(u.longest_sequence, 6);
	ck_assert_int_eq(batch_fill(&b, &u, &e, (const int64_t[]){0, 1, 2}, 3, &err), 0);
	const int32_t ids[] = {0, 1, 2, 3, 4, 5, 6, 100, 101, 102, 200, 201, 202, 203, 204}, segments[] = {0, 0, 0, 0, 0, 0, 6, 6, 6, 6, 6, 6, 12, 12, 12};
	ck_assert_mem_eq(b.ids, ids, sizeof ids);
	ck_assert_mem_eq(b.segments, segments, sizeof segments);
	batch_done(&b);
	units_done(&u);
	examples_done(&e);
}
END_TEST

START_TEST(batch_keeps_sequences_apart)
{
	const int32_t lengths[] = {3, 2};
	struct examples e = make(lengths, 2);
	struct units u;
	struct batch b;
	e.tokens[1] = ~e.tokens[1];
	batch_init(&b, 5);
	ck_assert_int_eq(units_build(&u, &e, ALL, 2, PACKING_NONE, 0, &err), 0);
	ck_assert_int_eq(units_max_tokens(&u, 1), 3);
	ck_assert_int_eq(units_max_tokens(&u, 9), 5);
	ck_assert_int_eq(batch_fill(&b, &u, &e, (const int64_t[]){1, 0}, 2, &err), 0);
	struct micro_batch m = batch_view(&b);
	const int32_t ids[] = {100, 101, 0, 1, 2}, labels[] = {100, 101, 0, TRAIN_IGNORE, 2}, positions[] = {0, 1, 0, 1, 2}, segments[] = {0, 0, 2, 2, 2};
	ck_assert_int_eq(m.rows, 5);
	ck_assert_mem_eq(m.ids, ids, sizeof ids);
	ck_assert_mem_eq(m.labels, labels, sizeof labels);
	ck_assert_mem_eq(m.positions, positions, sizeof positions);
	ck_assert_mem_eq(m.segments, segments, sizeof segments);
	ck_assert_int_eq(batch_fill(&b, &u, &e, (const int64_t[]){0, 0}, 2, &err), -1);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
	batch_done(&b);
	units_done(&u);
	examples_done(&e);
}
END_TEST

START_TEST(updates_are_counted_as_transformers_does)
{
	struct plan p = {.units = 10, .batch = 2, .accumulation = 2, .epochs = 3, .random = true, .seed = 7};
	plan_finish(&p);
	ck_assert_int_eq(p.batches_per_epoch, 5);
	ck_assert_int_eq(p.updates_per_epoch, 3);
	ck_assert_int_eq(p.total_updates, 9);
	struct plan_position at = plan_update(&p, 5);
	ck_assert(at.epoch == 1 && at.first_batch == 4 && at.n_batches == 1);
	ck_assert_double_eq_tol(plan_epoch_after(&p, 1), 0.4, 1e-12);
	ck_assert_double_eq_tol(plan_epoch_after(&p, 3), 1, 1e-12);
	p.max_steps = 4;
	plan_finish(&p);
	ck_assert_int_eq(p.total_updates, 4);
	struct plan drop = {.units = 5, .batch = 2, .accumulation = 1, .epochs = 0.5, .drop_last = true};
	plan_finish(&drop);
	ck_assert(drop.batches_per_epoch == 2 && drop.total_updates == 1);
	struct plan small = {.units = 1, .batch = 8, .accumulation = 1, .epochs = 0.01, .drop_last = true};
	plan_finish(&small);
	ck_assert(small.batches_per_epoch == 1 && small.total_updates == 1);
}
END_TEST

START_TEST(order_differs_by_epoch_and_repeats_by_seed)
{
	struct plan p = {.units = 50, .batch = 1, .accumulation = 1, .epochs = 1, .random = true, .seed = 7};
	int64_t a[50], b[50], c[50];
	plan_finish(&p);
	plan_order(&p, 0, a);
	plan_order(&p, 1, b);
	plan_order(&p, 0, c);
	ck_assert_mem_eq(a, c, sizeof a);
	ck_assert_mem_ne(a, b, sizeof a);
	p.random = false;
	plan_order(&p, 1, b);
	for (int64_t i = 0; i < 50; i++)
		ck_assert_int_eq(b[i], i);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tune/layout");
	TCase *tc = tcase_create("layout");
	tcase_add_test(tc, split_is_a_permutation_and_depends_on_the_seed_only);
	tcase_add_test(tc, best_fit_packs_whole_examples_tightly);
	tcase_add_test(tc, split_packing_keeps_the_cut_part);
	tcase_add_test(tc, wrapped_packing_is_one_stream);
	tcase_add_test(tc, batch_keeps_sequences_apart);
	tcase_add_test(tc, updates_are_counted_as_transformers_does);
	tcase_add_test(tc, order_differs_by_epoch_and_repeats_by_seed);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}

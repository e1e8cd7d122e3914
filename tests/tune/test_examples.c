/* The dataset as tokens: kept or encoded again, fingerprints, and rows that change under a run. */
#include "tune/examples.h"

#include "base/fd.h"
#include <check.h>

static struct err err;
static struct weights *weights;
static struct tokenizer *tokenizer;
static struct collator collator;
static char path[64];
static const char *const PATHS[] = {path};

static void put_rows(int changed)
{
	struct buf text = {0};
	for (int i = 0; i < 8; i++)
		buf_printf(&text, "{\"text\":\"row number %d says %d\"}\n", i, i == changed ? 777 : i * i);
	ck_assert_int_eq(fd_write_file(path, text.data, text.len, 0644, &err), 0);
	buf_done(&text);
}

static void setup(void)
{
	char *model = mem_printf("%s/tests/golden/tiny/llama-gqa", getenv("KAITO_SOURCE_ROOT"));
	snprintf(path, sizeof path, "/tmp/kaito-examples-XXXXXX.jsonl");
	close(mkstemps(path, 6));
	ck_assert_msg(weights_open(&weights, model, &err) == 0 && tokenizer_open(&tokenizer, weights, &err) == 0, "%s", err.message);
	collator = (struct collator){.tokenizer = tokenizer, .eos = "<|im_end|>", .completion_only = -1};
	put_rows(-1);
	free(model);
}

static void teardown(void)
{
	unlink(path);
	tokenizer_free(tokenizer);
	weights_close(weights);
}

static struct data *open_rows(void)
{
	struct data *d = NULL;
	ck_assert_msg(data_open(&d, PATHS, 1, NULL, &err) == 0, "%s", err.message);
	return d;
}

static struct examples read_rows(struct data *d, size_t max_tokens)
{
	struct examples e;
	ck_assert_msg(examples_read(&e, d, &collator, &(struct examples_options){.max_tokens = max_tokens}, NULL, &err) == 0, "%s", err.message);
	return e;
}

START_TEST(rows_past_the_memory_limit_are_encoded_again)
{
	struct data *d = open_rows(), *again = open_rows();
	struct examples all = read_rows(d, 0), few = read_rows(again, 30);
	ck_assert_str_eq(all.fingerprint, few.fingerprint);
	ck_assert(few.n_tokens <= 30 && few.rows[7].at == EXAMPLE_NOT_KEPT && all.rows[7].at != EXAMPLE_NOT_KEPT);
	for (int64_t i = 7; i >= 0; i--) {
		const int32_t *a = examples_tokens(&all, i, &err), *b = examples_tokens(&few, i, &err);
		ck_assert_int_eq(all.rows[i].length, few.rows[i].length);
		ck_assert_mem_eq(a, b, (size_t)all.rows[i].length * sizeof *a);
	}
	examples_done(&all);
	examples_done(&few);
	data_close(d);
	data_close(again);
}
END_TEST

START_TEST(fingerprint_depends_on_every_row)
{
	struct data *d = open_rows();
	struct examples e = read_rows(d, 0);
	put_rows(5);
	struct data *other = open_rows();
	struct examples changed = read_rows(other, 0);
	ck_assert_str_ne(e.fingerprint, changed.fingerprint);
	examples_done(&e);
	examples_done(&changed);
	data_close(d);
	data_close(other);
}
END_TEST

START_TEST(reading_stops_when_asked)
{
	struct data *d = open_rows();
	struct examples e;
	atomic_bool stop = true;
	ck_assert_int_eq(examples_read(&e, d, &collator, &(struct examples_options){.stop = &stop}, NULL, &err), -1);
	ck_assert_int_eq(err.kind, ERR_CANCELLED);
	data_close(d);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tune/examples");
	TCase *tc = tcase_create("examples");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, rows_past_the_memory_limit_are_encoded_again);
	tcase_add_test(tc, fingerprint_depends_on_every_row);
	tcase_add_test(tc, reading_stops_when_asked);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}

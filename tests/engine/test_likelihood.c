/* test_likelihood.c: the fast path costs no quality: mean NLL of 16 windows of 512 tokens of instruction text within 0.003 of
 * float32. The text is the dataset of `make demo`, found through KAITO_TEST_DATASET; without it or the model the test is skipped. */
#include "check_main.h"
#include "data/data.h"
#include "engine/engine.h"

#include <math.h>

enum { WINDOWS = 16, WINDOW = 512 };
static const char *model_path, *dataset;

/* Questions and answers of the first rows, one after the other. */
static void read_text(struct buf *out)
{
	struct err err = ERR_INIT;
	struct data *d;
	ck_assert_msg(data_open(&d, &dataset, 1, NULL, &err) == 0, "%s", err.message);
	for (int64_t i = 0; i < data_rows(d) && out->len < 60000; i++) {
		struct data_row row = {0};
		ck_assert_msg(data_read(d, i, &row, &err) == 0, "%s", err.message);
		size_t k;
		json_t *message;
		json_array_foreach(row.messages, k, message) buf_printf(out, "%s\n\n", json_string_value(json_object_get(message, "content")));
		data_row_done(&row);
	}
	data_close(d);
}

static double mean_nll(struct model *m, const struct tokenizer *t, enum compute compute, const struct token_vec *ids)
{
	struct err err = ERR_INIT;
	struct engine *e;
	double sum = 0, nll;
	ck_assert_msg(engine_new(&e, m, t, &(struct engine_options){.compute = compute, .max_model_len = WINDOW, .max_sequences = 1}, &err) == 0, "%s", err.message);
	for (int i = 0; i < WINDOWS; i++) {
		ck_assert_msg(engine_nll(e, ids->data + WINDOW * i, WINDOW, -1, &nll, &err) == 0, "%s", err.message);
		sum += nll;
	}
	engine_free(e);
	return sum / WINDOWS;
}

START_TEST(the_fast_path_is_within_three_thousandths_of_float32)
{
	struct err err = ERR_INIT;
	struct buf text = {0};
	struct token_vec ids = {0};
	double nll[2];
	read_text(&text);
	for (int fast = 0; fast < 2; fast++) { /* opened twice: packing drops the source that the exact path reads */
		struct model *m;
		struct tokenizer *t;
		ck_assert_msg(model_open(&m, model_path, &err) == 0 && tokenizer_open(&t, m->weights, &err) == 0, "%s", err.message);
		if (!fast)
			ck_assert_msg(tokenizer_encode(t, buf_str(&text), false, false, &ids, &err) == 0, "%s", err.message);
		ck_assert_uint_ge(ids.len, WINDOWS * WINDOW);
		nll[fast] = mean_nll(m, t, fast ? COMPUTE_FAST : COMPUTE_F32, &ids);
		tokenizer_free(t);
		model_close(m);
	}
	printf("mean NLL of %d tokens: float32 %.5f, fast %.5f\n", WINDOWS * WINDOW, nll[0], nll[1]);
	ck_assert_msg(fabs(nll[0] - nll[1]) < 0.003, "nll %.5f exact, %.5f fast", nll[0], nll[1]);
	vec_done(&ids);
	buf_done(&text);
}
END_TEST

int main(void)
{
	model_path = getenv("KAITO_TEST_MODEL");
	dataset = getenv("KAITO_TEST_DATASET");
	if (!model_path || !dataset) {
		puts("skipped: set KAITO_TEST_MODEL and KAITO_TEST_DATASET (scripts/fetch_model.sh, scripts/fetch_dataset.sh)");
		return CHECK_SKIPPED;
	}
	CHECK_RUN("likelihood", 280, the_fast_path_is_within_three_thousandths_of_float32);
}

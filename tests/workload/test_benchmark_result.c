/* The figures of the post-load benchmark in a server's log. */
#include "check_main.h"
#include "codec/json.h"
#include "kube/meta.h"
#include "workload/benchmark_result.h"
#include <string.h>

#define CONFIG "KAITO_BENCHMARK_CONFIG 2026-01-01T00:00:00Z {\"duration_sec\": 60, \"input_tokens\": 1024, \"output_tokens\": 256, \"max_concurrency\": 16}\n"
#define RESULT(tpm) "KAITO_BENCHMARK_RESULT 2026-01-01T00:01:00Z {\"vllm_total_tpm\": " tpm ", \"ttft_avg_ms\": 80.5, \"tpot_avg_ms\": 12.25}\n"

static json_t *parsed(const char *log)
{
	json_t *out = NULL;
	struct err err;
	ck_assert_msg(benchmark_result_parse(str_of(log), "0.25.1", "", &out, &err) == 0, "%s", err.message);
	return out;
}

static void assert_value(const char *log, const char *value)
{
	json_t *out = parsed(log);
	ck_assert_str_eq(json_text_at(out, "", "value", NULL), value);
	json_decref(out);
}

/* As recorded: stage "pods" of a Workspace whose log said this. */
START_TEST(figures_read_as_upstream_writes_them)
{
	json_t *wanted = json_loads("{\"value\":\"123456.5\",\"unit\":\"tokens/min\",\"description\":\"stress/high-concurrency\",\"config\":{\"durationSec\":\"60\","
				    "\"engine\":\"vllm\",\"engineVersion\":\"0.25.1\",\"inputTokens\":\"1024\",\"maxConcurrency\":\"16\",\"outputTokens\":\"256\","
				    "\"quantization\":\"\"}}", 0, NULL);
	json_t *out = parsed("INFO starting\n" CONFIG "noise\n" RESULT("123456.5"));
	ck_assert(json_equal(out, wanted));
	json_decref(out);
	json_decref(wanted);
}
END_TEST

START_TEST(last_readable_line_counts)
{
	assert_value(CONFIG RESULT("1") RESULT("2000.0"), "2000");
	assert_value(RESULT("7") "KAITO_BENCHMARK_RESULT t {\"vllm_total_tpm\": 9", "7");
	assert_value("INFO 12-01 [x.py:1] " RESULT("5") "KAITO_BENCHMARK_RESULT t", "5");
	assert_value(RESULT("1e3"), "1000");
}
END_TEST

START_TEST(lines_past_the_limit_are_skipped)
{
	struct buf log = {0};
	char tail[] = " KAITO_BENCHMARK_RESULT t {\"vllm_total_tpm\": 3}\n";
	for (size_t past = 0; past < 2; past++) {
		buf_clear(&log);
		buf_puts(&log, RESULT("2"));
		char *room = buf_reserve(&log, LIMIT_BENCHMARK_LINE_BYTES);
		size_t filler = LIMIT_BENCHMARK_LINE_BYTES - strlen(tail) + 1 + past;
		memset(room, 'x', filler);
		log.len += filler;
		buf_puts(&log, tail);
		assert_value(log.data, past ? "2" : "3");
	}
	buf_done(&log);
}
END_TEST

static const struct { const char *log; enum err_kind kind; } BAD[] = {
	{"", ERR_NOT_FOUND},
	{"all is well\n", ERR_NOT_FOUND},
	{CONFIG, ERR_NOT_FOUND},
	{"KAITO_BENCHMARK_RESULT", ERR_INVALID},
	{"KAITO_BENCHMARK_RESULT t [1]", ERR_INVALID},
	{"KAITO_BENCHMARK_RESULT t {\"ttft_avg_ms\": 1}", ERR_INVALID},
	{"KAITO_BENCHMARK_RESULT t {\"vllm_total_tpm\": \"5\"}", ERR_INVALID},
	{RESULT("0"), ERR_INVALID},
	{RESULT("-3"), ERR_INVALID},
};

START_TEST(unusable_logs_are_refused)
{
	for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
		json_t *out = NULL;
		struct err err;
		ck_assert_msg(benchmark_result_parse(str_of(BAD[i].log), "1", "", &out, &err) < 0, "%s", BAD[i].log);
		ck_assert_int_eq(err.kind, BAD[i].kind);
		ck_assert_ptr_null(out);
	}
}
END_TEST

START_TEST(log_cut_at_every_byte_is_no_crash)
{
	const char log[] = CONFIG RESULT("123456.5");
	for (size_t n = 0; n < sizeof log - 1; n++) {
		json_t *out = NULL;
		struct err err;
		if (benchmark_result_parse((str){log, n}, "1", "", &out, &err) == 0)
			ck_assert_uint_ge(n, sizeof log - 2);
		json_decref(out);
	}
}
END_TEST

int main(void)
{
	CHECK_RUN("benchmark_result", 20, figures_read_as_upstream_writes_them, last_readable_line_counts, lines_past_the_limit_are_skipped,
		  unusable_logs_are_refused, log_cut_at_every_byte_is_no_crash);
}

/* benchmark_result.c: finds the two tagged lines in a server's log. A line may have anything before its tag (a logger's prefix) and a word
 * between tag and JSON (a time). The last one that can be read counts, so that a line cut by the end of the log spoils nothing. */
#include "workload/benchmark_result.h"

#include "base/buf.h"
#include "base/limits.h"
#include "codec/json.h"
#include <math.h>

struct found { json_t *value; bool seen; };

static size_t find(str text, str what)
{
	const char *at = text.len >= what.len ? memmem(text.data, text.len, what.data, what.len) : NULL;
	return at ? (size_t)(at - text.data) : text.len;
}

static void read_line(struct found *f, str line, str tag)
{
	size_t at = find(line, tag);
	if (at == line.len)
		return;
	f->seen = true;
	str text = str_trim(str_sub(line, str_find(line, '{', at), line.len));
	json_t *value = NULL;
	struct err ignored;
	if (json_parse(&value, text, "benchmark", &ignored) < 0 || !json_is_object(value)) {
		json_decref(value);
		return;
	}
	json_decref(f->value);
	f->value = value;
}

static void read_log(str log, struct found *config, struct found *result)
{
	for (size_t at = 0; at < log.len;) {
		size_t end = str_find(log, '\n', at);
		str line = str_sub(log, at, end);
		at = end + 1;
		if (line.len > LIMIT_BENCHMARK_LINE_BYTES)
			continue;
		read_line(config, line, STR("KAITO_BENCHMARK_CONFIG"));
		read_line(result, line, STR("KAITO_BENCHMARK_RESULT"));
	}
}

/* A number as text: 60, 123456.5. */
static json_t *number_text(double value)
{
	struct buf out = {0};
	json_put_double(&out, value);
	if (str_ends(buf_str(&out), STR(".0")))
		out.data[out.len -= 2] = 0;
	json_t *text = json_string(out.data);
	buf_done(&out);
	return text;
}

static json_t *config_of(const json_t *given, const char *engine_version, const char *quantization)
{
	static const char *const NAMES[][2] = {{"duration_sec", "durationSec"}, {"input_tokens", "inputTokens"}, {"output_tokens", "outputTokens"},
		{"max_concurrency", "maxConcurrency"}};
	json_t *config = json_object();
	for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
		const json_t *value = json_object_get(given, NAMES[i][0]);
		if (json_is_number(value))
			json_object_set_new(config, NAMES[i][1], number_text(json_number_value(value)));
	}
	json_object_set_new(config, "engine", json_string("vllm"));
	json_object_set_new(config, "engineVersion", json_string(engine_version));
	json_object_set_new(config, "quantization", json_string(quantization));
	return config;
}

static int tokens_per_minute(const struct found *result, double *out, struct err *err)
{
	if (!result->seen)
		return err_set(err, ERR_NOT_FOUND, "no KAITO_BENCHMARK_RESULT line in the last lines of the server's log");
	if (!result->value)
		return err_set(err, ERR_INVALID, "the KAITO_BENCHMARK_RESULT line of the server's log has no JSON object");
	const json_t *tpm = json_object_get(result->value, "vllm_total_tpm");
	if (!json_is_number(tpm))
		return err_set(err, ERR_INVALID, "the KAITO_BENCHMARK_RESULT line of the server's log has no number vllm_total_tpm");
	double value = json_number_value(tpm);
	if (!(value > 0) || !isfinite(value))
		return err_set(err, ERR_INVALID, "the benchmark measured %g tokens per minute; look for failed requests in the server's log", value);
	*out = value;
	return 0;
}

int benchmark_result_parse(str log, const char *engine_version, const char *quantization, json_t **out, struct err *err)
{
	struct found config = {0}, result = {0};
	double tpm = 0;
	read_log(log, &config, &result);
	int rc = tokens_per_minute(&result, &tpm, err);
	if (rc == 0)
		*out = json_pack("{s:o, s:s, s:s, s:o}", "value", number_text(tpm), "unit", "tokens/min", "description", "stress/high-concurrency",
				 "config", config_of(config.value, engine_version, quantization));
	json_decref(config.value);
	json_decref(result.value);
	return rc;
}

/* docs.c: the pages. To add one: a function and a row. */
#include "contract/docs.h"

#include "base/fd.h"
#include "base/limits.h"
#include "contract/training_config.h"
#include "contract/tune_metrics.h"

#define GENERATED "<!-- Printed from the tables by kaito-docs; do not edit. -->\n"

static int print_training_config(const char *source_root, struct buf *out, struct err *err)
{
	(void)source_root, (void)err;
	size_t n;
	const struct field_section *sections = training_config_sections(&n);
	buf_puts(out, "# training_config.yaml\n\n" GENERATED "\n"
		      "What `kaito tune --config FILE` reads (also the key `training_config.yaml` of the ConfigMap that `tuning.config` names). One key,\n"
		      "`training_config`, with the sections below; every section and key may be left out. An unknown key, a wrong type or a value out of\n"
		      "range is an error that names the line, the key and the nearest valid name. Keys marked *no effect here* are accepted, as upstream\n"
		      "accepts them, and reported once; keys marked *not supported* are accepted only when they are off. `null` means \"not given\"; numbers\n"
		      "written as text (`\"2e-4\"`) count as numbers.\n\n"
		      "Without `--config`, this is used for `--method qlora` (for `lora`, QuantizationConfig is just `load_in_4bit: false`):\n\n```yaml\n");
	buf_put_str(out, training_config_template(METHOD_QLORA));
	buf_puts(out, "```\n");
	field_print_page(sections, n, out);
	return 0;
}

static int print_exit_codes(const char *source_root, struct buf *out, struct err *err)
{
	(void)source_root, (void)err;
	static const char *const RETRIES[] = {[ERR_RETRY_NEVER] = "no", [ERR_RETRY_BACKOFF] = "later", [ERR_RETRY_NOW] = "at once"};
	buf_puts(out, "# Exit codes\n\n" GENERATED "\n"
		      "Every command ends with 0 or with the code of its error's kind. Codes above 128 are never ours: 128+n is a signal, 137 an\n"
		      "out-of-memory kill. The same kind and reason stand in the termination message and in HTTP answers.\n\n"
		      "| code | kind | reason | HTTP status | worth a retry |\n| --- | --- | --- | --- | --- |\n");
	for (int kind = 0; kind < ERR_KIND_COUNT; kind++) {
		const struct err_traits *t = err_traits((enum err_kind)kind);
		buf_printf(out, "| %d | `%s` | `%s` | %d | %s |\n", t->exit_code, t->name, t->reason, t->http_status, kind ? RETRIES[t->retry] : "-");
	}
	buf_puts(out, "\n`saved`: `kaito tune` got SIGTERM or SIGINT, wrote its resume checkpoint and stopped; the same command continues from there.\n\n"
		      "## Termination message\n\n"
		      "In a pod, `kaito tune`, and `kaito pull` and `kaito serve` when they fail, write how they ended to `/dev/termination-log`\n"
		      "(or to `$KAITO_TERMINATION_LOG`): a JSON object of at most 4096\n"
		      "bytes with `kind`, `reason`, `exitCode`, `message` and, where known, `file`, `row` (from 1), `step`, `loss` and `image`.\n");
	return 0;
}

static int print_tune_metrics(const char *source_root, struct buf *out, struct err *err)
{
	(void)source_root, (void)err;
	static const char *const KINDS[] = {[METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};
	buf_puts(out, "# Metrics of a tuning run\n\n" GENERATED "\n"
		      "`kaito tune` answers `GET :5000/metrics` while it trains (`--metrics-port` changes the port, 0 switches it off): Prometheus text, or\n"
		      "upstream's JSON (`cpu_info`) when the request accepts `application/json` only.\n\n"
		      "| metric | kind | meaning |\n| --- | --- | --- |\n");
	for (size_t i = 0; i < TUNE_METRIC_COUNT; i++)
		buf_printf(out, "| `%s` | %s | %s |\n", TUNE_METRICS[i].name, KINDS[TUNE_METRICS[i].kind], TUNE_METRICS[i].help);
	return 0;
}

/* One line "#define LIMIT_X value (comment) reason" of limits.h. */
static void put_limit(struct buf *out, str line)
{
	if (!str_starts(line, STR("#define LIMIT_")))
		return;
	line = str_sub(line, 8, line.len);
	size_t space = str_find(line, ' ', 0);
	str name = str_sub(line, 0, space), rest = str_sub(line, space, line.len), why = {0};
	const char *comment = memmem(rest.data, rest.len, "/*", 2), *end = memmem(rest.data, rest.len, "*/", 2);
	if (comment && end && end > comment) {
		why = str_trim((str){comment + 2, (size_t)(end - comment) - 2});
		rest.len = (size_t)(comment - rest.data);
	}
	rest = str_trim(rest);
	buf_printf(out, "| `%.*s` | `%.*s` | %.*s |\n", STR_FMT(name), STR_FMT(rest), STR_FMT(why));
}

static int print_limits(const char *source_root, struct buf *out, struct err *err)
{
	CLEANUP(mem_freep) char *path = fd_join(source_root, "src/base/limits.h");
	CLEANUP(buf_done) struct buf text = {0};
	if (fd_read_file(path, (size_t)1 << 20, &text, err) < 0)
		return -1;
	buf_puts(out, "# Limits\n\n" GENERATED "\nEvery ceiling on something that comes from outside. Going past one is an error of kind `limit` that names it.\n\n"
		      "| limit | value | on |\n| --- | --- | --- |\n");
	str all = buf_str(&text);
	for (size_t from = 0, to; from < all.len; from = to + 1) {
		to = str_find(all, '\n', from);
		put_limit(out, str_sub(all, from, to));
	}
	return 0;
}

const struct docs_page DOCS_PAGES[] = {
	{"exit-codes", print_exit_codes},
	{"limits", print_limits},
	{"training-config", print_training_config},
	{"tuning-metrics", print_tune_metrics},
};
const size_t DOCS_PAGE_COUNT = sizeof DOCS_PAGES / sizeof DOCS_PAGES[0];

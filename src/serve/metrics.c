/* metrics.c: what /metrics shows. Names are vLLM's where the meaning is the same, so that its dashboards and the
 * autoscaler upstream uses keep working. Gauges are read from the engine when asked. */
#include "serve/routes.h"

#include "base/buf.h"
#include "base/log.h"
#include <stdio.h>
#include <unistd.h>

static const double SECONDS[] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160};
static const double STEP_SECONDS[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5};
static const double REQUEST_SECONDS[] = {0.05, 0.1, 0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960};
static const double TOKENS[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000};
static const double CHOICES[] = {1, 2, 5, 10, 20};
#define BOUNDS(a) a, sizeof a / sizeof a[0]

/* To add a metric: an enumerator in routes.h, a row here. */
static const struct metric_row ROWS[METRIC_COUNT] = {
	[METRIC_RUNNING] = {"vllm:num_requests_running", "Sequences in the current batch.", METRIC_GAUGE, NULL, 0},
	[METRIC_WAITING] = {"vllm:num_requests_waiting", "Sequences that wait for a slot.", METRIC_GAUGE, NULL, 0},
	[METRIC_KV_USAGE] = {"vllm:kv_cache_usage_perc", "KV cache in use; 1 is all of it.", METRIC_GAUGE, NULL, 0},
	[METRIC_PREEMPTIONS] = {"vllm:num_preemptions_total", "Sequences put back for want of cache.", METRIC_COUNTER, NULL, 0},
	[METRIC_PROMPT_TOKENS] = {"vllm:prompt_tokens_total", "Prompt tokens processed.", METRIC_COUNTER, NULL, 0},
	[METRIC_GENERATION_TOKENS] = {"vllm:generation_tokens_total", "Tokens generated.", METRIC_COUNTER, NULL, 0},
	[METRIC_SUCCESS] = {"vllm:request_success_total", "Finished sequences by reason.", METRIC_COUNTER, NULL, 0},
	[METRIC_TTFT] = {"vllm:time_to_first_token_seconds", "From submission to the first token.", METRIC_HISTOGRAM, BOUNDS(SECONDS)},
	[METRIC_INTER_TOKEN] = {"vllm:inter_token_latency_seconds", "Between two tokens of a sequence.", METRIC_HISTOGRAM, BOUNDS(STEP_SECONDS)},
	[METRIC_E2E] = {"vllm:e2e_request_latency_seconds", "From submission to the last token.", METRIC_HISTOGRAM, BOUNDS(REQUEST_SECONDS)},
	[METRIC_PROMPT_SIZE] = {"vllm:request_prompt_tokens", "Prompt tokens of a sequence.", METRIC_HISTOGRAM, BOUNDS(TOKENS)},
	[METRIC_GENERATION_SIZE] = {"vllm:request_generation_tokens", "Generated tokens of a sequence.", METRIC_HISTOGRAM, BOUNDS(TOKENS)},
	[METRIC_PARAM_N] = {"vllm:request_params_n", "The parameter n of requests.", METRIC_HISTOGRAM, BOUNDS(CHOICES)},
	[METRIC_PARAM_MAX_TOKENS] = {"vllm:request_params_max_tokens", "Token ceilings of requests.", METRIC_HISTOGRAM, BOUNDS(TOKENS)},
	[METRIC_LORA_INFO] = {"vllm:lora_requests_info", "Adapters loaded; 1 each.", METRIC_GAUGE, NULL, 0},
	[METRIC_CACHE_INFO] = {"vllm:cache_config_info", "Facts about the cache as labels; always 1.", METRIC_GAUGE, NULL, 0},
	[METRIC_REJECTED] = {"kaito_ratelimit_rejected_total", "Requests answered 429 because too many wait.", METRIC_COUNTER, NULL, 0},
	[METRIC_HTTP_REQUESTS] = {"http_requests_total", "HTTP requests by route, method and status class.", METRIC_COUNTER, NULL, 0},
	[METRIC_HTTP_SECONDS] = {"http_request_duration_seconds", "Time to the last byte of a reply, by route.", METRIC_HISTOGRAM, BOUNDS(REQUEST_SECONDS)},
	[METRIC_RESIDENT_BYTES] = {"process_resident_memory_bytes", "Resident memory.", METRIC_GAUGE, NULL, 0},
	[METRIC_START_TIME] = {"process_start_time_seconds", "When the server started, Unix time.", METRIC_GAUGE, NULL, 0},
};

struct metrics *serve_metrics_new(const char *model)
{
	CLEANUP(buf_done) struct buf labels = {0};
	metrics_label(&labels, "engine", "0");
	metrics_label(&labels, "model_name", model);
	return metrics_new(ROWS, METRIC_COUNT, labels.data);
}

void serve_count_request(void *context, const struct http_exchange *x, int status, int64_t elapsed_ms)
{
	struct serve *s = context;
	const struct http_route *route = http_route(x);
	char class[16];
	CLEANUP(buf_done) struct buf labels = {0};
	snprintf(class, sizeof class, "%dxx", status / 100);
	metrics_label(&labels, "handler", route ? route->path : "none");
	metrics_observe(s->metrics, METRIC_HTTP_SECONDS, labels.data, (double)elapsed_ms / 1000);
	metrics_label(&labels, "method", route ? route->method : "other");
	metrics_label(&labels, "status", class);
	metrics_add(s->metrics, METRIC_HTTP_REQUESTS, labels.data, 1);
	if (s->o.log_requests)
		log_info("%.*s %.*s %d %lld ms %s", STR_FMT(http_method(x)), STR_FMT(http_path(x)), status, (long long)elapsed_ms, http_request_id(x));
}

static double resident_bytes(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	if (!f)
		return 0;
	if (fscanf(f, "%*d %ld", &pages) != 1)
		pages = 0;
	fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void read_engine(struct serve *s)
{
	struct engine_stats e = {0};
	char label[96];
	engine_stats(s->o.engine, &e);
	metrics_set(s->metrics, METRIC_RUNNING, NULL, e.running);
	metrics_set(s->metrics, METRIC_WAITING, NULL, e.waiting);
	metrics_set(s->metrics, METRIC_KV_USAGE, NULL, e.kv_usage);
	metrics_set(s->metrics, METRIC_PREEMPTIONS, NULL, (double)e.preempted);
	metrics_set(s->metrics, METRIC_PROMPT_TOKENS, NULL, (double)e.prompt_tokens);
	metrics_set(s->metrics, METRIC_GENERATION_TOKENS, NULL, (double)e.output_tokens);
	metrics_set(s->metrics, METRIC_RESIDENT_BYTES, NULL, resident_bytes());
	metrics_set(s->metrics, METRIC_START_TIME, NULL, (double)s->started);
	metrics_add(s->metrics, METRIC_REJECTED, NULL, 0);
	snprintf(label, sizeof label, "kv_bytes=\"%zu\",max_model_len=\"%d\",max_num_seqs=\"%d\"", e.kv_bytes, e.max_model_len, e.max_sequences);
	metrics_set(s->metrics, METRIC_CACHE_INFO, label, 1);
}

int serve_metrics(struct http_exchange *x, struct err *err)
{
	(void)err;
	CLEANUP(buf_done) struct buf text = {0};
	read_engine(serve_of(x));
	metrics_render(serve_of(x)->metrics, &text);
	return http_reply(x, 200, METRICS_CONTENT_TYPE, buf_str(&text));
}

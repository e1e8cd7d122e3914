/* inference_set_status.c: the status of an InferenceSet, computed from its children. Pure up to the one write at the end. */
#include "control/inference_set.h"

#include "base/clock.h"
#include "base/mem.h"
#include "crd/names.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct figures { int64_t ready, benchmarked; double tokens_per_minute; const json_t *config; /* of one of them */ };

static struct figures add_up(const json_t *children)
{
	struct figures f = {0};
	const json_t *child;
	size_t i;
	json_array_foreach(children, i, child) {
		const json_t *peak = json_at(child, "status", "performance", "metrics", "peakTokensPerMinute", NULL);
		f.ready += inference_set_child_ready(child);
		f.benchmarked += condition_is(json_at(child, "status", "conditions", NULL), "BenchmarkCompleted", "True");
		if (!peak)
			continue;
		f.tokens_per_minute += strtod(json_text_at(peak, "0", "value", NULL), NULL);
		f.config = f.config ? f.config : json_object_get(peak, "config");
	}
	return f;
}

static void put(struct inference_set_pass *p, json_t *status, const char *type, bool holds, const char *reason, const char *message)
{
	char now[32];
	clock_rfc3339(clock_wall_s(), now);
	struct condition c = {type, holds ? "True" : "False", reason, message};
	condition_set(json_object_get(status, "conditions"), &c, meta_generation(p->object), now);
}

static void put_ready(struct inference_set_pass *p, json_t *status, const struct figures *f)
{
	CLEANUP(buf_done) struct buf text = {.max = 1024};
	bool ready = f->ready == p->replicas && (int64_t)json_array_size(p->children) == p->replicas;
	if (p->error.kind != ERR_NONE)
		buf_puts(&text, p->error.message);
	else if (ready)
		buf_puts(&text, "inferenceset is ready");
	else
		buf_printf(&text, "inferenceset is not ready, %" PRId64 "/%" PRId64 " replicas are ready", f->ready, p->replicas);
	if (!ready && p->ceiling < p->replicas)
		buf_printf(&text, "; nodeCountLimit %" PRId64 " allows %" PRId64 " of them", json_int_at(p->spec, 0, "nodeCountLimit", NULL), p->ceiling);
	if (p->error.kind != ERR_NONE)
		put(p, status, "InferenceSetReady", false, "inferencesetFailed", text.data);
	else
		put(p, status, "InferenceSetReady", ready, ready ? "inferencesetReady" : "inferencesetNotReady", text.data);
}

/* Children that run no benchmark never complete one; then the condition would wait for ever. */
static bool benchmarks(const struct inference_set_pass *p)
{
	const json_t *annotation = json_at(p->spec, "template", "metadata", "annotations", ANNOTATION_NO_BENCHMARK, NULL);
	return json_at(p->spec, "template", "inference", "preset", NULL) && strcmp(json_text_at(annotation, "", NULL), "true") != 0;
}

static void put_benchmark(struct inference_set_pass *p, json_t *status, const struct figures *f)
{
	char text[96];
	if (!benchmarks(p)) {
		condition_remove(json_object_get(status, "conditions"), "BenchmarkCompleted");
		return;
	}
	bool done = f->benchmarked == p->replicas;
	snprintf(text, sizeof text, "%" PRId64 "/%" PRId64 " replicas benchmarked", f->benchmarked, p->replicas);
	put(p, status, "BenchmarkCompleted", done, done ? "BenchmarkCompleted" : "BenchmarkPending", text);
}

static void put_pool(struct inference_set_pass *p, json_t *status)
{
	if (p->pool.wanted)
		put(p, status, "InferencePoolReady", p->pool.ready, p->pool.reason, p->pool.message);
}

static void put_performance(json_t *status, const struct figures *f)
{
	if (f->tokens_per_minute <= 0) {
		json_object_del(status, "performance");
		return;
	}
	char value[64];
	snprintf(value, sizeof value, "%.2f", f->tokens_per_minute);
	json_object_set_new(status, "performance",
			    json_pack("{s:{s:{s:{s:s,s:s,s:s},s:s,s:s,s:s}}}", "metrics", "aggregatedPeakTokensPerMinute", "config", "engine",
				      json_text_at(f->config, "", "engine", NULL), "engineVersion", json_text_at(f->config, "", "engineVersion", NULL), "quantization",
				      json_text_at(f->config, "", "quantization", NULL), "description", "stress/high-concurrency", "unit", "tokens/min", "value", value));
}

/* Counts that are zero are left out, as a typed client does. */
static void put_count(json_t *status, const char *key, int64_t n)
{
	if (n > 0)
		json_object_set_new(status, key, json_integer(n));
	else
		json_object_del(status, key);
}

int inference_set_status_write(struct inference_set_pass *p, struct err *err)
{
	struct figures f = add_up(p->children);
	CLEANUP(json_decrefp) json_t *status = object_status_copy(p->object);
	CLEANUP(mem_freep) char *selector = mem_printf(LABEL_CREATED_BY_SET "=%s", meta_name(p->object));
	put_ready(p, status, &f);
	put_benchmark(p, status, &f);
	put_pool(p, status);
	put_performance(status, &f);
	put_count(status, "replicas", (int64_t)json_array_size(p->children));
	put_count(status, "readyReplicas", f.ready);
	json_object_set_new(status, "selector", json_string(selector));
	return object_write_status(&p->home, &p->object, status, err);
}

int inference_set_status_deleting(struct inference_set_pass *p, struct err *err)
{
	CLEANUP(json_decrefp) json_t *status = object_status_copy(p->object);
	put(p, status, "InferenceSetDeleting", true, "inferencesetDeleted", "inferenceset is being deleted");
	return object_write_status(&p->home, &p->object, status, err);
}

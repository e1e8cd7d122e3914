/* eviction.c: see eviction.h. */
#include "nodes/eviction.h"

#include "base/clock.h"
#include "kube/meta.h"
#include "nodes/pace.h"
#include <string.h>

static const int64_t PAUSE_FIRST_MS = 100, PAUSE_MAX_MS = 10000;
static struct pace pods = PACE_INIT; /* by uid */

/* The HTTP status behind an error, as the metric's label. To add a kind: a row; what has none was no answer. */
static const struct { enum err_kind kind; const char *code; } CODES[] = {
	{ERR_NONE, "200"}, {ERR_INVALID, "422"}, {ERR_DENIED, "403"}, {ERR_NOT_FOUND, "404"}, {ERR_CONFLICT, "409"}, {ERR_EXISTS, "409"},
	{ERR_BUSY, "429"}, {ERR_PROTOCOL, "500"}, /* a pod with several budgets is answered by 500 */
};

static void count(struct nodes *n, enum err_kind kind)
{
	CLEANUP(buf_done) struct buf labels = {0};
	const char *code = "0";
	for (size_t i = 0; i < sizeof CODES / sizeof CODES[0]; i++)
		if (CODES[i].kind == kind)
			code = CODES[i].code;
	metrics_label(&labels, "code", code);
	metrics_add(n->op.metrics, NODES_EVICTIONS, labels.data, 1);
}

static enum eviction sent(struct nodes *n, const json_t *pod, const char *event, const char *reason)
{
	CLEANUP(buf_done) struct buf labels = {0};
	metrics_label(&labels, "reason", reason);
	metrics_add(n->op.metrics, NODES_PODS_DRAINED, labels.data, 1);
	pace_forget(&pods, meta_uid(pod));
	event_emit(n->op.events, pod, "Normal", event, "Evicted pod: %s", reason);
	return EVICTION_SENT;
}

static enum eviction failed(const json_t *pod, const struct err *why)
{
	if (why->kind == ERR_NOT_FOUND || why->kind == ERR_CONFLICT) {
		pace_forget(&pods, meta_uid(pod));
		return EVICTION_GONE;
	}
	pace_back_off(&pods, meta_uid(pod), clock_now_ms(), PAUSE_FIRST_MS, PAUSE_MAX_MS);
	return EVICTION_REFUSED;
}

enum eviction eviction_send(struct nodes *n, const json_t *pod, const char *reason, struct err *why)
{
	if (!pace_ready(&pods, meta_uid(pod), clock_now_ms()))
		return EVICTION_LATER;
	CLEANUP(json_decrefp) json_t *body = json_pack("{s:s,s:s,s:{s:s,s:s},s:{s:{s:s}}}", "apiVersion", "policy/v1", "kind", "Eviction", "metadata",
		"name", meta_name(pod), "namespace", meta_namespace(pod), "deleteOptions", "preconditions", "uid", meta_uid(pod));
	*why = ERR_INIT;
	int rc = kube_create_subresource(n->op.kube, &KUBE_PODS, "eviction", body, why);
	count(n, rc == 0 ? ERR_NONE : why->kind);
	return rc == 0 ? sent(n, pod, "Evicted", reason) : failed(pod, why);
}

enum eviction eviction_force(struct nodes *n, const json_t *pod, int64_t grace_s, const char *reason, struct err *why)
{
	const struct kube_delete_options options = {.uid = meta_uid(pod), .grace_s = grace_s};
	*why = ERR_INIT;
	if (kube_delete(n->op.kube, &KUBE_PODS, meta_namespace(pod), meta_name(pod), &options, why) < 0)
		return failed(pod, why);
	return sent(n, pod, "Disrupted", reason);
}

/* report.c: see report.h. */
#include "provision/report.h"

#include "base/mem.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include "provision/node.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* A copy of at most size-1 bytes that does not end inside a UTF-8 sequence. */
static void cut(char *out, size_t size, const char *text)
{
	size_t n = strlen(text);
	if (n >= size) {
		n = size - 1;
		while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	}
	memcpy(out, text, n);
	out[n] = 0;
}

void report_condition(struct node_condition *out, bool true_, const char *reason, const char *message)
{
	out->true_ = true_;
	cut(out->reason, sizeof out->reason, reason);
	cut(out->message, sizeof out->message, message);
}

static void list_worker(struct node_report *out, json_t *node)
{
	size_t at = 0;
	while (at < json_array_size(out->worker_nodes) && strcmp(json_string_value(json_array_get(out->worker_nodes, at)), meta_name(node)) < 0)
		at++;
	json_array_insert_new(out->worker_nodes, at, json_string(meta_name(node)));
	if (at > 0)
		return;
	json_decref(out->first_node);
	out->first_node = json_incref(node);
}

static void list_workers(struct node_report *out, const json_t *usable)
{
	out->worker_nodes = json_array();
	json_t *node;
	size_t i;
	json_array_foreach(usable, i, node)
		list_worker(out, node);
}

static void ready_text(const json_t *usable, const char *message, struct buf *out)
{
	CLEANUP(buf_done) struct buf pressure = {.max = 4096};
	const json_t *node;
	size_t i;
	json_array_foreach(usable, i, node)
		node_pressure(node, &pressure);
	buf_puts(out, message);
	if (pressure.len)
		buf_printf(out, "; warning: worker node(s) under resource pressure: %s", pressure.data);
}

bool report_nodes(struct node_report *out, const json_t *usable, int count, const char *ready_message)
{
	list_workers(out, usable);
	bool enough = (int64_t)json_array_size(usable) >= count;
	CLEANUP(buf_done) struct buf text = {.max = 8192};
	ready_text(usable, enough ? ready_message : "Not enough Nodes are ready", &text);
	report_condition(&out->nodes, enough, enough ? "NodesReady" : "NodeNotReady", text.data);
	return enough;
}

/* What the API server accepts as a condition's reason. */
static bool reason_valid(const char *reason)
{
	if (!isalpha((unsigned char)reason[0]) || strlen(reason) >= sizeof((struct node_condition *)0)->reason)
		return false;
	for (const char *p = reason; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '_' && ((*p != ',' && *p != ':') || !p[1]))
			return false;
	return true;
}

/* The first step of a claim's life that is not done and says why. */
static const json_t *obstacle(const struct claim_dialect *d, const json_t *claim)
{
	for (size_t i = 0; i < sizeof d->steps / sizeof d->steps[0]; i++) {
		const json_t *c = condition_find(json_at(claim, "status", "conditions", NULL), d->steps[i]);
		const char *reason = json_text_at(c, "", "reason", NULL);
		if (c && strcmp(json_text_at(c, "", "status", NULL), "True") != 0 && reason[0] && strcmp(reason, "AwaitingReconciliation") != 0)
			return c;
	}
	return NULL;
}

static void explain(struct node_report *out, const struct claim_dialect *d, const json_t *claims)
{
	const json_t *claim, *found = NULL;
	size_t i;
	json_array_foreach(claims, i, claim)
		if (!found && !claim_ready(claim))
			found = obstacle(d, claim);
	const char *reason = json_text_at(found, "", "reason", NULL), *message = json_text_at(found, "", "message", NULL);
	report_condition(&out->claims, false, reason_valid(reason) ? reason : "NodeClaimNotReady", message[0] ? message : "Ready NodeClaims are not enough");
}

bool report_claims(struct node_report *out, const struct claim_dialect *d, const json_t *claims, int needed)
{
	int ready = 0;
	const json_t *claim;
	size_t i;
	json_array_foreach(claims, i, claim)
		ready += claim_ready(claim) && !meta_deleting(claim);
	if (ready < needed) {
		explain(out, d, claims);
		return false;
	}
	report_condition(&out->claims, true, "NodeClaimsReady", "Enough NodeClaims are ready");
	return true;
}

void report_plugins_missing(struct node_report *out)
{
	report_condition(&out->nodes, false, "NodePluginsNotReady", "waiting all node plugins to be ready");
}

void report_released(struct node_report *out)
{
	out->ready = true;
	out->worker_nodes = json_array();
	report_condition(&out->nodes, true, "NodesReleased", "Nodes are given back, the work is done");
	report_condition(&out->claims, true, "NodeClaimsReleased", "NodeClaims are given back, the work is done");
}

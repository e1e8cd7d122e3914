/* pool_status.c: see pool_status.h. Condition types, reasons and the texts of NodeClassReady are Karpenter's. */
#include "nodes/pool_status.h"

#include "kube/condition.h"
#include "kube/meta.h"
#include "kube/quantity.h"
#include "nodes/pool_claim.h"
#include "nodes/root_condition.h"
#include <stdio.h>
#include <string.h>

#define VALID "ValidationSucceeded"
#define CLASS_READY "NodeClassReady"
#define HEALTHY "NodeRegistrationHealthy"
static const char *const DEPENDENTS[] = {VALID, CLASS_READY, NULL};

struct writer { const struct pool_view *v; json_t *status; const char *now; };

static void put(const struct writer *w, const char *type, const char *value, const char *reason, const char *message)
{
	root_condition_put(w->status, type, value, reason, message, meta_generation(w->v->pool), w->now);
}

/* --- conditions ------------------------------------------------------------------------------------------------ */

/* The claim that the pool would make is read as a fulfiller reads it. */
static void put_valid(const struct writer *w)
{
	struct err why = ERR_INIT;
	struct claim_view view = {0};
	CLEANUP(json_decrefp) json_t *claim = pool_claim(w->v->pool, w->v->node_class, "example");
	if (claim_view_init(&view, claim, &why) < 0) {
		put(w, VALID, "False", "NodePoolValidationFailed", why.message);
		return;
	}
	claim_view_done(&view);
	put(w, VALID, "True", "", "");
}

static void put_class(const struct writer *w)
{
	const json_t *class = w->v->node_class, *ready = condition_find(json_at(class, "status", "conditions", NULL), "Ready");
	const char *value = json_text_at(ready, "Unknown", "status", NULL);
	if (!class && strcmp(pool_class_name(w->v->pool), POOL_CLASS_DEFAULT) == 0)
		put(w, CLASS_READY, "True", "", "");
	else if (!class)
		put(w, CLASS_READY, "False", "NodeClassNotFound", "NodeClass not found on cluster");
	else if (meta_deleting(class))
		put(w, CLASS_READY, "False", "NodeClassTerminating", "NodeClass is Terminating");
	else if (strcmp(value, "True") == 0)
		put(w, CLASS_READY, "True", "", "");
	else if (strcmp(value, "False") == 0)
		put(w, CLASS_READY, "False", "NodeClassNotReady", json_text_at(ready, "", "message", NULL));
	else
		put(w, CLASS_READY, "Unknown", "NodeClassReadinessUnknown", "Node Class Readiness Unknown");
	if (class)
		json_object_set_new(w->status, "nodeClassObservedGeneration", json_integer(meta_generation(class)));
}

/* Healthy once a claim has become a Node, until the newest claim cannot be launched. It is no part of Ready. */
static void put_healthy(const struct writer *w)
{
	const json_t *claim, *newest = NULL;
	const char *latest = "";
	bool registered = false;
	size_t i;
	json_array_foreach(w->v->claims, i, claim) {
		const char *created = json_text_at(claim, "", "metadata", "creationTimestamp", NULL);
		registered |= condition_is(json_at(claim, "status", "conditions", NULL), "Registered", "True");
		if (!meta_deleting(claim) && strcmp(created, latest) >= 0) {
			newest = claim;
			latest = created;
		}
	}
	const json_t *launched = condition_find(json_at(newest, "status", "conditions", NULL), "Launched");
	const char *reason = json_text_at(launched, "", "reason", NULL);
	if (launched && strcmp(json_text_at(launched, "", "status", NULL), "True") != 0 && strcmp(reason, "AwaitingReconciliation") != 0 &&
	    json_text_at(launched, "", "message", NULL)[0])
		put(w, HEALTHY, "False", reason, json_text_at(launched, "", "message", NULL));
	else if (registered)
		put(w, HEALTHY, "True", "", "");
	else if (!condition_find(json_object_get(w->status, "conditions"), HEALTHY))
		put(w, HEALTHY, "Unknown", "AwaitingReconciliation", "object is awaiting reconciliation");
}

/* --- figures --------------------------------------------------------------------------------------------------- */

/* Bytes are written with binary suffixes, as Nodes report them. */
static bool in_bytes(const char *key)
{
	return strcmp(key, "memory") == 0 || strcmp(key, "ephemeral-storage") == 0 || strncmp(key, "hugepages-", 10) == 0;
}

static void set_sum(json_t *resources, const char *key, double value)
{
	char text[64], canonical[32];
	struct err why = ERR_INIT;
	bool whole = value < 9e15 && value == (double)(int64_t)value;
	if (whole && in_bytes(key) && (int64_t)value % 1024 == 0)
		snprintf(text, sizeof text, "%.0fKi", value / 1024);
	else
		snprintf(text, sizeof text, whole ? "%.0f" : "%.0fm", whole ? value : value * 1000);
	json_object_set_new(resources, key, json_string(quantity_canonical(text, canonical, sizeof canonical, &why) < 0 ? text : canonical));
}

static double amount(const json_t *quantity)
{
	double value = json_number_value(quantity);
	struct err why = ERR_INIT;
	const char *text = json_string_value(quantity);
	return text && quantity_parse(text, &value, &why) < 0 ? 0 : value;
}

static void add(json_t *sums, const json_t *capacity)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)capacity, key, value)
		json_object_set_new(sums, key, json_real(json_number_value(json_object_get(sums, key)) + amount(value)));
}

/* A claim is a node from when its machine exists until it is deleted. */
static void put_figures(const struct writer *w)
{
	CLEANUP(json_decrefp) json_t *sums = json_object();
	json_t *resources = json_object(), *value;
	const json_t *claim;
	const char *key;
	int64_t nodes = 0;
	size_t i;
	json_array_foreach(w->v->claims, i, claim) {
		if (meta_deleting(claim) || !json_text_at(claim, "", "status", "providerID", NULL)[0])
			continue;
		nodes++;
		add(sums, json_at(claim, "status", "capacity", NULL));
	}
	json_object_foreach(sums, key, value)
		set_sum(resources, key, json_number_value(value));
	set_sum(resources, "nodes", (double)nodes);
	json_object_set_new(w->status, "resources", resources);
	json_object_set_new(w->status, "nodes", json_integer(nodes));
}

bool pool_status_fill(const struct pool_view *v, json_t *status, const char *now)
{
	const struct writer w = {v, status, now};
	put_valid(&w);
	put_class(&w);
	put_healthy(&w);
	root_condition_set(status, DEPENDENTS, meta_generation(v->pool), now);
	put_figures(&w);
	return condition_is(json_object_get(status, "conditions"), "Ready", "True");
}

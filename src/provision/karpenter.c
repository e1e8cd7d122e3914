/* karpenter.c: one static NodePool per Workspace, fulfilled by Karpenter (gate StaticCapacity).
 *
 * spec.replicas is only ever raised. Own nodes with the pool's identity labels and claims made by gpu_provisioner.c before a change of
 * --node-provisioner count, so that the change does not buy every machine a second time. */
#include "base/mem.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include "provision/claims.h"
#include "provision/gpu_plugin.h"
#include "provision/node.h"
#include "provision/node_class.h"
#include "provision/pool.h"
#include "provision/report.h"
#include "provision/ways.h"
#include <string.h>

/* As pool_find, from the API server; *out NULL: none. */
static int look_up(const struct node_context *c, const struct node_request *r, json_t **out, struct err *err)
{
	for (int attempt = 0; attempt < POOL_ATTEMPTS; attempt++) {
		char name[POOL_NAME];
		json_t *pool = NULL;
		struct err failure = ERR_INIT;
		pool_name(r, attempt, name);
		if (kube_get(c->kube, &KUBE_NODE_POOLS, NULL, name, &pool, &failure) < 0) {
			if (failure.kind == ERR_NOT_FOUND)
				continue;
			*err = failure;
			return -1;
		}
		if (identity_owns(&IDENTITY_POOL, r, pool)) {
			*out = pool;
			return 0;
		}
		json_decref(pool);
	}
	*out = NULL;
	return 0;
}

/* 0: *out is the Workspace's pool; 1: the name is another's. */
static int create(const struct node_context *c, const struct node_request *r, int attempt, int replicas, json_t **out, struct err *err)
{
	char name[POOL_NAME];
	CLEANUP(json_decrefp) json_t *body = NULL;
	pool_name(r, attempt, name);
	if (pool_build(c->options, r, name, replicas, &body, err) < 0)
		return -1;
	struct err failure = ERR_INIT;
	if (kube_create(c->kube, &KUBE_NODE_POOLS, body, out, &failure) < 0) {
		if (failure.kind != ERR_EXISTS) {
			*err = failure;
			return err_wrap(err, "create NodePool %s", name);
		}
		if (look_up(c, r, out, err) < 0)
			return -1;
	}
	if (!*out)
		return 1;
	informer_learn(c->pools, *out);
	return 0;
}

static int raise_replicas(const struct node_context *c, json_t **pool, int replicas, struct err *err)
{
	if (meta_deleting(*pool) || json_int_at(*pool, 0, "spec", "replicas", NULL) >= replicas)
		return 0;
	CLEANUP(json_decrefp) json_t *body = json_pack("{s:{s:i}}", "spec", "replicas", replicas);
	json_t *answer = NULL;
	if (kube_patch(c->kube, &KUBE_NODE_POOLS, NULL, meta_name(*pool), NULL, KUBE_PATCH_MERGE, body, &answer, err) < 0)
		return err_wrap(err, "scale NodePool %s", meta_name(*pool));
	informer_learn(c->pools, answer);
	json_decref(*pool);
	*pool = answer;
	return 0;
}

static int ensure_pool(const struct node_context *c, const struct node_request *r, int replicas, json_t **pool, struct err *err)
{
	*pool = pool_find(c->pools, r);
	int rc = 1;
	for (int attempt = 0; !*pool && replicas > 0 && attempt < POOL_ATTEMPTS && rc == 1; attempt++)
		rc = create(c, r, attempt, replicas, pool, err);
	if (rc < 0)
		return -1;
	if (!*pool)
		return replicas > 0 ? err_set(err, ERR_EXISTS, "the NodePool names for workspace %s/%s are taken by others", r->namespace_, r->name) : 0;
	return raise_replicas(c, pool, replicas, err);
}

struct survey { json_t *nodes, *claims; int own, legacy; };

static void survey_done(struct survey *s)
{
	json_decref(s->nodes);
	json_decref(s->claims);
}

/* Nodes of the pool, own nodes labelled like them, and nodes of claims from before. */
static void survey_nodes(const struct node_context *c, const struct node_request *r, const char *key, struct survey *s)
{
	CLEANUP(json_decrefp) json_t *candidates = informer_find(c->nodes, key);
	s->nodes = node_usable(candidates, r, NULL);
	const json_t *node;
	size_t i;
	json_array_foreach(s->nodes, i, node)
		s->own += node_own(node) && node_takes_pods(node) && identity_owns(&IDENTITY_POOL, r, node);
}

static void survey_claims(const struct node_context *c, const struct node_request *r, const char *key, struct survey *s)
{
	s->claims = informer_find(c->claims, key);
	const json_t *claim;
	size_t i;
	json_array_foreach(s->claims, i, claim)
		s->legacy += identity_owns(&IDENTITY_CLAIM, r, claim);
}

/* A pool that cannot work says why before there is a claim that could. */
static void explain_pool(struct node_report *out, const json_t *pool)
{
	static const char *const STEPS[] = {"ValidationSucceeded", "NodeClassReady"};
	for (size_t i = 0; i < sizeof STEPS / sizeof STEPS[0]; i++) {
		const json_t *c = condition_find(json_at(pool, "status", "conditions", NULL), STEPS[i]);
		const char *message = json_text_at(c, "", "message", NULL);
		if (strcmp(json_text_at(c, "", "status", NULL), "False") != 0 || !message[0])
			continue;
		report_condition(&out->claims, false, "NodeClaimNotReady", message);
		return;
	}
}

static int report(const struct node_context *c, const struct node_request *r, const struct survey *s, const json_t *pool, struct node_report *out, struct err *err)
{
	int needed = r->count > s->own ? r->count - s->own : 0, waiting = 0;
	bool claims_ready = report_claims(out, claim_dialect_of(c->options), s->claims, needed);
	if (!claims_ready && json_array_size(s->claims) == 0)
		explain_pool(out, pool);
	bool nodes_ready = report_nodes(out, s->nodes, r->count, r->gpu ? "Enough Nodes are ready with GPU resources" : "Enough Nodes are ready");
	if (claims_ready && nodes_ready && r->gpu)
		waiting = gpu_plugin_check(c, r, s->nodes, err);
	if (waiting < 0)
		return -1;
	if (waiting)
		report_plugins_missing(out);
	out->ready = claims_ready && nodes_ready && !waiting;
	return 0;
}

static int release(const struct node_context *c, const struct node_request *r, struct err *err)
{
	CLEANUP(json_decrefp) json_t *pool = pool_find(c->pools, r);
	if (!pool && look_up(c, r, &pool, err) < 0)
		return err_wrap(err, "look for the NodePool of workspace %s/%s", r->namespace_, r->name);
	if (pool && !meta_deleting(pool)) {
		struct kube_delete_options o = {.uid = meta_uid(pool), .grace_s = -1};
		struct err failure = ERR_INIT;
		if (kube_delete(c->kube, &KUBE_NODE_POOLS, NULL, meta_name(pool), &o, &failure) < 0 && failure.kind != ERR_NOT_FOUND && failure.kind != ERR_CONFLICT) {
			*err = failure;
			return err_wrap(err, "delete NodePool %s", meta_name(pool));
		}
	}
	struct node_request legacy = *r;
	legacy.count = 0; /* those the cache knows: none is made any more */
	return claims_release(c, &legacy, err);
}

static int ensure(const struct node_context *c, const struct node_request *r, struct node_report *out, struct err *err)
{
	if (r->release) {
		if (release(c, r, err) < 0)
			return -1;
		report_released(out);
		return 0;
	}
	CLEANUP(mem_freep) char *key = identity_key(r);
	CLEANUP(survey_done) struct survey s = {0};
	survey_nodes(c, r, key, &s);
	survey_claims(c, r, key, &s);
	CLEANUP(json_decrefp) json_t *pool = NULL;
	if (ensure_pool(c, r, r->count - s.own - s.legacy, &pool, err) < 0)
		return -1;
	struct node_report found = {0};
	if (report(c, r, &s, pool, &found, err) < 0) {
		node_report_done(&found);
		return -1;
	}
	*out = found;
	return 0;
}

static json_t *terms(const struct node_context *c, const struct node_request *r)
{
	(void)c;
	return identity_terms(&IDENTITY_POOL, r);
}

static int set_drift_budget(const struct node_context *c, const struct node_request *r, int nodes, struct err *err)
{
	CLEANUP(json_decrefp) json_t *pool = pool_find(c->pools, r), *budgets = pool_budgets(nodes), *answer = NULL;
	if (!pool || json_equal(json_at(pool, "spec", "disruption", "budgets", NULL), budgets))
		return 0;
	CLEANUP(json_decrefp) json_t *body = json_pack("{s:{s:{s:O}}}", "spec", "disruption", "budgets", budgets);
	if (kube_patch(c->kube, &KUBE_NODE_POOLS, NULL, meta_name(pool), NULL, KUBE_PATCH_MERGE, body, &answer, err) < 0)
		return err_wrap(err, "set the drift budget of NodePool %s", meta_name(pool));
	informer_learn(c->pools, answer);
	return 0;
}

const struct provisioner KARPENTER_PROVISIONER = {
	.name = "karpenter",
	.uses_claims = true,
	.uses_pools = true,
	.provisions = true,
	.start = node_class_start,
	.ensure = ensure,
	.release = release,
	.terms = terms,
	.set_drift_budget = set_drift_budget,
};

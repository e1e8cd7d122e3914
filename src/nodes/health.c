/* health.c: the controller node.health: a Node whose condition has been bad for as long as the cloud's policy tolerates is given up: its
 * claim gets the present as its termination time, so that nothing waits for pods that nobody can reach, and is deleted. Whoever made the
 * claim makes another.
 *
 * A machine that was stopped on purpose looks as bad as one that died: the cloud is asked first. A Node can only be judged by a process
 * that has been there to see it, so the toleration starts anew with the process: when a cluster wakes up, all its Nodes look dead. It starts
 * anew as well with the last look at which the machine slept, as a machine runs before its Node is well. */
#include "nodes/nodes.h"

#include "base/clock.h"
#include "base/mem.h"
#include "kube/meta.h"
#include "nodes/pace.h"
#include <ctype.h>
#include <string.h>

#define CONTROLLER "node.health"
static const int64_t BLOCKED_MS = 300000, STOPPED_MS = 300000, LIST_AGE_MS = 30000, TELL_MS = 120000;
static struct pace told = PACE_INIT, slept = PACE_INIT; /* by Node's uid */

struct pass { struct nodes *n; json_t *node, *claim; const struct dialect *dialect; struct outcome *out; };

static const json_t *bad_condition(const json_t *node, const struct repair_policy *policy)
{
	const json_t *c;
	size_t i;
	json_array_foreach(json_at(node, "status", "conditions", NULL), i, c)
		if (strcmp(json_text_at(c, "", "type", NULL), policy->condition) == 0 && strcmp(json_text_at(c, "", "status", NULL), policy->status) == 0)
			return c;
	return NULL;
}

static int64_t toleration_ms(const struct nodes *n, const struct repair_policy *policy)
{
	return n->options.repair_toleration_ms ? n->options.repair_toleration_ms : policy->toleration_s * 1000;
}

/* What is left of the toleration of a condition, as far as this process has seen it. */
static int64_t left_ms(const struct nodes *n, const struct repair_policy *policy, const json_t *condition)
{
	int64_t seen_ms = clock_now_ms() - n->started_ms, since_s = claim_view_time(json_text_at(condition, NULL, "lastTransitionTime", NULL));
	int64_t bad_ms = (clock_wall_s() - since_s) * 1000;
	return toleration_ms(n, policy) - (since_s && bad_ms < seen_ms ? bad_ms : seen_ms);
}

/* The policy whose toleration ends first, or NULL when the Node is well. */
static const struct repair_policy *worst(const struct nodes *n, const json_t *node, int64_t *left)
{
	const struct repair_policy *found = NULL;
	for (const struct repair_policy *p = n->cloud->ops->repair; p && p->condition; p++) {
		const json_t *condition = bad_condition(node, p);
		int64_t ms = condition ? left_ms(n, p, condition) : 0;
		if (condition && (!found || ms < *left)) {
			found = p;
			*left = ms;
		}
	}
	return found;
}

/* --- reasons to leave it alone ------------------------------------------------------------------------------------- */

struct ask { const char *claim; bool stopped; };

static void see_state(void *context, const struct instance *i)
{
	struct ask *a = context;
	a->stopped |= i->state == INSTANCE_STOPPED;
}

static void see_listed(void *context, const struct instance *i)
{
	struct ask *a = context;
	a->stopped |= i->state == INSTANCE_STOPPED && strcmp(i->claim[0] ? i->claim : i->name, a->claim) == 0;
}

/* 1: stopped on purpose; 0: not; -1: not known. A list from before the Node went bad says nothing. */
static int is_stopped(const struct pass *p, int64_t tolerated_ms, struct err *err)
{
	struct ask a = {meta_name(p->claim), false};
	struct err why = ERR_INIT;
	int64_t age_ms = tolerated_ms > 0 && tolerated_ms / 2 < LIST_AGE_MS ? tolerated_ms / 2 : LIST_AGE_MS;
	if (nodes_cloud_get(p->n, CONTROLLER, json_text_at(p->node, "", "spec", "providerID", NULL), see_state, &a, err) < 0)
		return err_wrap(err, "ask for the machine of node %s", meta_name(p->node));
	if (!a.stopped && nodes_cloud_list(p->n, CONTROLLER, age_ms, see_listed, &a, &why) < 0) {
		*err = why;
		return err_wrap(err, "ask for the machine of node %s", meta_name(p->node));
	}
	return a.stopped;
}

/* How soon to look again at a machine that sleeps or woke up: the last look must be younger than the toleration when it wakes up. */
static int64_t next_look_ms(int64_t tolerated_ms)
{
	return tolerated_ms > 0 && tolerated_ms / 2 < STOPPED_MS ? tolerated_ms / 2 + 1 : STOPPED_MS;
}

/* 1: it sleeps, or did a moment ago; 0: it had its time; -1: not known. */
static int may_sleep(const struct pass *p, const struct repair_policy *policy, struct err *err)
{
	int64_t tolerated_ms = toleration_ms(p->n, policy), now_ms = clock_now_ms();
	int stopped = is_stopped(p, tolerated_ms, err);
	if (stopped < 0)
		return -1;
	if (stopped > 0) {
		pace_forget(&slept, meta_uid(p->node));
		pace_take(&slept, meta_uid(p->node), now_ms, tolerated_ms);
	}
	if (!stopped && pace_ready(&slept, meta_uid(p->node), now_ms))
		return 0;
	p->out->requeue_ms = next_look_ms(tolerated_ms);
	return 1;
}

struct share { const struct nodes *n; const char *key, *pool; int all, bad; };

static void count(void *context, const json_t *node)
{
	struct share *s = context;
	const char *pool = meta_label(node, s->key);
	int64_t left;
	if (!claim_managed_node(node) || (s->pool && (!pool || strcmp(pool, s->pool) != 0)))
		return;
	s->all++;
	s->bad += worst(s->n, node, &left) != NULL;
}

/* Where many Nodes are bad the cause is not in the Nodes. The limit is rounded up, as Karpenter's. */
static bool is_epidemic(const struct pass *p, struct share *s)
{
	int percent = p->n->options.repair_guard_percent;
	if (percent <= 0)
		return false;
	*s = (struct share){.n = p->n, .key = p->dialect->pool_label, .pool = meta_label(p->node, p->dialect->pool_label)};
	informer_each(p->n->op.caches[NODES_NODES], count, s);
	return s->bad > (s->all * percent + 99) / 100;
}

static void tell_blocked(const struct pass *p, const struct share *s)
{
	if (pace_take(&told, meta_uid(p->node), clock_now_ms(), TELL_MS))
		event_emit(p->n->op.events, p->node, "Warning", "NodeRepairBlocked", "%d of %d nodes%s%s are unhealthy, more than %d%%: nothing is repaired", s->bad,
			   s->all, s->pool ? " of nodepool " : "", s->pool ? s->pool : "", p->n->options.repair_guard_percent);
}

/* --- giving up ----------------------------------------------------------------------------------------------------- */

static int end_now(struct pass *p, struct err *err)
{
	char now[32];
	int64_t set_s = claim_view_time(meta_annotation(p->claim, ANNOTATION_TERMINATION_TIME));
	if (set_s && set_s <= clock_wall_s())
		return 0;
	struct object_home home = nodes_claim_home(p->n, p->dialect);
	clock_rfc3339(clock_wall_s(), now);
	return object_write_metadata(&home, &p->claim, json_pack("{s:{s:s}}", "annotations", ANNOTATION_TERMINATION_TIME, now), err);
}

/* "NodeHealthy" -> "node_healthy", as Karpenter's label. */
static void put_snake(struct buf *out, const char *type)
{
	for (const char *c = type; *c; c++) {
		if (isupper((unsigned char)*c) && c > type && islower((unsigned char)c[-1]))
			buf_putc(out, '_');
		buf_putc(out, (char)tolower((unsigned char)*c));
	}
}

static void count_unhealthy(const struct pass *p, const struct repair_policy *policy)
{
	CLEANUP(buf_done) struct buf labels = {0}, condition = {0};
	put_snake(&condition, policy->condition);
	metrics_label(&labels, "condition", condition.data);
	nodes_metric_labels(p->claim, &labels);
	metrics_label(&labels, "image_id", json_text_at(p->claim, "", "status", "imageID", NULL));
	metrics_add(p->n->op.metrics, NODES_UNHEALTHY, labels.data, 1);
}

static int repair(struct pass *p, const struct repair_policy *policy, struct err *err)
{
	struct share share;
	if (is_epidemic(p, &share)) {
		tell_blocked(p, &share);
		p->out->requeue_ms = BLOCKED_MS;
		return 0;
	}
	int asleep = may_sleep(p, policy, err);
	if (asleep != 0)
		return asleep < 0 ? -1 : 0;
	if (end_now(p, err) < 0 || nodes_disrupt(p->n, p->dialect, p->claim, "unhealthy", err) < 0)
		return -1;
	count_unhealthy(p, policy);
	return 0;
}

static int reconcile(void *world, const char *namespace_, const char *name, struct outcome *out, struct err *err)
{
	struct nodes *n = world;
	(void)namespace_;
	struct pass p = {.n = n, .out = out};
	CLEANUP(json_decrefp) json_t *node = informer_get(n->op.caches[NODES_NODES], NULL, name);
	int64_t left = 0;
	const struct repair_policy *policy = node && !meta_deleting(node) && claim_managed_node(node) ? worst(n, node, &left) : NULL;
	if (!policy)
		return 0;
	if (left > 0) {
		out->requeue_ms = left;
		return 0;
	}
	p.node = node;
	p.claim = nodes_claim_of_node(n, node, &p.dialect);
	int rc = p.claim && !meta_deleting(p.claim) ? repair(&p, policy, err) : 0;
	json_decref(p.claim);
	return rc;
}

static void keys(void *world, int cache, const json_t *node, void (*add)(void *list, const char *key), void *list)
{
	(void)world, (void)cache;
	if (claim_managed_node(node) && !meta_deleting(node))
		add(list, meta_name(node));
}

static bool enabled(const void *world) { return ((const struct nodes *)world)->options.repair; }

static const int CACHES[] = {NODES_NODES};
const struct operator_controller NODES_HEALTH = {
	.name = CONTROLLER, .workers = 2, .reconcile = reconcile, .keys = keys, .caches = CACHES, .n_caches = 1, .enabled = enabled,
	.backoff_first_ms = 1000, .backoff_max_ms = 60000,
};

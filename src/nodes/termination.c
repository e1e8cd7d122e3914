/* termination.c: the controller node.termination: what happens to a deleted Node before its object goes. It is tainted, drained, its
 * volumes are detached, its instance ends, and then the finalizer comes off, so that the Node is seen for as long as the machine is there.
 * Each pass does what can be done now, writes how far that is into the claim's conditions, and says when to come back.
 *
 * A Node whose machine is certainly gone has nothing to lose and goes at once. One without a claim is drained and goes; its machine, if
 * there is any, is the garbage collection's. One whose machine only sleeps goes alone, without its claim. */
#include "nodes/nodes.h"

#include "base/clock.h"
#include "base/mem.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include "nodes/drain.h"
#include "nodes/instance_end.h"
#include "nodes/pace.h"
#include "nodes/volumes.h"
#include <string.h>

#define CONTROLLER "node.termination"
static const int64_t VOLUMES_POLL_MS = 1000, ASK_MS = 10000 /* between questions whether an unready Node's machine is gone */;
static struct pace asked = PACE_INIT; /* by Node's uid */

struct pass {
	struct nodes *n;
	json_t *node, *claim;           /* claim: NULL when there is none */
	const struct dialect *dialect;
	int64_t deadline_s, now_s;
	int64_t retry_ms;
};

/* --- the claim ---------------------------------------------------------------------------------------------------- */

/* What there is of the claim after its deletion: this pass goes on with it. */
static int read_claim(struct pass *p, struct err *err)
{
	struct err why = ERR_INIT;
	json_t *fresh = NULL;
	if (kube_get(p->n->op.kube, p->dialect->claims, NULL, meta_name(p->claim), &fresh, &why) < 0 && why.kind != ERR_NOT_FOUND) {
		*err = why;
		return err_wrap(err, "read %s %s of node %s", p->dialect->claims->kind, meta_name(p->claim), meta_name(p->node));
	}
	if (fresh && strcmp(meta_uid(fresh), meta_uid(p->claim)) == 0)
		informer_learn(nodes_claim_cache(p->n, p->dialect), fresh);
	else
		json_decref(fresh), fresh = NULL;
	json_decref(p->claim);
	p->claim = fresh;
	return 0;
}

static int delete_claim(struct pass *p, struct err *err)
{
	struct err why = ERR_INIT;
	if (!p->claim || meta_deleting(p->claim))
		return 0;
	const struct kube_delete_options options = {.uid = meta_uid(p->claim), .grace_s = -1};
	if (kube_delete(p->n->op.kube, p->dialect->claims, NULL, meta_name(p->claim), &options, &why) < 0 && why.kind != ERR_NOT_FOUND && why.kind != ERR_CONFLICT) {
		*err = why;
		return err_wrap(err, "delete %s %s of node %s", p->dialect->claims->kind, meta_name(p->claim), meta_name(p->node));
	}
	return read_claim(p, err);
}

/* Tells how far the Node is. A refusal must not hold up its end; a conflict is worth another pass. */
static int tell(struct pass *p, void (*edit)(struct condition_set *s, const struct pass *p), struct err *err)
{
	char now[32];
	struct err why = ERR_INIT;
	if (!p->claim)
		return 0;
	clock_rfc3339(clock_wall_s(), now);
	struct object_home home = nodes_claim_home(p->n, p->dialect);
	CLEANUP(json_decrefp) json_t *copy = json_deep_copy(p->claim);
	struct condition_set s = {copy, p->dialect, now};
	edit(&s, p);
	condition_set_finish(&s);
	if (object_write_status(&home, &p->claim, json_object_get(copy, "status"), &why) == 0 || why.kind == ERR_NOT_FOUND || object_worth_telling(why.kind))
		return 0;
	*err = why;
	return -1;
}

static bool has_condition(const struct pass *p, const char *type, const char *status)
{
	return condition_is(json_at(p->claim, "status", "conditions", NULL), type, status);
}

/* --- the Node ----------------------------------------------------------------------------------------------------- */

static bool is_ready(const json_t *node) { return condition_is(json_at(node, "status", "conditions", NULL), "Ready", "True"); }

static void ignore(void *context, const struct instance *i) { (void)context, (void)i; }

/* A cloud that cannot tell means no: then the Node goes the long way. */
static bool is_vanished(struct pass *p)
{
	struct err why = ERR_INIT;
	if (is_ready(p->node) || !pace_take(&asked, meta_uid(p->node), clock_now_ms(), ASK_MS))
		return false;
	return nodes_cloud_get(p->n, CONTROLLER, json_text_at(p->node, "", "spec", "providerID", NULL), ignore, NULL, &why) == 1;
}

/* Nothing new comes here, from the scheduler or from load balancers. */
static int close_node(struct pass *p, struct err *err)
{
	json_t *taints = json_at(p->node, "spec", "taints", NULL);
	if (taints_have(taints, TAINT_DISRUPTED, "NoSchedule") && meta_label(p->node, LABEL_EXCLUDE_BALANCERS))
		return 0;
	json_t *more = json_is_array(taints) ? json_deep_copy(taints) : json_array();
	CLEANUP(json_decrefp) json_t *taint = json_pack("[{s:s,s:s}]", "key", TAINT_DISRUPTED, "effect", "NoSchedule");
	taints_merge(more, taint);
	CLEANUP(json_decrefp) json_t *body = json_pack("{s:{s:s,s:{s:s}},s:{s:o}}", "metadata", "resourceVersion", meta_version(p->node), "labels",
						       LABEL_EXCLUDE_BALANCERS, "karpenter", "spec", "taints", more);
	json_t *stored = NULL;
	if (kube_patch(p->n->op.kube, &KUBE_NODES, NULL, meta_name(p->node), NULL, KUBE_PATCH_MERGE, body, &stored, err) < 0)
		return err_wrap(err, "taint node %s", meta_name(p->node));
	informer_learn(p->n->op.caches[NODES_NODES], stored);
	json_decref(p->node);
	p->node = stored;
	return 0;
}

static int64_t seconds_since(const struct pass *p, const char *member)
{
	int64_t then = claim_view_time(json_text_at(p->node, NULL, "metadata", member, NULL));
	return then ? p->now_s - then : 0;
}

static void count_drained(const struct pass *p, enum nodes_metric row, double amount)
{
	CLEANUP(buf_done) struct buf labels = {0};
	const char *pool = meta_label(p->node, p->dialect ? p->dialect->pool_label : DIALECT_NODE_CLAIM.pool_label);
	metrics_label(&labels, "nodepool", pool ? pool : "");
	if (row == NODES_NODE_TERMINATION_SECONDS || row == NODES_LIFETIME_SECONDS)
		metrics_observe(p->n->op.metrics, row, labels.data, amount);
	else
		metrics_add(p->n->op.metrics, row, labels.data, amount);
}

/* A strategic patch touches this one finalizer only, so that it needs no resourceVersion and cannot conflict. */
static int let_go(struct pass *p, struct err *err)
{
	CLEANUP(json_decrefp) json_t *body = json_pack("{s:{s:[s]}}", "metadata", "$deleteFromPrimitiveList/finalizers", FINALIZER_TERMINATION), *stored = NULL;
	struct err why = ERR_INIT;
	if (kube_patch(p->n->op.kube, &KUBE_NODES, NULL, meta_name(p->node), NULL, KUBE_PATCH_STRATEGIC, body, &stored, &why) < 0) {
		if (why.kind == ERR_NOT_FOUND)
			return 0;
		*err = why;
		return err_wrap(err, "remove the finalizer of node %s", meta_name(p->node));
	}
	if (json_array_size(json_at(stored, "metadata", "finalizers", NULL)) == 0)
		informer_learn_deleted(p->n->op.caches[NODES_NODES], NULL, meta_name(p->node));
	else
		informer_learn(p->n->op.caches[NODES_NODES], stored);
	count_drained(p, NODES_NODES_TERMINATED, 1);
	count_drained(p, NODES_NODE_TERMINATION_SECONDS, (double)seconds_since(p, "deletionTimestamp"));
	count_drained(p, NODES_LIFETIME_SECONDS, (double)seconds_since(p, "creationTimestamp"));
	return 0;
}

/* --- Nodes that nobody wanted deleted ------------------------------------------------------------------------------- */

struct sight { const char *claim; bool there, stopped; };

static void see(void *context, const struct instance *i)
{
	struct sight *s = context;
	if (strcmp(i->claim[0] ? i->claim : i->name, s->claim) != 0)
		return;
	s->there = true;
	s->stopped = i->state == INSTANCE_STOPPED;
}

/* Whether the Node was deleted before this process was there to see it. */
static bool is_inherited(const struct pass *p)
{
	int64_t up_s = (clock_now_ms() - p->n->started_ms) / 1000;
	return seconds_since(p, "deletionTimestamp") > up_s;
}

/* Clouds delete the Nodes of machines that are put to sleep, and they come back with the machines: that is no wish to lose the claim. Nor
 * is a dead Node's deletion from before this process, as when a whole cluster slept, this process included. What was listed before the
 * deletion says nothing about it. 1: let the Node alone go. */
static int is_asleep(struct pass *p, struct err *err)
{
	if (!p->claim || meta_deleting(p->claim))
		return 0;
	struct sight s = {.claim = meta_name(p->claim)};
	if (nodes_cloud_list(p->n, CONTROLLER, 0, see, &s, err) < 0)
		return err_wrap(err, "ask for the machine of node %s", meta_name(p->node));
	return s.stopped || (s.there && !is_ready(p->node) && is_inherited(p));
}

/* --- pods, volumes, instance: 0: done, 1: wait, -1: failed ---------------------------------------------------------- */

static void set_draining(struct condition_set *s, const struct pass *p)
{
	(void)p;
	condition_set_unknown(s, "Drained", "Draining", "Draining");
}

static void set_drained(struct condition_set *s, const struct pass *p)
{
	(void)p;
	condition_set_true(s, "Drained");
	condition_set_unknown(s, "VolumesDetached", "AwaitingVolumeDetachment", "AwaitingVolumeDetachment");
}

static void set_ending(struct condition_set *s, const struct pass *p)
{
	condition_set_true(s, "Drained");
	if (p->deadline_s && p->now_s >= p->deadline_s)
		condition_set_false(s, "VolumesDetached", "TerminationGracePeriodElapsed", "TerminationGracePeriodElapsed");
	else
		condition_set_true(s, "VolumesDetached");
	if (!condition_set_is_true(s, "InstanceTerminating"))
		condition_set_true(s, "InstanceTerminating");
}

static int empty(struct pass *p, struct err *err)
{
	CLEANUP(drain_done) struct drain d = {.node = p->node, .claim = p->claim, .dialect = p->dialect, .deadline_s = p->deadline_s};
	size_t attached = 0;
	int rc = drain_step(p->n, &d, err);
	if (rc != 0) {
		p->retry_ms = d.retry_ms;
		return rc < 0 || tell(p, set_draining, err) < 0 ? -1 : 1;
	}
	if (!p->deadline_s || p->now_s < p->deadline_s)
		if (volumes_attached(p->n, meta_name(p->node), d.staying, &attached, err) < 0)
			return -1;
	if (!attached)
		return 0;
	p->retry_ms = VOLUMES_POLL_MS;
	return tell(p, set_drained, err) < 0 ? -1 : 1;
}

/* Once the instance is on its way out nobody looks for pods any more: nothing can be saved then. */
static bool is_ending(const struct pass *p) { return p->claim && has_condition(p, "InstanceTerminating", "True"); }

static int prepare(struct pass *p, struct err *err)
{
	if (is_ending(p))
		return 0;
	if (close_node(p, err) < 0)
		return -1;
	int rc = empty(p, err);
	if (rc != 0)
		return rc;
	count_drained(p, NODES_DRAINED, 1);
	return tell(p, set_ending, err);
}

static int end_instance(struct pass *p, struct err *err)
{
	if (!p->claim)
		return 0;
	int rc = instance_end_step(p->n, p->dialect, &p->claim, &p->retry_ms, err);
	if (p->retry_ms > INSTANCE_END_POLL_MS)
		p->retry_ms = INSTANCE_END_POLL_MS; /* the claim may go meanwhile, by its own finalizer: that is no event here */
	return rc < 0 ? -1 : rc == 0;
}

static int terminate(struct pass *p, struct err *err)
{
	int asleep = is_asleep(p, err);
	if (asleep != 0)
		return asleep < 0 ? -1 : let_go(p, err);
	if (delete_claim(p, err) < 0)
		return -1;
	if (!is_ending(p) && is_vanished(p)) /* while it ends, the cloud says so to instance_end */
		return let_go(p, err);
	int rc = prepare(p, err);
	if (rc == 0)
		rc = end_instance(p, err);
	return rc == 0 ? let_go(p, err) : rc < 0 ? -1 : 0;
}

static int reconcile(void *world, const char *namespace_, const char *name, struct outcome *out, struct err *err)
{
	struct nodes *n = world;
	(void)namespace_;
	struct pass p = {.n = n, .now_s = clock_wall_s(), .node = informer_get(n->op.caches[NODES_NODES], NULL, name)};
	int rc = 0;
	if (p.node && meta_deleting(p.node) && meta_has_finalizer(p.node, FINALIZER_TERMINATION)) {
		p.claim = nodes_claim_of_node(n, p.node, &p.dialect);
		p.deadline_s = drain_deadline_s(p.claim);
		if (p.claim || claim_managed_node(p.node))
			rc = terminate(&p, err);
		out->requeue_ms = rc == 0 ? p.retry_ms : 0;
	}
	json_decref(p.node);
	json_decref(p.claim);
	return rc;
}

static void keys(void *world, int cache, const json_t *node, void (*add)(void *list, const char *key), void *list)
{
	(void)world, (void)cache;
	if (meta_deleting(node) && meta_has_finalizer(node, FINALIZER_TERMINATION))
		add(list, meta_name(node));
}

static const int CACHES[] = {NODES_NODES};
const struct operator_controller NODES_TERMINATION = {
	.name = CONTROLLER, .workers = 16, .workers_scale = true, .reconcile = reconcile, .keys = keys, .caches = CACHES, .n_caches = 1,
	.backoff_first_ms = 100, .backoff_max_ms = 10000,
};

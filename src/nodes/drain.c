/* drain.c: see drain.h. Pods are listed for each pass rather than watched: a drain is rare and short, and a cache of every pod of the
 * cluster would cost more than all drains together. */
#include "nodes/drain.h"

#include "base/clock.h"
#include "base/mem.h"
#include "kube/meta.h"
#include "nodes/eviction.h"
#include "nodes/pace.h"
#include <string.h>

enum { GROUPS = 4, NAMED_MAX = 5 };
static struct pace nodes_told = PACE_INIT; /* by Node's uid */

/* --- what a pod is ---------------------------------------------------------------------------------------------- */

static bool owned_by(const json_t *pod, const char *kind)
{
	const json_t *owner;
	size_t i;
	json_array_foreach(json_at(pod, "metadata", "ownerReferences", NULL), i, owner)
		if (strcmp(json_text_at(owner, "", "kind", NULL), kind) == 0)
			return true;
	return false;
}

static bool is_static(const json_t *pod)
{
	return owned_by(pod, "Node") || meta_annotation(pod, "kubernetes.io/config.mirror");
}

static bool is_finished(const json_t *pod)
{
	const char *phase = json_text_at(pod, "", "status", "phase", NULL);
	return strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;
}

/* deletionTimestamp already includes the grace period. */
static bool is_stuck(const json_t *pod, int64_t now_s)
{
	return meta_deleting(pod) && now_s - claim_view_time(json_text_at(pod, NULL, "metadata", "deletionTimestamp", NULL)) > DRAIN_STUCK_S;
}

static bool is_drained(const json_t *pod, int64_t now_s)
{
	return !pod_tolerates(pod, TAINT_DISRUPTED, "", "NoSchedule") && !is_static(pod) && !is_stuck(pod, now_s);
}

static bool says_true(const json_t *pod, const char *annotation)
{
	const char *value = meta_annotation(pod, annotation);
	return value && strcmp(value, "true") == 0;
}

static bool holds_on(const struct drain *d, const json_t *pod)
{
	return says_true(pod, ANNOTATION_DO_NOT_DISRUPT) || (d->dialect && says_true(pod, d->dialect->pod_do_not_disrupt));
}

static size_t group_of(const json_t *pod)
{
	const char *class = json_text_at(pod, "", "spec", "priorityClassName", NULL);
	size_t critical = strcmp(class, "system-cluster-critical") == 0 || strcmp(class, "system-node-critical") == 0;
	return critical * 2 + owned_by(pod, "DaemonSet");
}

/* --- one pass --------------------------------------------------------------------------------------------------- */

struct pass {
	struct nodes *n;
	struct drain *d;
	int64_t now_s, until_ms;
	json_t *groups[GROUPS];      /* pods that are waited for */
	size_t requests;
	bool progress, more;         /* something left; requests were put off to the next pass */
	struct buf held;             /* the pods that hold up the drain, and why */
	size_t n_held;
	const char *reason;
};

static void sort_in(void *context, json_t *pod)
{
	struct pass *p = context;
	if (!is_drained(pod, p->now_s))
		json_array_append(p->d->staying, pod);
	else if (!is_finished(pod))
		json_array_append(p->groups[group_of(pod)], pod);
	json_decref(pod);
}

static void clear(struct pass *p)
{
	for (size_t i = 0; i < GROUPS; i++)
		json_array_clear(p->groups[i]);
	json_array_clear(p->d->staying);
}

static void start_again(void *context) { clear(context); }

static int list_pods(struct pass *p, struct err *err)
{
	CLEANUP(mem_freep) char *selector = mem_printf("spec.nodeName=%s", meta_name(p->d->node));
	const struct kube_list_options options = {.field_selector = selector};
	if (kube_list(p->n->op.kube, &KUBE_PODS, NULL, &options, sort_in, start_again, p, NULL, err) < 0)
		return err_wrap(err, "list the pods of node %s", meta_name(p->d->node));
	return 0;
}

static void hold(struct pass *p, const json_t *pod, const char *why)
{
	if (p->n_held++ < NAMED_MAX)
		buf_printf(&p->held, "%s%s/%s (%.160s)", p->held.len ? ", " : "", meta_namespace(pod), meta_name(pod), why);
}

static bool has_room(struct pass *p)
{
	bool room = p->requests < DRAIN_BATCH && clock_now_ms() < p->until_ms;
	p->more |= !room;
	return room;
}

/* Only the API server's being away ends the pass; what it says about one pod is that pod's matter. */
static int settle(struct pass *p, const json_t *pod, enum eviction result, const struct err *why, struct err *err)
{
	p->requests += result != EVICTION_LATER;
	p->progress |= result == EVICTION_SENT || result == EVICTION_GONE;
	if (result != EVICTION_REFUSED)
		return 0;
	if (why->kind == ERR_NETWORK || why->kind == ERR_TIMEOUT || why->kind == ERR_CANCELLED) {
		*err = *why;
		return -1;
	}
	hold(p, pod, why->message);
	return 0;
}

static int evict_group(struct pass *p, const json_t *group, struct err *err)
{
	const json_t *pod;
	size_t i;
	json_array_foreach(group, i, pod) {
		struct err why = ERR_INIT;
		if (meta_deleting(pod))
			continue;
		if (holds_on(p->d, pod))
			hold(p, pod, ANNOTATION_DO_NOT_DISRUPT);
		else if (has_room(p) && settle(p, pod, eviction_send(p->n, pod, p->reason, &why), &why, err) < 0)
			return -1;
	}
	return 0;
}

/* A pod gets its own grace period as far as the Node has it. */
static int force_group(struct pass *p, const json_t *group, struct err *err)
{
	const json_t *pod;
	size_t i;
	int64_t left_s = p->d->deadline_s - p->now_s;
	json_array_foreach(group, i, pod) {
		struct err why = ERR_INIT;
		int64_t grace_s = json_int_at(pod, 30, "spec", "terminationGracePeriodSeconds", NULL);
		if (meta_deleting(pod) || left_s > grace_s || !has_room(p))
			continue;
		if (settle(p, pod, eviction_force(p->n, pod, left_s > 1 ? left_s : 1, p->reason, &why), &why, err) < 0)
			return -1;
	}
	return 0;
}

static int force_all(struct pass *p, struct err *err)
{
	for (size_t i = 0; i < GROUPS && p->d->deadline_s; i++)
		if (force_group(p, p->groups[i], err) < 0)
			return -1;
	return 0;
}

static bool is_over(const struct pass *p)
{
	return p->d->deadline_s && p->now_s >= p->d->deadline_s + DRAIN_FORCED_S;
}

static void tell(struct pass *p)
{
	if (!p->n_held || !pace_take(&nodes_told, meta_uid(p->d->node), clock_now_ms(), DRAIN_TELL_MS))
		return;
	if (p->n_held > NAMED_MAX)
		buf_printf(&p->held, " and %zu more", p->n_held - NAMED_MAX);
	event_emit(p->n->op.events, p->d->node, "Warning", "FailedDraining", "Failed to drain node, %zu pods are waiting to be evicted: %s", p->d->waiting, p->held.data);
}

static int run(struct pass *p, struct err *err)
{
	size_t first = GROUPS;
	if (list_pods(p, err) < 0 || force_all(p, err) < 0)
		return -1;
	for (size_t i = GROUPS; i-- > 0;) {
		p->d->waiting += json_array_size(p->groups[i]);
		first = json_array_size(p->groups[i]) ? i : first;
	}
	if (first == GROUPS || is_over(p))
		return 0;
	if (p->d->deadline_s <= p->now_s && p->d->deadline_s) {
		p->d->retry_ms = DRAIN_POLL_MS; /* all was forced */
		return 1;
	}
	if (evict_group(p, p->groups[first], err) < 0)
		return -1;
	tell(p);
	p->d->retry_ms = p->progress || p->more ? DRAIN_SOON_MS : DRAIN_POLL_MS;
	return 1;
}

/* Karpenter's words for why a claim is disrupted, where it has any. */
static const char *reason_of(const json_t *claim)
{
	const json_t *c;
	size_t i;
	json_array_foreach(json_at(claim, "status", "conditions", NULL), i, c)
		if (strcmp(json_text_at(c, "", "type", NULL), "DisruptionReason") == 0 && strcmp(json_text_at(c, "", "status", NULL), "True") == 0)
			return json_text_at(c, "", "reason", NULL);
	return "Forceful Termination";
}

int drain_step(struct nodes *n, struct drain *d, struct err *err)
{
	struct pass p = {.n = n, .d = d, .now_s = clock_wall_s(), .until_ms = clock_now_ms() + DRAIN_PASS_MS, .reason = reason_of(d->claim)};
	json_decref(d->staying);
	d->staying = json_array();
	d->waiting = 0;
	for (size_t i = 0; i < GROUPS; i++)
		p.groups[i] = json_array();
	int rc = run(&p, err);
	for (size_t i = 0; i < GROUPS; i++)
		json_decref(p.groups[i]);
	buf_done(&p.held);
	return rc;
}

void drain_done(struct drain *d)
{
	json_decref(d->staying);
	d->staying = NULL;
}

int64_t drain_deadline_s(const json_t *claim)
{
	return claim_view_time(meta_annotation(claim, ANNOTATION_TERMINATION_TIME));
}

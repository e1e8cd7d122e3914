/* lifecycle_launch.c: from a claim to its machine. The cloud is asked step by step; a memo is stored before the step after it, so that a
 * process that dies in between is followed by one that goes on, and makes nothing twice. */
#include "nodes/lifecycle.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <string.h>

enum { STEPS_MAX = 8 }; /* steps that follow each other at once; then others get their turn */

/* --- holding off --------------------------------------------------------------------------------------------------- */

/* What the answer of a cloud depends on, as a number. */
static uint64_t inputs_of(const json_t *claim, const struct claim_view *v)
{
	CLEANUP(json_decrefp) json_t *annotations = json_copy(json_at(claim, "metadata", "annotations", NULL));
	json_object_del(annotations, ANNOTATION_OPERATION);
	CLEANUP(json_decrefp) json_t *all = json_pack("[O?,O?,O?,O?]", json_object_get(claim, "spec"), json_at(claim, "metadata", "labels", NULL), annotations, v->node_class);
	CLEANUP(buf_done) struct buf text = {0};
	json_print(all, JSON_PRINT_SORTED, &text);
	return map_hash(buf_str(&text));
}

/* Whether a refusal still stands; it does not outlive what it was about. */
static bool held(struct claim_pass *p)
{
	uint64_t was = 0;
	int64_t left = holdoff_left(&p->n->holdoff, meta_uid(p->claim), clock_now_ms(), &was);
	struct claim_view v = {0};
	CLEANUP(json_decrefp) json_t *node_class = NULL;
	struct err ignored = ERR_INIT;
	if (left == 0)
		return false;
	bool same = nodes_view(p->n, p->claim, &v, &node_class, &ignored) < 0 || inputs_of(p->claim, &v) == was;
	claim_view_done(&v);
	if (same)
		lifecycle_again(p, left);
	else
		holdoff_forget(&p->n->holdoff, meta_uid(p->claim));
	return same;
}

/* --- answers of the cloud ------------------------------------------------------------------------------------------ */

static void set_memo(json_t *claim, const char *memo)
{
	if (memo)
		meta_set_annotation(claim, ANNOTATION_OPERATION, memo);
	else
		json_object_del(json_at(claim, "metadata", "annotations", NULL), ANNOTATION_OPERATION);
}

/* Adds the members that are not there yet: what is rightmost in Karpenter's merge wins. */
static void add_missing(json_t *claim, const char *member, const json_t *from)
{
	json_t *meta = json_object_get(claim, "metadata"), *into = json_object_get(meta, member);
	if (json_object_size(from) == 0)
		return;
	if (!into)
		json_object_set_new(meta, member, into = json_object());
	json_object_update_missing(into, (json_t *)(uintptr_t)from);
}

static void put_text(json_t *status, const char *key, const char *value)
{
	if (value && value[0])
		json_object_set_new(status, key, json_string(value));
}

static void launched(struct claim_pass *p, const struct claim_view *v, const struct launch_result *r)
{
	CLEANUP(json_decrefp) json_t *wanted = claim_view_requirement_labels(v);
	add_missing(p->claim, "labels", wanted);
	add_missing(p->claim, "labels", r->labels);
	add_missing(p->claim, "annotations", r->annotations);
	set_memo(p->claim, r->memo);
	condition_set_true(&p->conditions, p->d->launched);
	json_t *status = json_object_get(p->claim, "status");
	put_text(status, "providerID", r->provider_id);
	put_text(status, "imageID", r->image_id);
	json_object_set(status, "capacity", r->capacity);
	json_object_set(status, "allocatable", r->allocatable);
	holdoff_forget(&p->n->holdoff, meta_uid(p->claim));
}

static void warn(struct claim_pass *p, const struct launch_result *r)
{
	if (r->insufficient)
		event_emit(p->n->op.events, p->stored, "Warning", "InsufficientCapacityError", "%s %s event: %s", p->d->claims->kind, meta_name(p->stored), r->message);
	else if (r->event[0])
		event_emit(p->n->op.events, p->stored, "Warning", r->event, "%s", r->message);
}

static void failed(struct claim_pass *p, const struct claim_view *v, const struct launch_result *r)
{
	int64_t retry_ms = r->insufficient && r->retry_ms <= 0 ? HOLDOFF_MAX_MS : r->retry_ms;
	condition_set_unknown(&p->conditions, p->d->launched, r->reason[0] ? r->reason : "LaunchFailed", r->message);
	warn(p, r);
	if (r->insufficient && p->n->options.delete_on_insufficient)
		p->disrupt = "insufficient_capacity";
	holdoff_set(&p->n->holdoff, meta_uid(p->claim), inputs_of(p->claim, v), retry_ms > 0 ? clock_now_ms() + retry_ms : HOLDOFF_NEVER);
	lifecycle_again(p, retry_ms);
}

static void waits(struct claim_pass *p, const struct launch_result *r)
{
	if (r->event[0])
		event_emit(p->n->op.events, p->stored, "Warning", r->event, "%s", r->message);
	if (r->reason[0] || r->message[0])
		condition_set_unknown(&p->conditions, p->d->launched, r->reason[0] ? r->reason : "LaunchInProgress", r->message);
	lifecycle_again(p, r->retry_ms);
}

/* The call itself failed: nothing is known about the claim, or it is one that cannot be fulfilled as it is written. */
static int broken(struct claim_pass *p, const struct claim_view *v, struct err *err)
{
	uint64_t inputs = inputs_of(p->claim, v);
	if (err->kind == ERR_CANCELLED || condition_set_is_true(&p->conditions, p->d->launched))
		return err->kind == ERR_CANCELLED ? -1 : 1;
	if (err->kind == ERR_INVALID) {
		condition_set_unknown(&p->conditions, p->d->launched, "InvalidClaim", err->message);
		holdoff_set(&p->n->holdoff, meta_uid(p->claim), inputs, HOLDOFF_NEVER);
		return 0;
	}
	condition_set_unknown(&p->conditions, p->d->launched, "LaunchFailed", err->message);
	holdoff_fail(&p->n->holdoff, meta_uid(p->claim), inputs, clock_now_ms());
	return 1;
}

/* --- steps --------------------------------------------------------------------------------------------------------- */

/* A claim that is launched already and still has a memo: its process died before the labels were stored. Only the result is of
 * interest; if there is none any more, the memo goes. */
static void finish(struct claim_pass *p, const struct claim_view *v, const struct launch_result *r)
{
	if (r->step == STEP_DONE)
		launched(p, v, r);
	else if (r->step == STEP_FAILED)
		set_memo(p->claim, NULL);
	else
		lifecycle_again(p, r->retry_ms);
}

static void answer(struct claim_pass *p, const struct claim_view *v, const struct launch_result *r)
{
	if (condition_set_is_true(&p->conditions, p->d->launched))
		finish(p, v, r);
	else if (r->step == STEP_DONE)
		launched(p, v, r);
	else if (r->step == STEP_FAILED)
		failed(p, v, r);
	else
		waits(p, r);
}

/* 0: the cloud has said what there is to say now; 1: the call failed; 2: another step at once; -1: the pass ends. */
static int step(struct claim_pass *p, struct err *err)
{
	struct claim_view v = {0};
	CLEANUP(json_decrefp) json_t *node_class = NULL;
	CLEANUP(launch_result_done) struct launch_result r = {0};
	int rc = nodes_view(p->n, p->claim, &v, &node_class, err);
	if (rc == 0)
		rc = nodes_cloud_launch(p->n, LIFECYCLE_NAME, &v, &r, err);
	bool more = rc == 0 && r.step == STEP_PERSIST;
	if (rc < 0)
		rc = broken(p, &v, err);
	else if (!more)
		answer(p, &v, &r);
	claim_view_done(&v);
	if (!more)
		return rc;
	set_memo(p->claim, r.memo);
	return lifecycle_store_metadata(p, err) < 0 ? -1 : 2;
}

int lifecycle_launch(struct claim_pass *p, struct err *err)
{
	bool done = condition_set_is_true(&p->conditions, p->d->launched);
	if (done)
		condition_set_keep(&p->conditions, p->d->launched);
	const char *memo = meta_annotation(p->claim, ANNOTATION_OPERATION);
	if ((done && (!memo || strstr(memo, CLOUD_MEMO_MADE))) || held(p))
		return 0;
	for (int i = 0; i < STEPS_MAX; i++) {
		int rc = step(p, err);
		if (rc != 2)
			return rc;
	}
	lifecycle_again(p, 1);
	return 0;
}

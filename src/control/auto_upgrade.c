/* auto_upgrade.c: replicas of an InferenceSet come to this controller's base image, one at a time and in the maintenance window
 * (gate enableBaseImageAutoUpgrade). InPlace marks a Workspace, whose own controller then changes the workload; Surge makes one
 * replica more on the new image, and the InferenceSet controller takes an old one away once that is ready. What is under way is read
 * from the marks, so a restart goes on; a replica that does not get ready stops the rest. */
#include "admission/rules.h"
#include "base/clock.h"
#include "base/mem.h"
#include "control/cron.h"
#include "control/inference_set.h"
#include "control/scale_down.h"
#include "crd/names.h"
#include "kube/duration.h"
#include "kube/meta.h"
#include <string.h>

enum { PERIOD_MS = 5 * 60 * 1000 };

static bool on_old_image(const struct inference_set_pass *p, const json_t *child)
{
	CLEANUP(json_decrefp) json_t *workload = informer_get(p->c->op.caches[CACHE_STATEFULSETS], meta_namespace(child), meta_name(child));
	return scale_down_old_image(workload, p->c->options->base_tag);
}

static bool marked(const struct inference_set_pass *p, const json_t *child)
{
	const char *version = meta_label(child, LABEL_UPGRADE_TO);
	return version && strcmp(version, p->c->options->base_tag) == 0;
}

struct survey { int64_t old; const json_t *next; bool busy; const char *finished; /* latest start of a finished upgrade, "" none */ };

/* Of those on the old image the next is one that is not ready, as that costs nothing, else the first by name. */
static struct survey look(const struct inference_set_pass *p)
{
	struct survey s = {.finished = ""};
	const json_t *child;
	size_t i;
	json_array_foreach(p->children, i, child) {
		bool old = on_old_image(p, child), ready = inference_set_child_ready(child) && inference_set_child_rolled(p, child);
		const char *started = meta_annotation(child, ANNOTATION_UPGRADE_START);
		s.old += old;
		if (marked(p, child)) {
			s.busy = s.busy || old || !ready;
			if (!old && ready && started && strcmp(started, s.finished) > 0)
				s.finished = started;
		} else if (old && (!s.next || (!ready && inference_set_child_ready(s.next))))
			s.next = child;
	}
	/* After a surge the replica to go is still there. */
	s.busy = s.busy || (int64_t)json_array_size(p->children) > p->replicas;
	return s;
}

/* No window means always. */
static int window_open(const json_t *set, int64_t now, bool *out, struct err *err)
{
	const json_t *window = json_at(set, "spec", "autoUpgrade", "maintenanceWindow", NULL);
	const char *duration = json_text_at(window, "4h", "duration", NULL);
	double seconds = 0;
	struct cron cron;
	*out = true;
	if (!window)
		return 0;
	if (cron_parse(&cron, json_text_at(window, "", "schedule", NULL), err) < 0)
		return err_wrap(err, "maintenance window of InferenceSet %s", meta_name(set));
	if (!duration_parse(duration, &seconds) || seconds <= 0 || seconds > 1e9)
		return err_set(err, ERR_INVALID, "maintenance window of InferenceSet %s: duration '%.40s' is not one", meta_name(set), duration);
	*out = cron_window_open(&cron, (int64_t)seconds, now);
	return 0;
}

static int mark(struct inference_set_pass *p, const json_t *child, const char *now, struct err *err)
{
	CLEANUP(json_decrefp) json_t *stored = NULL;
	CLEANUP(json_decrefp) json_t *body = json_pack("{s:{s:s,s:{s:s},s:{s:s}}}", "metadata", "resourceVersion", meta_version(child), "labels", LABEL_UPGRADE_TO,
						       p->c->options->base_tag, "annotations", ANNOTATION_UPGRADE_START, now);
	if (kube_patch(p->c->op.kube, &KUBE_WORKSPACES, meta_namespace(child), meta_name(child), NULL, KUBE_PATCH_MERGE, body, &stored, err) < 0)
		return err_wrap(err, "mark Workspace %s for its upgrade", meta_name(child));
	informer_learn(p->c->op.caches[CACHE_WORKSPACES], stored);
	event_emit(p->c->op.events, p->object, "Normal", "UpgradeStarted", "Workspace %s is being brought to base image %s", meta_name(child), p->c->options->base_tag);
	return 0;
}

static int start_next(struct inference_set_pass *p, const json_t *child, const char *now, struct err *err)
{
	if (strcmp(json_text_at(p->object, "InPlace", "spec", "autoUpgrade", "strategy", NULL), "Surge") == 0)
		return inference_set_child_surge(p, p->c->options->base_tag, now, err);
	return mark(p, child, now, err);
}

static int write_status(struct inference_set_pass *p, const struct survey *s, const char *now, struct err *err)
{
	CLEANUP(json_decrefp) json_t *status = object_status_copy(p->object);
	json_t *old = json_object_get(status, "autoUpgrade"), *own = json_is_object(old) ? json_incref(old) : json_object();
	if (json_array_size(json_object_get(status, "conditions")) == 0)
		json_object_del(status, "conditions");
	if (s->old > 0)
		json_object_set_new(own, "numDriftedWorkspaces", json_integer(s->old));
	else
		json_object_del(own, "numDriftedWorkspaces");
	if (strcmp(s->finished, json_text_at(own, "", "lastSuccessfulUpgradeTime", NULL)) > 0)
		json_object_set_new(own, "lastSuccessfulUpgradeTime", json_string(now));
	if (old || json_object_size(own) > 0)
		json_object_set(status, "autoUpgrade", own);
	json_decref(own);
	return object_write_status(&p->home, &p->object, status, err);
}

static bool enabled_for(const json_t *set)
{
	return json_is_true(json_at(set, "spec", "autoUpgrade", "enabled", NULL));
}

static int upgrade(struct control *c, const char *namespace_, const char *name, struct err *err)
{
	struct inference_set_pass p CLEANUP(inference_set_done);
	char now[32];
	bool open = false;
	if (!inference_set_read(&p, c, namespace_, name) || meta_deleting(p.object) || !enabled_for(p.object))
		return 0;
	clock_rfc3339(clock_wall_s(), now);
	const struct survey s = look(&p); /* borrows from the children, which start_next may read anew: so that comes last */
	if (write_status(&p, &s, now, err) < 0 || window_open(p.object, clock_wall_s(), &open, err) < 0)
		return -1;
	return open && !s.busy && s.next ? start_next(&p, s.next, now, err) : 0;
}

static void collect(void *context, const json_t *set)
{
	if (enabled_for(set))
		json_array_append_new(context, json_pack("{s:{s:s,s:s}}", "metadata", "namespace", meta_namespace(set), "name", meta_name(set)));
}

/* Every set has its turn, whatever happens to another; the first error is returned. */
static int tick(void *world, struct err *err)
{
	struct control *c = world;
	CLEANUP(json_decrefp) json_t *keys = json_array();
	informer_each(c->op.caches[CACHE_INFERENCE_SETS], collect, keys);
	const json_t *key;
	size_t i;
	int rc = 0;
	json_array_foreach(keys, i, key) {
		struct err failure = ERR_INIT;
		if (upgrade(c, meta_namespace(key), meta_name(key), &failure) < 0 && rc == 0) {
			*err = failure;
			rc = -1;
		}
	}
	return rc;
}

static int reconcile(void *world, const char *namespace_, const char *name, struct outcome *out, struct err *err)
{
	(void)out;
	return upgrade(world, namespace_, name, err);
}

/* The clock starts upgrades; a marked replica that changes may let the next one begin. */
static void keys(void *world, int cache, const json_t *object, void (*add)(void *list, const char *key), void *list)
{
	(void)world;
	const char *set = meta_label(object, LABEL_CREATED_BY_SET);
	if (cache != CACHE_WORKSPACES || !set || !meta_label(object, LABEL_UPGRADE_TO))
		return;
	CLEANUP(mem_freep) char *key = mem_printf("%s/%s", meta_namespace(object), set);
	add(list, key);
}

static bool enabled(const void *world)
{
	const struct control_options *o = ((const struct control *)world)->options;
	return o->gates[GATE_AUTO_UPGRADE] && o->gates[GATE_INFERENCE_SET];
}

static int64_t period_ms(const void *world)
{
	(void)world;
	return PERIOD_MS;
}

static const int WATCHED[] = {CACHE_INFERENCE_SETS, CACHE_WORKSPACES, CACHE_STATEFULSETS};
const struct operator_controller AUTO_UPGRADE_CONTROLLER = {
	.name = "auto-upgrade",
	.workers = 1,
	.reconcile = reconcile,
	.keys = keys,
	.caches = WATCHED,
	.n_caches = sizeof WATCHED / sizeof WATCHED[0],
	.enabled = enabled,
	.tick = tick,
	.period_ms = period_ms,
};

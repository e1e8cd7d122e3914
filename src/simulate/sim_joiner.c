/* sim_joiner.c: the machines as the API server sees them: Nodes that join, become ready, get their GPUs, go silent and leave. A few threads,
 * each with a queue of small jobs; all jobs of an owner (an agent pool, an EC2 instance) go to the same thread, so that a Node's deletion
 * never overtakes its creation. What is to be done is decided under the simulator's mutex; the requests are sent without it. Whose machines
 * they are and what their Nodes look like is the cloud's matter: struct sim_nodes. */
#include "simulate/sim.h"

#include "base/clock.h"
#include "kube/client.h"
#include "kube/meta.h"
#include <stdio.h>

enum { WORKERS = 8, TRIES = 60 };
#define RETRY_MS 1000

struct worker { struct simulator *s; pthread_t thread; pthread_cond_t more; VEC(struct sim_node_job) queue; size_t head; bool running; };
struct sim_joiner {
	struct kube_client *kube;
	atomic_bool cancel;
	struct worker workers[WORKERS];
	uint64_t joined, left, failed;  /* guarded by the simulator's mutex, as the queues */
	char last_error[ERR_MESSAGE_MAX + 1];
};

/* --- queues; mutex held ------------------------------------------------------------------------------------------------------------ */

void sim_joiner_add(struct simulator *s, const struct sim_node_job *job)
{
	if (!s->joiner)
		return;
	struct worker *w = &s->joiner->workers[map_hash(str_of(job->owner)) % WORKERS];
	vec_push(&w->queue, *job);
	pthread_cond_signal(&w->more);
}

static bool take(struct worker *w, struct sim_node_job *out)
{
	while (w->head == w->queue.len && !w->s->stopping)
		pthread_cond_wait(&w->more, &w->s->mu);
	if (w->s->stopping)
		return false;
	*out = w->queue.data[w->head++];
	if (w->head == w->queue.len)
		w->head = w->queue.len = 0;
	return true;
}

static void later(struct simulator *s, struct sim_node_job job, enum sim_node_work work, int64_t after_ms)
{
	job.attempt = work == job.work ? job.attempt + 1 : 0;
	job.work = work;
	if (after_ms > 0)
		sim_timers_node(s, sim_timers_now_ms(s) + after_ms, SIM_EVENT_NODE, &job);
	else
		sim_joiner_add(s, &job);
}

/* --- jobs; called with the mutex held, which they let go while they talk ------------------------------------------------------------- */

static void note(struct simulator *s, const struct err *err)
{
	s->joiner->failed++;
	snprintf(s->joiner->last_error, sizeof s->joiner->last_error, "%s", err->message);
}

/* The machine's SIM_IS_*; NULL: it has not joined, or is gone. */
static uint8_t *joined(struct simulator *s, const struct sim_node_job *job)
{
	uint8_t *flags = s->cloud->nodes->flags(s, job);
	return flags && (*flags & SIM_IS_JOINED) ? flags : NULL;
}

/* The name is taken: by a Node that a finalizer still holds (wait), or by one that a new kubelet takes over. */
static int take_over(struct kube_client *kube, json_t *node, struct err *err)
{
	CLEANUP(json_decrefp) json_t *there = NULL;
	struct err local = ERR_INIT;
	if (kube_get(kube, &KUBE_NODES, NULL, meta_name(node), &there, &local) < 0 || meta_deleting(there))
		return -1;
	*err = ERR_INIT;
	CLEANUP(json_decrefp) json_t *labels = json_pack("{s:{s:O}}", "metadata", "labels", json_at(node, "metadata", "labels", NULL));
	CLEANUP(json_decrefp) json_t *status = json_pack("{s:O}", "status", json_object_get(node, "status"));
	if (kube_patch(kube, &KUBE_NODES, NULL, meta_name(node), NULL, KUBE_PATCH_MERGE, labels, NULL, err) < 0)
		return -1;
	return kube_patch(kube, &KUBE_NODES, NULL, meta_name(node), "status", KUBE_PATCH_STRATEGIC, status, NULL, err);
}

/* What comes after joining: readiness, GPUs, heartbeats. */
static void follow_up(struct simulator *s, const struct sim_node_job *job, bool ready, bool devices)
{
	if (!ready)
		later(s, *job, SIM_NODE_READY, s->settings.ready_ms);
	if (!devices)
		later(s, *job, SIM_NODE_DEVICES, s->settings.device_plugin_ms);
	if (s->settings.heartbeat_ms)
		later(s, *job, SIM_NODE_HEARTBEAT, 1);
}

static void join(struct simulator *s, const struct sim_node_job *job)
{
	const struct sim_nodes *nodes = s->cloud->nodes;
	uint8_t *flags = joined(s, job);
	struct err err = ERR_INIT;
	if (!flags)
		return;
	if (nodes->leaving(s, job)) { /* too late: nothing is there to be deleted either */
		*flags = 0;
		return;
	}
	bool ready = s->settings.ready_ms == 0, devices = s->settings.device_plugin_ms == 0 || nodes->gpus(s, job) == 0;
	CLEANUP(json_decrefp) json_t *node = nodes->make(s, job, ready, devices);
	pthread_mutex_unlock(&s->mu);
	int rc = kube_create(s->joiner->kube, &KUBE_NODES, node, NULL, &err);
	if (rc < 0 && err.kind == ERR_EXISTS)
		rc = take_over(s->joiner->kube, node, &err);
	pthread_mutex_lock(&s->mu);
	if (rc == 0) {
		s->joiner->joined++;
		follow_up(s, job, ready, devices);
		return;
	}
	if (err.kind != ERR_EXISTS)
		note(s, &err);
	if (err.kind == ERR_EXISTS || job->attempt < TRIES)
		later(s, *job, SIM_NODE_JOIN, RETRY_MS);
}

static void leave(struct simulator *s, const struct sim_node_job *job)
{
	struct err err = ERR_INIT;
	char name[SIM_NODE_NAME];
	struct err ignored = ERR_INIT;
	bool beats = s->settings.heartbeat_ms > 0;
	s->cloud->nodes->name(s, job, name);
	pthread_mutex_unlock(&s->mu);
	if (beats)
		(void)!kube_delete(s->joiner->kube, &KUBE_LEASES, "kube-node-lease", name, NULL, &ignored);
	int rc = kube_delete(s->joiner->kube, &KUBE_NODES, NULL, name, NULL, &err);
	pthread_mutex_lock(&s->mu);
	if (rc == 0 || err.kind == ERR_NOT_FOUND) {
		s->joiner->left++;
		return;
	}
	note(s, &err);
	if (job->attempt < TRIES)
		later(s, *job, SIM_NODE_DELETE, RETRY_MS);
}

/* One status patch; takes it. */
static int patch_status(struct simulator *s, const char *name, json_t *patch, struct err *err)
{
	pthread_mutex_unlock(&s->mu);
	int rc = kube_patch(s->joiner->kube, &KUBE_NODES, NULL, name, "status", KUBE_PATCH_STRATEGIC, patch, NULL, err);
	json_decref(patch);
	pthread_mutex_lock(&s->mu);
	return rc;
}

static void change(struct simulator *s, const struct sim_node_job *job)
{
	const uint8_t *flags = joined(s, job);
	struct err err = ERR_INIT;
	char name[SIM_NODE_NAME];
	bool down = flags && (*flags & SIM_IS_DOWN), forced = flags && (*flags & SIM_IS_FORCED);
	if (!flags || (job->work == SIM_NODE_READY && (down || forced)) || (job->work == SIM_NODE_DOWN && !down))
		return;
	s->cloud->nodes->name(s, job, name);
	json_t *patch = job->work == SIM_NODE_DEVICES ? s->cloud->nodes->devices_patch(s, job) : sim_node_condition_patch(s, job->work == SIM_NODE_DOWN ? "Unknown" : "True");
	if (patch_status(s, name, patch, &err) == 0)
		return;
	bool gone = err.kind == ERR_NOT_FOUND; /* somebody deleted the Node: a kubelet would register again only when it starts again */
	if (!gone)
		note(s, &err);
	if (!gone && job->attempt < TRIES)
		later(s, *job, job->work, RETRY_MS);
	else if (gone && job->work == SIM_NODE_READY && joined(s, job))
		later(s, *job, SIM_NODE_JOIN, 0);
}

static void beat(struct simulator *s, const struct sim_node_job *job)
{
	const uint8_t *flags = joined(s, job);
	struct err ignored = ERR_INIT;
	char name[SIM_NODE_NAME];
	if (!flags || s->settings.heartbeat_ms == 0)
		return;
	later(s, *job, SIM_NODE_HEARTBEAT, s->settings.heartbeat_ms);
	if (*flags & (SIM_IS_DOWN | SIM_IS_FORCED))
		return;
	s->cloud->nodes->name(s, job, name);
	CLEANUP(json_decrefp) json_t *lease = sim_node_lease(s, name);
	pthread_mutex_unlock(&s->mu);
	(void)!kube_patch(s->joiner->kube, &KUBE_LEASES, "kube-node-lease", name, NULL, KUBE_PATCH_APPLY, lease, NULL, &ignored);
	pthread_mutex_lock(&s->mu);
}

static void (*const WORK[])(struct simulator *s, const struct sim_node_job *job) = {
	[SIM_NODE_JOIN] = join, [SIM_NODE_READY] = change, [SIM_NODE_DEVICES] = change, [SIM_NODE_DOWN] = change, [SIM_NODE_DELETE] = leave, [SIM_NODE_HEARTBEAT] = beat,
};

static void *work(void *arg)
{
	struct worker *w = arg;
	struct sim_node_job job;
	pthread_mutex_lock(&w->s->mu);
	while (take(w, &job))
		WORK[job.work](w->s, &job);
	pthread_mutex_unlock(&w->s->mu);
	return NULL;
}

/* --- life -------------------------------------------------------------------------------------------------------------------------- */

int sim_joiner_start(struct simulator *s, const char *kubeconfig, struct err *err)
{
	struct sim_joiner *j = mem_alloc(sizeof *j);
	struct kube_options o = {.kubeconfig = kubeconfig, .qps = 2000, .burst = 4000, .user_agent = "kaito-simulator", .cancel = &j->cancel};
	if (kube_client_open(&j->kube, &o, err) < 0) {
		free(j);
		return -1;
	}
	s->joiner = j;
	for (int i = 0; i < WORKERS; i++) {
		struct worker *w = &j->workers[i];
		w->s = s;
		pthread_cond_init(&w->more, NULL);
		int rc = pthread_create(&w->thread, NULL, work, w);
		w->running = rc == 0;
		if (rc)
			return err_set_errno(err, ERR_NO_MEMORY, rc, "start the threads of the node joiner");
	}
	return 0;
}

void sim_joiner_cancel(struct simulator *s)
{
	if (s->joiner)
		atomic_store(&s->joiner->cancel, true);
}

/* The simulator is stopping already. */
void sim_joiner_stop(struct simulator *s)
{
	struct sim_joiner *j = s->joiner;
	if (!j)
		return;
	sim_joiner_cancel(s);
	pthread_mutex_lock(&s->mu);
	for (int i = 0; i < WORKERS; i++)
		if (j->workers[i].running)
			pthread_cond_signal(&j->workers[i].more);
	pthread_mutex_unlock(&s->mu);
	for (int i = 0; i < WORKERS; i++) {
		if (!j->workers[i].running)
			continue;
		pthread_join(j->workers[i].thread, NULL);
		pthread_cond_destroy(&j->workers[i].more);
		vec_done(&j->workers[i].queue);
	}
	kube_client_close(j->kube);
	free(j);
	s->joiner = NULL;
}

void sim_joiner_state(const struct simulator *s, json_t *out)
{
	const struct sim_joiner *j = s->joiner;
	size_t queued = 0;
	if (!j)
		return;
	for (int i = 0; i < WORKERS; i++)
		queued += j->workers[i].queue.len - j->workers[i].head;
	json_object_set_new(out, "joiner", json_pack("{s:I, s:I, s:I, s:I, s:s}", "queued", (json_int_t)queued, "joined", (json_int_t)j->joined, "left", (json_int_t)j->left,
		"failed", (json_int_t)j->failed, "last_error", j->last_error));
}

int sim_joiner_disturb(struct simulator *s, const char *node, const char *status, struct err *err)
{
	struct sim_node_job job = {.work = SIM_NODE_DELETE};
	int rc = 0;
	if (!s->joiner)
		return err_set(err, ERR_UNSUPPORTED, "there are no Nodes: start the simulator with --kubeconfig");
	pthread_mutex_lock(&s->mu);
	uint8_t *flags = s->cloud->nodes->find(s, node, &job) ? joined(s, &job) : NULL;
	if (!flags) {
		rc = err_set(err, ERR_NOT_FOUND, "no Node '%.80s' has joined; GET /_sim/state names those that have", node);
	} else if (!status) {
		*flags = SIM_IS_VANISHED;
		sim_joiner_add(s, &job);
	} else {
		*flags = (uint8_t)((*flags & ~SIM_IS_FORCED) | (strcmp(status, "True") == 0 ? 0 : SIM_IS_FORCED));
		rc = patch_status(s, node, sim_node_condition_patch(s, status), err);
	}
	pthread_mutex_unlock(&s->mu);
	return rc;
}

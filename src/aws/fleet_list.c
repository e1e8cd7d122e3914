/* fleet_list.c: see fleet_list.h. A list is immutable once it is there: fleet_list_each holds a reference and reads it without the mutex. */
#include "aws/fleet_list.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/thread.h"
#include "kube/meta.h"
#include <pthread.h>
#include <string.h>

#define UNIT_MS 1000
#define FAILED_UNITS 2 /* after a failed list, doubled each time */
#define FAILED_MAX_UNITS 30
#define WAIT_MS 30000
#define CANCEL_MS 200 /* a caller that waits for a list looks so often whether the process is to stop */
#define PAGE "200"
#define STACK_BYTES ((size_t)512 << 10)

struct fleet_list {
	struct ec2 *ec2;
	const struct aws_settings *settings;
	struct cloud_hooks hooks;
	const atomic_bool *cancel;
	int64_t unit_ms;
	pthread_t thread;
	bool started;
	pthread_mutex_t mu;     /* guards all below */
	pthread_cond_t wake;    /* for the thread */
	pthread_cond_t listed;  /* for fleet_list_each */
	bool stop, asked;
	struct map waiting;     /* claims that asked since the last list began */
	json_t *by_uid;         /* uid -> array of instances; immutable, replaced; NULL: none yet */
	int64_t list_ms;        /* start of the last good list; 0: none */
	int64_t ended_ms, failed_ms; /* end of the last attempt; its start when it failed, else 0 */
	int failures;
	struct err last;
};

/* --- one listing ----------------------------------------------------------------------------------------------------- */

struct listing { const struct fleet_list *f; json_t *by_uid; };

/* What machine.h reads of it, and no more: five thousand are kept. */
static json_t *cut(const json_t *instance, const struct machine *m)
{
	static const char *const KEPT[] = {"instanceId", "instanceState", "stateReason", "instanceType", "placement", "imageId", "instanceLifecycle", "launchTime"};
	json_t *o = json_pack("{s:[{s:s,s:s},{s:s,s:s},{s:s,s:s}]}", "tagSet", "key", MACHINE_TAG_CLUSTER, "value", m->cluster, "key", MACHINE_TAG_CLAIM, "value", m->claim, "key",
			      MACHINE_TAG_UID, "value", m->claim_uid);
	for (size_t i = 0; i < sizeof KEPT / sizeof KEPT[0]; i++)
		json_object_set(o, KEPT[i], json_object_get(instance, KEPT[i]));
	return o;
}

static void keep(void *context, json_t *instance)
{
	const struct listing *l = context;
	struct machine m;
	if (!machine_read(&m, instance) || strcmp(m.cluster, l->f->settings->cluster) != 0 || !m.claim_uid[0])
		return;
	json_t *list = json_object_get(l->by_uid, m.claim_uid);
	if (!list)
		json_object_set_new(l->by_uid, m.claim_uid, list = json_array());
	json_array_append_new(list, cut(instance, &m));
}

static int page(struct fleet_list *f, json_t *by_uid, char **token, int64_t *wait_ms, struct err *err)
{
	CLEANUP(buf_done) struct buf form = {0};
	CLEANUP(ec2_answer_done) struct ec2_answer a = {0};
	struct listing l = {f, by_uid};
	ec2_begin(&form, "DescribeInstances");
	ec2_put(&form, "tag:" MACHINE_TAG_CLUSTER, "Filter.1.Name");
	ec2_put(&form, f->settings->cluster, "Filter.1.Value.1");
	ec2_put(&form, PAGE, "MaxResults");
	if (*token)
		ec2_put(&form, *token, "NextToken");
	int sent = ec2_send(f->ec2, form.data, &a, wait_ms, err);
	if (sent != 0)
		return sent;
	if (a.status != 200)
		return ec2_refusal(form.data, &a, err);
	if (!json_object_get(a.body, "reservationSet"))
		return err_set(err, ERR_PROTOCOL, "DescribeInstances: the answer has no reservationSet");
	machine_each(a.body, keep, &l);
	const char *next = json_text_at(a.body, "", "nextToken", NULL);
	free(*token);
	*token = next[0] ? mem_strdup(next) : NULL;
	return 0;
}

/* All pages, or nothing. */
static int list_all(struct fleet_list *f, json_t **out, int64_t *wait_ms, struct err *err)
{
	json_t *by_uid = json_object();
	char *token = NULL;
	int rc = page(f, by_uid, &token, wait_ms, err);
	for (int n = 1; rc == 0 && token; n++)
		rc = n < LIMIT_EC2_PAGES ? page(f, by_uid, &token, wait_ms, err) : err_set(err, ERR_LIMIT, "DescribeInstances has more than %d pages", LIMIT_EC2_PAGES);
	free(token);
	if (rc == 0)
		*out = by_uid;
	else
		json_decref(by_uid);
	return rc;
}

/* --- the thread ------------------------------------------------------------------------------------------------------ */

static bool stopping(const struct fleet_list *f) { return f->stop || (f->cancel && atomic_load(f->cancel)); }

static void wait_until(struct fleet_list *f, pthread_cond_t *c, int64_t ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	if (ms < 0)
		pthread_cond_wait(c, &f->mu);
	else
		pthread_cond_timedwait(c, &f->mu, &t);
}

/* When the next list is due; -1: not at all. */
static int64_t due(const struct fleet_list *f)
{
	if (!f->asked)
		return -1;
	int64_t units = f->failures > 0 ? (int64_t)FAILED_UNITS << (f->failures < 5 ? f->failures - 1 : 4) : 1;
	return f->ended_ms == 0 ? 0 : f->ended_ms + f->unit_ms * (units < FAILED_MAX_UNITS ? units : FAILED_MAX_UNITS);
}

static void settle(struct fleet_list *f, int rc, json_t *by_uid, int64_t started_ms)
{
	f->ended_ms = clock_now_ms();
	f->failed_ms = rc == 0 ? 0 : started_ms;
	f->failures = rc == 0 ? 0 : f->failures + 1;
	if (rc == 0) {
		json_decref(f->by_uid);
		f->by_uid = by_uid;
		f->list_ms = started_ms;
	}
	pthread_cond_broadcast(&f->listed);
}

static void tell(struct fleet_list *f, struct map *waiting)
{
	struct map_entry at;
	for (size_t i = 0; map_next(waiting, &i, &at);) {
		CLEANUP(mem_freep) char *claim = mem_strndup(at.key.data, at.key.len);
		if (f->hooks.changed)
			f->hooks.changed(f->hooks.context, claim);
	}
	map_done(waiting);
}

/* mu is held on entry and on return, not meanwhile. */
static void list_once(struct fleet_list *f)
{
	struct err err = ERR_INIT;
	struct map waiting = f->waiting;
	json_t *by_uid = NULL;
	int64_t started_ms = clock_now_ms(), wait_ms = 0;
	f->waiting = (struct map){0};
	f->asked = false;
	pthread_mutex_unlock(&f->mu);
	int rc = list_all(f, &by_uid, &wait_ms, &err);
	pthread_mutex_lock(&f->mu);
	if (rc == 1) /* the gate is closed: who waits is told that it failed, and asks again */
		(void)err_set(&err, ERR_BUSY, "EC2 asks for a slower pace");
	f->last = err;
	settle(f, rc, by_uid, started_ms);
	pthread_mutex_unlock(&f->mu);
	tell(f, &waiting);
	pthread_mutex_lock(&f->mu);
}

static void *run(void *context)
{
	struct fleet_list *f = context;
	pthread_mutex_lock(&f->mu);
	while (!stopping(f)) {
		int64_t at = due(f);
		if (at >= 0 && at <= clock_now_ms())
			list_once(f);
		else
			wait_until(f, &f->wake, at);
	}
	pthread_mutex_unlock(&f->mu);
	return NULL;
}

/* The thread is started by the first need. mu is held. */
static void ask(struct fleet_list *f)
{
	f->asked = true;
	if (!f->started && !f->stop) {
		f->started = thread_start(&f->thread, STACK_BYTES, run, f) == 0;
	}
	pthread_cond_signal(&f->wake);
}

struct fleet_list *fleet_list_new(struct ec2 *ec2, const struct aws_settings *s, const struct cloud_hooks *hooks, int64_t unit_ms, const atomic_bool *cancel)
{
	struct fleet_list *f = mem_alloc(sizeof *f);
	f->ec2 = ec2;
	f->settings = s;
	f->hooks = *hooks;
	f->cancel = cancel;
	f->unit_ms = unit_ms ? unit_ms : UNIT_MS;
	pthread_mutex_init(&f->mu, NULL);
	thread_cond_init(&f->wake);
	thread_cond_init(&f->listed);
	return f;
}

void fleet_list_free(struct fleet_list *f)
{
	if (!f)
		return;
	pthread_mutex_lock(&f->mu);
	f->stop = true;
	pthread_cond_broadcast(&f->wake);
	pthread_cond_broadcast(&f->listed);
	pthread_mutex_unlock(&f->mu);
	if (f->started)
		pthread_join(f->thread, NULL);
	map_done(&f->waiting);
	json_decref(f->by_uid);
	pthread_cond_destroy(&f->wake);
	pthread_cond_destroy(&f->listed);
	pthread_mutex_destroy(&f->mu);
	free(f);
}

/* --- readers --------------------------------------------------------------------------------------------------------- */

/* What is handed out is a copy, small as it is: references are counted under the mutex only. */
int fleet_list_look(struct fleet_list *f, const char *uid, const char *claim, int64_t not_before_ms, json_t **out, struct err *err)
{
	pthread_mutex_lock(&f->mu);
	int result = f->list_ms > 0 && f->list_ms >= not_before_ms ? 0 : f->failed_ms > 0 && f->failed_ms >= not_before_ms ? -1 : 2;
	if (result == 0) {
		json_t *list = json_object_get(f->by_uid, uid);
		*out = list ? json_deep_copy(list) : json_array();
	} else {
		map_put(&f->waiting, str_of(claim), f);
		ask(f);
	}
	if (result < 0 && err)
		*err = f->last;
	pthread_mutex_unlock(&f->mu);
	return result;
}

/* mu is held. */
static int fresh(struct fleet_list *f, int64_t not_before_ms, struct err *err)
{
	int64_t asked_ms = clock_now_ms(), deadline = asked_ms + WAIT_MS;
	while (f->list_ms == 0 || f->list_ms < not_before_ms) {
		if (f->failed_ms >= asked_ms) {
			*err = f->last;
			return -1;
		}
		if (stopping(f))
			return err_set(err, ERR_CANCELLED, "stopping");
		if (clock_now_ms() >= deadline)
			return err_set(err, ERR_TIMEOUT, "no list of instances came within %d s", WAIT_MS / 1000);
		ask(f);
		int64_t look_ms = clock_now_ms() + CANCEL_MS;
		wait_until(f, &f->listed, look_ms < deadline ? look_ms : deadline);
	}
	return 0;
}

int fleet_list_each(struct fleet_list *f, int64_t max_age_ms, void (*fn)(void *context, const json_t *instance), void *context, struct err *err)
{
	struct err local = ERR_INIT;
	pthread_mutex_lock(&f->mu);
	int rc = fresh(f, clock_now_ms() - max_age_ms, &local);
	json_t *all = rc == 0 ? json_incref(f->by_uid) : NULL;
	pthread_mutex_unlock(&f->mu);
	if (rc < 0 && err)
		*err = local;
	const char *uid;
	json_t *list, *instance;
	size_t i;
	json_object_foreach(all, uid, list)
		json_array_foreach(list, i, instance) {
			struct machine m;
			if (machine_read(&m, instance) && !m.terminated)
				fn(context, instance);
		}
	pthread_mutex_lock(&f->mu);
	json_decref(all);
	pthread_mutex_unlock(&f->mu);
	return rc;
}

int fleet_list_ready(struct fleet_list *f, struct err *err)
{
	pthread_mutex_lock(&f->mu);
	int rc = f->list_ms > 0 && f->failed_ms == 0 ? 0 : 1;
	if (rc && f->failed_ms > 0 && err)
		*err = f->last;
	else if (rc)
		(void)err_set(err, ERR_BUSY, "EC2 has not been asked yet");
	if (rc)
		ask(f);
	pthread_mutex_unlock(&f->mu);
	return rc;
}

int64_t fleet_list_age_ms(struct fleet_list *f)
{
	pthread_mutex_lock(&f->mu);
	int64_t age = f->list_ms > 0 ? clock_now_ms() - f->list_ms : -1;
	pthread_mutex_unlock(&f->mu);
	return age;
}

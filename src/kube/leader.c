/* leader.c: see leader.h.
 *
 * Nobody trusts another machine's clock: a lease has run out when it did not change for its duration as seen from here. The
 * holder steps down by its own clock well before that, at the renew deadline, whatever its requests are doing. */
#include "kube/leader.h"

#include "base/clock.h"
#include "base/thread.h"
#include "codec/json.h"
#include "http/retry.h"
#include "kube/meta.h"
#include "kube/request.h"
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES ((size_t)256 << 10)
#define FAREWELL_MS 2000 /* for a renewal under way and the release */
#define LONG_PAST_MS 1

struct leader {
	struct kube_client *client;
	struct leader_options options;
	char *namespace_, *name, *identity;
	json_t *lease;               /* as last seen; owner: the acquiring caller, then the thread */
	int64_t seen_ms;             /* when it last changed */
	pthread_t thread;
	bool started;
	const atomic_bool *cancel;   /* of requests: the caller's while acquiring, then abandon */
	atomic_bool abandon;
	pthread_mutex_t mu;          /* guards all below */
	pthread_cond_t changed;
	bool stop, ended, lost, held;
	int64_t renewed_ms;
};

static char *default_identity(void)
{
	char host[128] = "";
	uint64_t random = 0;
	gethostname(host, sizeof host - 1);
	if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
		random = (uint64_t)clock_now_ns();
	return mem_printf("%s_%016" PRIx64, host, random);
}

struct leader *leader_new(struct kube_client *client, const struct leader_options *options)
{
	struct leader *l = mem_alloc(sizeof *l);
	l->client = client;
	l->options = *options;
	l->cancel = options->cancel;
	l->options.lease_s = options->lease_s ? options->lease_s : 15;
	l->options.renew_s = options->renew_s ? options->renew_s : 10;
	l->options.retry_s = options->retry_s ? options->retry_s : 2;
	l->namespace_ = mem_strdup(options->namespace_);
	l->name = mem_strdup(options->name);
	l->identity = options->identity ? mem_strdup(options->identity) : default_identity();
	pthread_mutex_init(&l->mu, NULL);
	thread_cond_init(&l->changed);
	return l;
}

/* --- requests --------------------------------------------------------------------------------------------------- */

static int ask(struct leader *l, const char *method, bool by_name, const json_t *body, json_t **out, struct err *err)
{
	CLEANUP(mem_freep) char *path = kube_path(&KUBE_LEASES, l->namespace_, by_name ? l->name : NULL, NULL);
	CLEANUP(buf_done) struct buf text = {0};
	if (body)
		json_print(body, JSON_PRINT_COMPACT, &text);
	const struct kube_request q = {
		.method = method, .path = path, .content_type = body ? "application/json" : NULL, .body = buf_str(&text),
		.stall_ms = l->options.renew_s * 500, .cancel = l->cancel, .repeatable = true, .once = true, .detached = true, .urgent = true,
	};
	return kube_request_object(l->client, &q, out, NULL, err);
}

/* metav1.MicroTime */
static void put_now(json_t *spec, const char *key)
{
	char seconds[32], text[48];
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	clock_rfc3339(t.tv_sec, seconds);
	snprintf(text, sizeof text, "%.19s.%06ldZ", seconds, t.tv_nsec / 1000);
	json_object_set_new(spec, key, json_string(text));
}

static json_t *spec_of(json_t *lease)
{
	json_t *spec = json_object_get(lease, "spec");
	if (json_is_object(spec))
		return spec;
	spec = json_object();
	json_object_set_new(lease, "spec", spec);
	return spec;
}

static const char *holder_of(const json_t *lease) { return json_text_at(lease, "", "spec", "holderIdentity", NULL); }
static bool is_mine(const struct leader *l, const json_t *lease) { return strcmp(holder_of(lease), l->identity) == 0; }

/* Takes the reference. */
static void see(struct leader *l, json_t *lease)
{
	if (!l->lease || strcmp(meta_version(l->lease), meta_version(lease)) != 0)
		l->seen_ms = clock_now_ms();
	json_decref(l->lease);
	l->lease = lease;
}

static void forget_lease(struct leader *l)
{
	json_decref(l->lease);
	l->lease = NULL;
}

static int look(struct leader *l, struct err *err)
{
	json_t *lease = NULL;
	if (ask(l, "GET", true, NULL, &lease, err) < 0)
		return -1;
	see(l, lease);
	return 0;
}

/* The caller holds mu. */
static void lead_until(struct leader *l, int64_t ms)
{
	if (l->options.until_ms)
		atomic_store(l->options.until_ms, ms);
}

/* Writes ourselves into the lease; an update only succeeds on the version seen. */
static int claim(struct leader *l, struct err *err)
{
	bool fresh = !l->lease;
	CLEANUP(json_decrefp) json_t *next = fresh ? meta_new(&KUBE_LEASES, l->namespace_, l->name) : json_deep_copy(l->lease);
	json_t *spec = spec_of(next), *answer = NULL;
	if (!is_mine(l, next)) {
		int64_t transitions = json_int_at(spec, fresh ? -1 : 0, "leaseTransitions", NULL);
		json_object_set_new(spec, "leaseTransitions", json_integer(transitions + 1));
		json_object_set_new(spec, "holderIdentity", json_string(l->identity));
		put_now(spec, "acquireTime");
	}
	json_object_set_new(spec, "leaseDurationSeconds", json_integer(l->options.lease_s));
	put_now(spec, "renewTime");
	int64_t sent_ms = clock_now_ms();
	if (ask(l, fresh ? "POST" : "PUT", !fresh, next, &answer, err) < 0)
		return -1;
	see(l, answer);
	pthread_mutex_lock(&l->mu);
	l->held = true;
	l->renewed_ms = sent_ms; /* the others count from when they see it, which is later */
	if (!l->lost)
		lead_until(l, sent_ms + l->options.renew_s * 1000);
	pthread_mutex_unlock(&l->mu);
	return 0;
}

static bool has_run_out(const struct leader *l)
{
	int64_t lease_s = json_int_at(l->lease, l->options.lease_s, "spec", "leaseDurationSeconds", NULL);
	return !holder_of(l->lease)[0] || clock_now_ms() - l->seen_ms >= lease_s * 1000;
}

/* 0: we lead; 1: somebody else does. */
static int try_acquire(struct leader *l, struct err *err)
{
	if (look(l, err) < 0) {
		if (err->kind != ERR_NOT_FOUND)
			return -1;
		forget_lease(l);
	} else if (!is_mine(l, l->lease) && !has_run_out(l)) {
		return 1;
	}
	return claim(l, err);
}

/* --- the holder's thread ----------------------------------------------------------------------------------------- */

/* The caller holds mu. */
static bool past_deadline(const struct leader *l) { return clock_now_ms() - l->renewed_ms >= l->options.renew_s * 1000; }

bool leader_holds(struct leader *l)
{
	pthread_mutex_lock(&l->mu);
	if (l->held && past_deadline(l))
		l->lost = true;
	bool holds = l->held && !l->lost;
	pthread_mutex_unlock(&l->mu);
	return holds;
}

static bool sleep_until_next(struct leader *l)
{
	int64_t until = clock_now_ms() + l->options.retry_s * 1000;
	struct timespec t = {until / 1000, until % 1000 * 1000000};
	pthread_mutex_lock(&l->mu);
	while (!l->stop && clock_now_ms() < until)
		pthread_cond_timedwait(&l->changed, &l->mu, &t);
	bool stop = l->stop;
	pthread_mutex_unlock(&l->mu);
	return !stop;
}

/* One renewal; a conflict is looked into, anything else is tried again until the deadline. */
static void renew(struct leader *l)
{
	struct err err = ERR_INIT;
	if (claim(l, &err) == 0)
		return;
	if (err.kind == ERR_NOT_FOUND)
		forget_lease(l); /* somebody deleted it: made again next time */
	if (err.kind != ERR_CONFLICT || look(l, &err) < 0 || is_mine(l, l->lease))
		return;
	pthread_mutex_lock(&l->mu);
	l->lost = true;
	lead_until(l, LONG_PAST_MS);
	pthread_mutex_unlock(&l->mu);
}

static void release(struct leader *l)
{
	struct err err = ERR_INIT;
	json_t *spec = spec_of(l->lease);
	json_object_set_new(spec, "holderIdentity", json_string(""));
	json_object_set_new(spec, "leaseDurationSeconds", json_integer(1));
	put_now(spec, "renewTime");
	if (ask(l, "PUT", true, l->lease, NULL, &err) < 0)
		return; /* it runs out by itself */
}

static void *run(void *context)
{
	struct leader *l = context;
	while (sleep_until_next(l) && leader_holds(l))
		renew(l);
	if (leader_holds(l) && l->lease)
		release(l);
	pthread_mutex_lock(&l->mu);
	l->ended = true;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->mu);
	return NULL;
}

static void start_thread(struct leader *l)
{
	l->cancel = &l->abandon;
	l->started = thread_start(&l->thread, STACK_BYTES, run, l) == 0;
}

int leader_acquire(struct leader *l, struct err *err)
{
	struct err why = ERR_INIT, now = ERR_INIT;
	while (try_acquire(l, &now) != 0) {
		if (now.kind != ERR_CANCELLED)
			why = now;
		if (retry_wait(l->options.retry_s * 1000, l->options.cancel, err) < 0)
			return err_set(err, ERR_CANCELLED, "stopped before leading%s%s", why.kind ? "; last: " : "", why.message);
	}
	start_thread(l);
	return l->started ? 0 : err_set(err, ERR_INTERNAL, "cannot start the thread that renews the lease");
}

/* An API server that is silent holds up nobody. */
static void end_thread(struct leader *l)
{
	pthread_mutex_lock(&l->mu);
	int64_t until = clock_now_ms() + (l->lost ? 0 : FAREWELL_MS);
	struct timespec t = {until / 1000, until % 1000 * 1000000};
	l->stop = true;
	pthread_cond_broadcast(&l->changed);
	while (!l->ended && clock_now_ms() < until)
		pthread_cond_timedwait(&l->changed, &l->mu, &t);
	pthread_mutex_unlock(&l->mu);
	atomic_store(&l->abandon, true);
	pthread_join(l->thread, NULL);
}

void leader_free(struct leader *l)
{
	if (!l)
		return;
	if (l->started)
		end_thread(l);
	json_decref(l->lease);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->mu);
	free(l->namespace_);
	free(l->name);
	free(l->identity);
	free(l);
}

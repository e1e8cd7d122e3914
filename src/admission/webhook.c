/* webhook.c: see webhook.h. The server answers on its own threads. One more thread keeps certificate and configurations right: it watches
 * the configurations (an upgrade of the chart writes them without CA) and looks at the Secret whenever the watch ends.
 *
 * A new certificate comes in three steps, so that no request fails: the configurations trust the new CA beside the old one, the API
 * servers get time to learn it, then new connections see the new certificate. */
#include "admission/webhook.h"

#include "admission/lookup.h"
#include "admission/review.h"
#include "admission/webhook_config.h"
#include "admission/webhook_secret.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "http/server.h"
#include "kube/meta.h"
#include <pthread.h>
#include <string.h>

#define HUB_DEADLINE_MS 2000
#define KEEP_ALIVE_MS 180000 /* longer than the API server's 90 s, so that a request never meets a closing connection */
#define SETTLE_MS 5000       /* for API servers to learn a new CA */
#define CHECK_MS 300000      /* at most this long between two looks at the Secret */
#define START_TRIES 15
#define PAUSE_MS 2000
#define STACK_BYTES ((size_t)256 << 10)
#define HOSTS 4

struct webhook {
	struct webhook_options o;
	struct lookup *cluster;
	struct validate_lookup lookup;
	struct http_route routes[WEBHOOK_PATHS];
	struct http_server *server;
	struct webhook_secret secret;    /* the thread's after start */
	char *hosts[HOSTS];
	struct webhook_secret_options secret_options;
	pthread_t thread;
	bool started;
	atomic_bool stop, look;          /* look: the watch ends because something is to be done */
};

/* --- requests ------------------------------------------------------------------------------------------------ */

static int on_review(struct http_exchange *x, struct err *err)
{
	const struct webhook *w = http_context(x);
	const struct webhook_path *path = http_route(x)->detail;
	json_t *answer = NULL;
	if (review_answer(w->o.control, &w->lookup, path->kind, http_body(x), &answer, NULL, err) < 0)
		return -1;
	return http_reply_json(x, 200, answer);
}

static int listen_on(struct webhook *w, struct err *err)
{
	for (size_t i = 0; i < WEBHOOK_PATHS; i++)
		w->routes[i] = (struct http_route){"POST", WEBHOOK_PATH[i].path, on_review, 0, &WEBHOOK_PATH[i]};
	const struct http_server_options o = {
		.port = w->o.port, .routes = w->routes, .n_routes = WEBHOOK_PATHS, .context = w, .max_workers = 32, .io_threads = 1,
		.receive_timeout_ms = KEEP_ALIVE_MS, .send_timeout_ms = KEEP_ALIVE_MS,
		.tls_cert_pem = w->secret.certificate.cert_pem, .tls_key_pem = w->secret.certificate.key_pem,
	};
	return http_server_start(&w->server, &o, err) < 0 ? err_wrap(err, "webhook") : 0;
}

/* --- certificate and configurations -------------------------------------------------------------------------- */

static struct webhook_place place_of(const struct webhook *w, const char *bundle)
{
	return (struct webhook_place){.service = w->o.service, .namespace_ = w->o.namespace_, .ca_bundle = bundle};
}

/* Waits, in steps so that a stop is not held up. */
static void pause_ms(struct webhook *w, int64_t ms)
{
	int64_t until = clock_now_ms() + ms;
	for (int64_t now = clock_now_ms(); now < until && !atomic_load(&w->stop); now = clock_now_ms())
		clock_sleep_ms(until - now < 100 ? until - now : 100);
}

static int replace(struct webhook *w, struct webhook_secret *new, struct err *err)
{
	const struct webhook_place place = place_of(w, new->bundle);
	if (webhook_config_apply(w->o.kube, &place, err) < 0)
		return -1;
	pause_ms(w, SETTLE_MS);
	if (http_server_set_certificate(w->server, new->certificate.cert_pem, new->certificate.key_pem, err) < 0)
		return -1;
	log_info("webhook: new certificate in use");
	return 0;
}

/* Takes a look at everything; cheap when nothing changed: one read of the Secret and of each configuration. */
static int keep_right(struct webhook *w, struct err *err)
{
	struct webhook_secret now = {0};
	if (webhook_secret_ensure(w->o.kube, &w->secret_options, &now, err) < 0)
		return -1;
	bool same = strcmp(now.certificate.cert_pem, w->secret.certificate.cert_pem) == 0;
	const struct webhook_place place = place_of(w, now.bundle);
	int rc = same ? webhook_config_apply(w->o.kube, &place, err) : replace(w, &now, err);
	struct webhook_secret unused = rc == 0 ? w->secret : now;
	if (rc == 0)
		w->secret = now;
	webhook_secret_done(&unused);
	return rc;
}

static void on_configuration(void *context, const char *type, json_t *object)
{
	struct webhook *w = context;
	if (strcmp(type, "ADDED") != 0 && strcmp(type, "MODIFIED") != 0)
		return;
	const struct webhook_place place = place_of(w, w->secret.bundle);
	json_t *wanted = webhook_config_wanted(&place, object);
	if (wanted)
		atomic_store(&w->look, true);
	json_decref(wanted);
}

/* A tenth of the time that is left for renewal, so that short lives (tests) are kept too. */
static int64_t check_ms(const struct webhook *w)
{
	int64_t tenth = w->secret_options.renew_before_s * 100;
	return tenth < CHECK_MS ? tenth : CHECK_MS;
}

static void *run(void *context)
{
	struct webhook *w = context;
	struct err first = ERR_INIT;
	const struct webhook_place place = place_of(w, w->secret.bundle);
	if (webhook_config_apply(w->o.kube, &place, &first) < 0) /* the loop goes on trying */
		log_warning("webhook: %s", first.message);
	while (!atomic_load(&w->stop)) {
		struct err err = ERR_INIT;
		const struct kube_watch_options o = {.idle_ms = check_ms(w), .cancel = &w->look};
		int rc = kube_watch(w->o.kube, &KUBE_WEBHOOKS, NULL, &o, on_configuration, w, &err);
		bool lost = rc < 0 && err.kind != ERR_TIMEOUT && err.kind != ERR_CANCELLED && err.kind != ERR_GONE;
		atomic_store(&w->look, false);
		if (atomic_load(&w->stop))
			break;
		if (lost)
			pause_ms(w, PAUSE_MS);
		if (!atomic_load(&w->stop) && keep_right(w, &err) < 0) {
			log_warning("webhook: %s", err.message);
			pause_ms(w, PAUSE_MS);
		}
	}
	return NULL;
}

/* --- life ---------------------------------------------------------------------------------------------------- */

static int first_certificate(struct webhook *w, struct err *err)
{
	for (int i = 0;; i++) {
		int rc = webhook_secret_ensure(w->o.kube, &w->secret_options, &w->secret, err);
		bool again = rc < 0 && (err->kind == ERR_NETWORK || err->kind == ERR_TIMEOUT || err->kind == ERR_CONFLICT || err->kind == ERR_BUSY);
		if (!again || i + 1 >= START_TRIES)
			return rc;
		if (kube_client_pause(w->o.kube, PAUSE_MS, err) < 0)
			return -1;
	}
}

static void name_hosts(struct webhook *w)
{
	const char *s = w->o.service, *n = w->o.namespace_;
	w->hosts[0] = mem_printf("%s.%s.svc", s, n);
	w->hosts[1] = mem_printf("%s.%s.svc.cluster.local", s, n);
	w->hosts[2] = mem_printf("%s.%s", s, n);
	w->hosts[3] = mem_strdup(s);
	w->secret_options = (struct webhook_secret_options){
		.namespace_ = n, .name = w->o.secret, .hosts = (const char *const *)w->hosts, .n_hosts = HOSTS,
		.validity_s = w->o.validity_s > 0 ? w->o.validity_s : 365 * 24 * 3600,
		.renew_before_s = w->o.renew_before_s > 0 ? w->o.renew_before_s : 30 * 24 * 3600,
	};
}

static int start_thread(struct webhook *w, struct err *err)
{
	int rc = thread_start(&w->thread, STACK_BYTES, run, w);
	w->started = rc == 0;
	return rc ? err_set_errno(err, ERR_INTERNAL, rc, "start the webhook's thread") : 0;
}

int webhook_start(struct webhook **out, const struct webhook_options *options, struct err *err)
{
	struct webhook *w = mem_alloc(sizeof *w);
	w->o = *options;
	w->cluster = lookup_new(options->kube);
	w->lookup = lookup_for_rules(w->cluster, options->models, HUB_DEADLINE_MS);
	name_hosts(w);
	if (first_certificate(w, err) == 0 && listen_on(w, err) == 0 && start_thread(w, err) == 0) {
		*out = w;
		return 0;
	}
	webhook_stop(w);
	return -1;
}

int webhook_port(const struct webhook *w) { return http_server_port(w->server); }

void webhook_stop(struct webhook *w)
{
	if (!w)
		return;
	atomic_store(&w->stop, true);
	atomic_store(&w->look, true);
	if (w->started)
		pthread_join(w->thread, NULL);
	http_server_free(w->server);
	lookup_free(w->cluster);
	webhook_secret_done(&w->secret);
	for (size_t i = 0; i < HOSTS; i++)
		free(w->hosts[i]);
	free(w);
}

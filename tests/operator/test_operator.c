/* test_operator.c: a process made of one controller, against an API server in the test: keys reach the reconcile, failures come again
 * with the row's back-off, own ticks run, health and metrics answer, a lost lease ends the process, and so does a stop, whoever is silent. */
#include "check_main.h"

#include "base/clock.h"
#include "base/mem.h"
#include "http/client.h"
#include "http/server.h"
#include "kube/event_recorder.h"
#include "kube/fake_api.h"
#include "kube/meta.h"
#include "operator/operator.h"
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 10000 };
enum { CACHE_MAPS, CACHE_SECRETS, CACHES };
static const struct operator_cache ROWS[CACHES] = {[CACHE_MAPS] = {.resource = &KUBE_CONFIGMAPS}, [CACHE_SECRETS] = {.resource = &KUBE_SECRETS}};

struct world { /* counters of the one running process */
	struct operator op;
	atomic_int seen, failures_left, ticks, served, led, finished, ready, stuck;
	int64_t first_failure_ms, success_ms;
};
static struct world w;
static struct fake_api *api;
static atomic_bool stop;
static struct err result;
static int result_rc, health_port, metrics_port;
static const char *kubeconfig;

static int reconcile(void *world, const char *namespace_, const char *name, struct outcome *out, struct err *err)
{
	struct world *x = world;
	(void)out;
	CLEANUP(json_decrefp) json_t *map = informer_get(x->op.caches[CACHE_MAPS], namespace_, name);
	if (!map)
		return 0;
	if (atomic_load(&x->failures_left) > 0) {
		x->first_failure_ms = x->first_failure_ms ? x->first_failure_ms : clock_now_ms();
		atomic_fetch_sub(&x->failures_left, 1);
		return err_set(err, ERR_INTERNAL, "not yet");
	}
	if (atomic_load(&x->stuck))
		dprintf(2, "stuck\n");
	while (atomic_load(&x->stuck))
		clock_sleep_ms(20);
	x->success_ms = clock_now_ms();
	atomic_fetch_add(&x->seen, 1);
	return 0;
}

static void keys(void *world, int cache, const json_t *object, void (*add)(void *list, const char *key), void *list)
{
	(void)world;
	ck_assert_int_eq(cache, CACHE_MAPS);
	CLEANUP(mem_freep) char *key = meta_key(object);
	add(list, key);
}

static int tick(void *world, struct err *err)
{
	(void)err;
	atomic_fetch_add(&((struct world *)world)->ticks, 1);
	return 0;
}

static int64_t often(const void *world)
{
	(void)world;
	return 10;
}

static bool never(const void *world)
{
	(void)world;
	return false;
}

static int serve(void *world, struct err *err)
{
	(void)err;
	atomic_store(&((struct world *)world)->served, 1);
	return 0;
}

static int lead(void *world, struct err *err)
{
	(void)err;
	atomic_store(&((struct world *)world)->led, 1);
	return 0;
}

static void finish(void *world)
{
	atomic_store(&((struct world *)world)->finished, 1);
}

static int ready(void *world, struct err *err)
{
	return atomic_load(&((struct world *)world)->ready) ? 0 : err_set(err, ERR_BUSY, "no token yet");
}

static const int WATCHED[] = {CACHE_MAPS}, OTHER[] = {CACHE_SECRETS};
static const struct operator_controller MAPS = {
	.name = "maps", .workers = 2, .reconcile = reconcile, .keys = keys, .caches = WATCHED, .n_caches = 1, .tick = tick, .period_ms = often,
	.backoff_first_ms = 40, .backoff_max_ms = 80,
};
static const struct operator_controller OFF = {.name = "off", .workers = 1, .reconcile = reconcile, .keys = keys, .caches = OTHER, .n_caches = 1, .enabled = never};
static const struct operator_controller *const CONTROLLERS[] = {&MAPS, &OFF};
static const struct metric_row METRICS[] = {OPERATOR_METRIC_ROWS};

static void *process(void *context)
{
	const bool *elect = context;
	char health[32], metrics[32];
	snprintf(health, sizeof health, health_port ? "127.0.0.1:%d" : "%d", health_port);
	snprintf(metrics, sizeof metrics, metrics_port ? "127.0.0.1:%d" : "%d", metrics_port);
	const struct operator_options o = {
		.name = "test", .kubeconfig = kubeconfig, .qps = 1000, .burst = 1000, .health_address = health, .metrics_address = metrics,
		.leader_elect = *elect, .lease_namespace = "default", .lease_name = "lease", .event_component = "test", .caches = ROWS, .n_caches = CACHES,
		.controllers = CONTROLLERS, .n_controllers = 2, .serve = serve, .lead = lead, .finish = finish, .ready = ready, .profiling = true,
	};
	result_rc = operator_run(&w.op, &o, &w, metrics_new(METRICS, OPERATOR_METRICS, NULL), &stop, &result);
	return NULL;
}

static int free_port(void)
{
	struct http_server_options o = {.host = "127.0.0.1"};
	struct http_server *s = NULL;
	struct err err = ERR_INIT;
	ck_assert_int_eq(http_server_start(&s, &o, &err), 0);
	int port = http_server_port(s);
	http_server_free(s);
	return port;
}

static void put_map(const char *name, const char *value)
{
	char path[96];
	snprintf(path, sizeof path, "/api/v1/namespaces/a/configmaps/%s", name);
	fake_api_put(api, path, json_pack("{s:s,s:s,s:{s:s,s:s},s:{s:s}}", "apiVersion", "v1", "kind", "ConfigMap", "metadata", "name", name, "namespace", "a",
					  "data", "v", value));
}

static int get(int port, const char *path, struct buf *body)
{
	const struct http_options o = {.reach = ADDRESS_REACH_ANY};
	struct http_client *c CLEANUP(http_client_freep) = http_client_new(&o);
	CLEANUP(mem_freep) char *url = mem_printf("http://127.0.0.1:%d%s", port, path);
	const struct http_request q = {.method = "GET", .url = url, .once = true};
	struct http_response r = {0};
	struct err err = ERR_INIT;
	int status = http_client_send(c, &q, &r, &err) == 0 ? r.status : -1;
	if (body && r.body.len)
		buf_put(body, r.body.data, r.body.len);
	http_response_done(&r);
	return status;
}

#define EVENTUALLY(what) do { \
	int64_t end = clock_now_ms() + WAIT_MS; \
	while (!(what) && clock_now_ms() < end) \
		clock_sleep_ms(5); \
	ck_assert_msg(what, "%s", #what); \
} while (0)

#define LEASE "/apis/coordination.k8s.io/v1/namespaces/default/leases/lease"
static pthread_t thread;
static bool taken_lease;

static void put_lease(void)
{
	char now[32];
	clock_rfc3339(clock_wall_s(), now);
	now[strlen(now) - 1] = 0;
	CLEANUP(mem_freep) char *stamp = mem_printf("%s.000000Z", now);
	fake_api_put(api, LEASE, json_pack("{s:s,s:s,s:{s:s,s:s},s:{s:s,s:i,s:s,s:s}}", "apiVersion", "coordination.k8s.io/v1", "kind", "Lease", "metadata", "name",
					   "lease", "namespace", "default", "spec", "holderIdentity", "another", "leaseDurationSeconds", 15, "renewTime", stamp,
					   "acquireTime", stamp));
}

static void begin(bool *elect)
{
	w = (struct world){0};
	result = ERR_INIT;
	atomic_store(&stop, false);
	api = fake_api_new();
	kubeconfig = fake_api_kubeconfig(api, NULL);
	health_port = free_port();
	metrics_port = free_port();
	put_map("one", "1");
	if (taken_lease)
		put_lease();
	ck_assert_int_eq(pthread_create(&thread, NULL, process, elect), 0);
}

static void end(void)
{
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	ck_assert_int_eq(atomic_load(&w.finished), 1);
	fake_api_free(api);
}

START_TEST(events_become_reconciles_and_endpoints_tell)
{
	bool elect = false;
	begin(&elect);
	EVENTUALLY(atomic_load(&w.seen) == 1);
	put_map("two", "1");
	EVENTUALLY(atomic_load(&w.seen) == 2);
	operator_wake(&w.op, "maps", "a/one", 0);
	EVENTUALLY(atomic_load(&w.seen) == 3);
	EVENTUALLY(atomic_load(&w.ticks) > 1);
	ck_assert(atomic_load(&w.served) && atomic_load(&w.led) && !w.op.caches[CACHE_SECRETS]);
	struct buf body = {0}, text = {0};
	ck_assert_int_eq(get(health_port, "/healthz", NULL), 200);
	ck_assert_int_eq(get(health_port, "/readyz", &body), 503);
	ck_assert_ptr_nonnull(strstr(body.data, "no token yet"));
	atomic_store(&w.ready, 1);
	ck_assert_int_eq(get(health_port, "/readyz", NULL), 200);
	ck_assert_int_eq(get(metrics_port, "/metrics", &text), 200);
	ck_assert_ptr_nonnull(strstr(text.data, "controller_runtime_reconcile_total{controller=\"maps\",result=\"success\"} 3"));
	ck_assert_ptr_nonnull(strstr(text.data, "leader_election_master_status{name=\"lease\"} 1"));
	ck_assert_int_eq(get(metrics_port, "/debug/pprof/heap", NULL), 200);
	buf_done(&body);
	buf_done(&text);
	end();
	ck_assert_int_eq(result_rc, 0);
}
END_TEST

START_TEST(a_failing_key_comes_again_after_the_rows_back_off)
{
	bool elect = false;
	begin(&elect);
	EVENTUALLY(atomic_load(&w.seen) == 1);
	atomic_store(&w.failures_left, 3); /* 40, 80, 80 ms */
	put_map("one", "2");
	EVENTUALLY(atomic_load(&w.seen) == 2);
	ck_assert_int_ge(w.success_ms - w.first_failure_ms, 190);
	end();
}
END_TEST

START_TEST(a_lease_of_another_keeps_the_workers_from_starting)
{
	bool elect = true;
	taken_lease = true;
	begin(&elect);
	EVENTUALLY(fake_api_count(api, "GET", "/leases/lease") > 0 && atomic_load(&w.served));
	clock_sleep_ms(300);
	ck_assert_int_eq(atomic_load(&w.led), 0);
	ck_assert_int_eq(atomic_load(&w.seen), 0);
	struct buf text = {0};
	ck_assert_int_eq(get(metrics_port, "/metrics", &text), 200);
	ck_assert_ptr_nonnull(strstr(text.data, "leader_election_master_status{name=\"lease\"} 0"));
	buf_done(&text);
	end();
	ck_assert_int_eq(result_rc, 0);
}
END_TEST

START_TEST(a_free_lease_is_taken_and_given_back)
{
	bool elect = true;
	taken_lease = false;
	begin(&elect);
	EVENTUALLY(atomic_load(&w.seen) == 1);
	CLEANUP(json_decrefp) json_t *lease = fake_api_get(api, LEASE);
	ck_assert_str_ne(json_text_at(lease, "", "spec", "holderIdentity", NULL), "");
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	CLEANUP(json_decrefp) json_t *after = fake_api_get(api, LEASE);
	ck_assert_str_eq(json_text_at(after, "", "spec", "holderIdentity", NULL), "");
	fake_api_free(api);
	ck_assert_int_eq(result_rc, 0);
}
END_TEST

START_TEST(a_stop_waits_for_no_silent_server)
{
	bool elect = true;
	taken_lease = false;
	begin(&elect);
	EVENTUALLY(atomic_load(&w.seen) == 1);
	static const char *const METHODS[] = {"GET", "PUT", "POST", "PATCH"};
	for (size_t i = 0; i < sizeof METHODS / sizeof METHODS[0]; i++)
		fake_api_fail(api, METHODS[i], "/", 1000, FAKE_HANG, 0, NULL);
	CLEANUP(json_decrefp) json_t *map = meta_new(&KUBE_CONFIGMAPS, "a", "one");
	event_emit(w.op.events, map, "Normal", "Stopping", "nobody hears this");
	EVENTUALLY(fake_api_count(api, "POST", "/events") > 0);
	int64_t begun = clock_now_ms();
	end();
	ck_assert_int_lt(clock_now_ms() - begun, 12000); /* about three seconds; the requests themselves would wait for up to a minute */
	ck_assert_int_eq(result_rc, 0);
}
END_TEST

/* --- a lost lease; in a process of its own, made before there are threads ------------------------------------------- */

struct child { pid_t pid; int in, err; };

static void child_main(int in)
{
	char path[256] = "";
	bool elect = true;
	for (size_t n = 0; n + 1 < sizeof path && read(in, path + n, 1) == 1 && path[n] != '\n'; n++)
		;
	path[strcspn(path, "\n")] = 0;
	kubeconfig = path;
	atomic_store(&w.stuck, 1);
	process(&elect);
	_exit(result_rc == 0 ? 0 : 9);
}

static struct child child_start(void)
{
	int in[2], out[2];
	struct child c = {0};
	ck_assert(pipe(in) == 0 && pipe(out) == 0);
	c.pid = fork();
	if (c.pid == 0) {
		dup2(out[1], 2);
		close(in[1]);
		close(out[0]);
		child_main(in[0]);
	}
	close(in[0]);
	close(out[1]);
	c.in = in[1];
	c.err = out[0];
	return c;
}

static bool read_more(int fd, struct buf *log)
{
	char text[512];
	ssize_t n = read(fd, text, sizeof text);
	if (n > 0)
		buf_put(log, text, (size_t)n);
	return n > 0;
}

START_TEST(after_the_loss_of_the_lease_a_stuck_worker_is_left_behind)
{
	struct child c = child_start(); /* it listens nowhere: both ports are 0 */
	struct buf log = {0};
	int status = 0;
	api = fake_api_new();
	kubeconfig = fake_api_kubeconfig(api, NULL);
	put_map("one", "1");
	dprintf(c.in, "%s\n", kubeconfig);
	while (read_more(c.err, &log) && !strstr(log.data, "stuck"))
		;
	put_lease();
	while (read_more(c.err, &log))
		;
	ck_assert_int_eq(waitpid(c.pid, &status, 0), c.pid);
	/* 1, which ThreadSanitizer turns into its own number because of the threads left behind; 9 would be an end in order. */
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 9, "status %d: %s", status, log.data);
	ck_assert_msg(strstr(log.data, "maps still works, on 1 keys"), "%s", log.data);
	buf_done(&log);
	close(c.in);
	close(c.err);
	fake_api_free(api);
}
END_TEST

int main(void)
{
	CHECK_RUN("operator", 60, a_stop_waits_for_no_silent_server, after_the_loss_of_the_lease_a_stuck_worker_is_left_behind,
		  events_become_reconciles_and_endpoints_tell, a_failing_key_comes_again_after_the_rows_back_off,
		  a_lease_of_another_keeps_the_workers_from_starting, a_free_lease_is_taken_and_given_back);
}

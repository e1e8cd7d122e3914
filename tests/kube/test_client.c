/* test_client.c: the client against a fake API server: verbs, errors, retries, pages, watches. */
#include "check_main.h"

#include "base/clock.h"
#include "codec/json.h"
#include "kube/client.h"
#include "kube/fake_api.h"
#include "kube/meta.h"
#include <pthread.h>

static struct fake_api *api;
static struct kube_client *client;
static struct err err;
static atomic_bool cancel;
static atomic_int answers;

static void count_answer(void *context, const char *method, int status)
{
	(void)method, (void)status;
	atomic_fetch_add((atomic_int *)context, 1);
}

static void open_client(const char *token, double qps, int burst)
{
	const struct kube_options o = {.kubeconfig = fake_api_kubeconfig(api, token), .qps = qps, .burst = burst, .user_agent = "kaito/test",
				       .cancel = &cancel, .on_request = count_answer, .context_for_on_request = &answers};
	ck_assert_msg(kube_client_open(&client, &o, &err) == 0, "%s", err.message);
}

static void setup(void)
{
	api = fake_api_new();
	err = ERR_INIT;
	open_client("t", 10000, 10000);
}

static void teardown(void)
{
	kube_client_close(client);
	fake_api_free(api);
}

static json_t *pod(const char *name, const char *node)
{
	json_t *o = meta_new(&KUBE_PODS, "a", name);
	json_object_set_new(o, "spec", json_pack("{s:s}", "nodeName", node));
	return o;
}

static int create(const char *name, const char *node, json_t **out)
{
	json_t *o = pod(name, node);
	int rc = kube_create(client, &KUBE_PODS, o, out, &err);
	json_decref(o);
	return rc;
}

static const char *node_of(const json_t *o) { return json_text_at(o, "", "spec", "nodeName", NULL); }

START_TEST(objects_are_created_read_changed_and_deleted)
{
	json_t *o = NULL, *again = NULL;
	ck_assert_msg(create("x", "n1", &o) == 0, "%s", err.message);
	ck_assert_str_eq(meta_uid(o), "uid-1");
	ck_assert_int_eq(kube_get(client, &KUBE_PODS, "a", "x", &again, &err), 0);
	ck_assert(json_equal(o, again));
	json_object_set_new(json_object_get(o, "spec"), "nodeName", json_string("n2"));
	json_decref(again);
	ck_assert_int_eq(kube_update(client, &KUBE_PODS, NULL, o, &again, &err), 0);
	ck_assert_str_eq(node_of(again), "n2");
	ck_assert_int_lt(kube_update(client, &KUBE_PODS, NULL, o, NULL, &err), 0); /* its version is old now */
	ck_assert_int_eq(err.kind, ERR_CONFLICT);
	ck_assert_str_eq(err.message, "the object has been modified");
	ck_assert_int_eq(kube_update(client, &KUBE_PODS, "status", again, NULL, &err), 0);
	json_t *last = fake_api_last(api, "PUT");
	ck_assert_str_eq(json_text_at(last, "", "path", NULL), "/api/v1/namespaces/a/pods/x/status");
	ck_assert_str_eq(json_text_at(last, "", "type", NULL), "application/json");
	ck_assert_str_eq(json_text_at(last, "", "agent", NULL), "kaito/test");
	ck_assert_int_eq(kube_delete(client, &KUBE_PODS, "a", "x", NULL, &err), 0);
	ck_assert_int_lt(kube_get(client, &KUBE_PODS, "a", "x", NULL, &err), 0);
	ck_assert_int_eq(err.kind, ERR_NOT_FOUND);
	ck_assert_uint_eq(fake_api_connections(api), 1);
	ck_assert_int_eq(atomic_load(&answers), (int)fake_api_count(api, NULL, "/"));
	json_decref(o);
	json_decref(again);
	json_decref(last);
}
END_TEST

static const struct { enum kube_patch_type type; const char *content_type, *query; } PATCHES[] = {
	{KUBE_PATCH_JSON, "application/json-patch+json", ""},
	{KUBE_PATCH_MERGE, "application/merge-patch+json", ""},
	{KUBE_PATCH_STRATEGIC, "application/strategic-merge-patch+json", ""},
	{KUBE_PATCH_APPLY, "application/apply-patch+yaml", "?fieldManager=kaito&force=true"},
};

START_TEST(patches_carry_their_type)
{
	json_t *out = NULL, *body = json_pack("{s:{s:s}}", "spec", "nodeName", "n9");
	fake_api_put(api, "/api/v1/namespaces/a/pods/x", pod("x", "n1"));
	ck_assert_int_eq(kube_patch(client, &KUBE_PODS, "a", "x", "status", PATCHES[_i].type, body, &out, &err), 0);
	json_t *last = fake_api_last(api, "PATCH");
	char want[100];
	snprintf(want, sizeof want, "/api/v1/namespaces/a/pods/x/status%s", PATCHES[_i].query);
	ck_assert_str_eq(json_text_at(last, "", "path", NULL), want);
	ck_assert_str_eq(json_text_at(last, "", "type", NULL), PATCHES[_i].content_type);
	ck_assert_str_eq(json_text_at(last, "", "body", NULL), "{\"spec\":{\"nodeName\":\"n9\"}}");
	ck_assert_str_eq(node_of(out), "n9");
	json_decref(last);
	json_decref(out);
	json_decref(body);
}
END_TEST

START_TEST(delete_sends_preconditions)
{
	fake_api_put(api, "/api/v1/namespaces/a/pods/x", pod("x", "n1"));
	struct kube_delete_options o = {.uid = "other", .resource_version = "7", .propagation = "Foreground", .grace_s = 0};
	ck_assert_int_lt(kube_delete(client, &KUBE_PODS, "a", "x", &o, &err), 0);
	ck_assert_int_eq(err.kind, ERR_CONFLICT);
	json_t *last = fake_api_last(api, "DELETE");
	ck_assert_str_eq(json_text_at(last, "", "body", NULL),
			 "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"preconditions\":{\"uid\":\"other\",\"resourceVersion\":\"7\"},"
			 "\"propagationPolicy\":\"Foreground\",\"gracePeriodSeconds\":0}");
	json_decref(last);
	o = (struct kube_delete_options){.uid = "uid-1", .grace_s = -1};
	ck_assert_int_eq(kube_delete(client, &KUBE_PODS, "a", "x", &o, &err), 0);
}
END_TEST

START_TEST(names_and_selectors_are_escaped)
{
	json_t *out = NULL;
	ck_assert_int_lt(kube_get(client, &KUBE_NODES, NULL, "a/b?c", NULL, &err), 0);
	json_t *last = fake_api_last(api, "GET");
	ck_assert_str_eq(json_text_at(last, "", "path", NULL), "/api/v1/nodes/a%2Fb%3Fc");
	json_decref(last);
	ck_assert_int_eq(kube_list_array(client, &KUBE_STATEFULSETS, NULL, "a=b,c in (d)", &out, &err), 0);
	last = fake_api_last(api, "GET");
	ck_assert_str_eq(json_text_at(last, "", "path", NULL), "/apis/apps/v1/statefulsets?limit=500&labelSelector=a%3Db%2Cc%20in%20%28d%29");
	json_decref(last);
	json_decref(out);
}
END_TEST

static const struct { int status; enum err_kind kind; } STATUSES[] = {
	{400, ERR_INVALID}, {422, ERR_INVALID}, {403, ERR_DENIED}, {404, ERR_NOT_FOUND}, {409, ERR_CONFLICT}, {410, ERR_GONE},
	{413, ERR_LIMIT}, {500, ERR_PROTOCOL}, {503, ERR_PROTOCOL}, {504, ERR_PROTOCOL},
};

START_TEST(refusals_have_their_kinds_and_are_not_repeated)
{
	fake_api_fail(api, "GET", "/pods/x", 1, FAKE_ANSWER, STATUSES[_i].status, NULL);
	ck_assert_int_lt(kube_get(client, &KUBE_PODS, "a", "x", NULL, &err), 0);
	ck_assert_int_eq(err.kind, STATUSES[_i].kind);
	ck_assert_str_eq(err.message, "injected");
	ck_assert_uint_eq(fake_api_count(api, "GET", "/pods/x"), 1);
}
END_TEST

START_TEST(busy_servers_are_asked_again)
{
	fake_api_fail(api, "POST", "/pods", 2, FAKE_ANSWER, 429, "0");
	ck_assert_msg(create("x", "n", NULL) == 0, "%s", err.message);
	ck_assert_uint_eq(fake_api_count(api, "POST", "/pods"), 3);
	fake_api_fail(api, "GET", "/pods/x", 1, FAKE_ANSWER, 503, "0");
	ck_assert_int_eq(kube_get(client, &KUBE_PODS, "a", "x", NULL, &err), 0);
	fake_api_fail(api, "GET", "/pods/x", 1, FAKE_ANSWER, 429, "3600"); /* longer than anybody wants to wait */
	ck_assert_int_lt(kube_get(client, &KUBE_PODS, "a", "x", NULL, &err), 0);
	ck_assert_int_eq(err.kind, ERR_BUSY);
}
END_TEST

START_TEST(a_refused_subresource_is_an_answer)
{
	json_t *eviction = json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "policy/v1", "kind", "Eviction", "metadata", "name", "x", "namespace", "a");
	fake_api_fail(api, "POST", "/pods/x/eviction", 1, FAKE_ANSWER, 429, "0");
	ck_assert_int_lt(kube_create_subresource(client, &KUBE_PODS, "eviction", eviction, &err), 0);
	ck_assert_int_eq(err.kind, ERR_BUSY);
	ck_assert_uint_eq(fake_api_count(api, "POST", "/api/v1/namespaces/a/pods/x/eviction"), 1);
	json_decref(eviction);
}
END_TEST

START_TEST(lost_answers_are_asked_for_again)
{
	fake_api_put(api, "/api/v1/namespaces/a/pods/x", pod("x", "n1"));
	fake_api_fail(api, "GET", "/pods/x", 2, FAKE_DROP_BEFORE, 0, NULL);
	ck_assert_msg(kube_get(client, &KUBE_PODS, "a", "x", NULL, &err) == 0, "%s", err.message);
	fake_api_fail(api, "GET", "/pods/x", 1, FAKE_DROP_BODY, 0, NULL);
	ck_assert_msg(kube_get(client, &KUBE_PODS, "a", "x", NULL, &err) == 0, "%s", err.message);
	fake_api_fail(api, "GET", "/pods/x", 100, FAKE_DROP_BEFORE, 0, NULL);
	ck_assert_int_lt(kube_get(client, &KUBE_PODS, "a", "x", NULL, &err), 0);
	ck_assert_int_eq(err.kind, ERR_NETWORK);
}
END_TEST

START_TEST(a_create_whose_answer_was_lost_is_told_from_a_taken_name)
{
	json_t *out = NULL;
	fake_api_fail(api, "POST", "/pods", 1, FAKE_DROP_AFTER, 0, NULL);
	ck_assert_msg(create("x", "n1", &out) == 0, "%s", err.message);
	ck_assert_str_eq(meta_uid(out), "uid-1");
	json_decref(out);
	/* The same with an object of somebody else under that name. */
	fake_api_put(api, "/api/v1/namespaces/a/pods/y", pod("y", "theirs"));
	fake_api_fail(api, "POST", "/pods", 1, FAKE_DROP_AFTER, 0, NULL);
	ck_assert_int_lt(create("y", "ours", NULL), 0);
	ck_assert_int_eq(err.kind, ERR_EXISTS);
	/* And without any loss, a taken name is a taken name, equal or not. */
	ck_assert_int_lt(create("x", "n1", NULL), 0);
	ck_assert_int_eq(err.kind, ERR_EXISTS);
}
END_TEST

START_TEST(a_create_with_a_generated_name_is_never_repeated)
{
	json_t *o = json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "v1", "kind", "Pod", "metadata", "namespace", "a", "generateName", "p-");
	fake_api_fail(api, "POST", "/pods", 1, FAKE_DROP_AFTER, 0, NULL);
	ck_assert_int_lt(kube_create(client, &KUBE_PODS, o, NULL, &err), 0);
	ck_assert_int_eq(err.kind, ERR_NETWORK);
	ck_assert_uint_eq(fake_api_count(api, "POST", "/pods"), 1);
	/* Nor on a kept connection that turns out to be dead. */
	ck_assert_int_lt(kube_get(client, &KUBE_PODS, "a", "none", NULL, &err), 0);
	fake_api_fail(api, "POST", "/pods", 1, FAKE_DROP_AFTER, 0, NULL);
	ck_assert_int_lt(kube_create(client, &KUBE_PODS, o, NULL, &err), 0);
	ck_assert_uint_eq(fake_api_count(api, "POST", "/pods"), 2);
	json_decref(o);
}
END_TEST

START_TEST(a_json_patch_is_not_repeated_after_a_loss)
{
	json_t *body = json_pack("[{s:s, s:s, s:s}]", "op", "add", "path", "/metadata/finalizers/-", "value", "f");
	fake_api_put(api, "/api/v1/namespaces/a/pods/x", pod("x", "n1"));
	fake_api_fail(api, "PATCH", "/pods", 1, FAKE_DROP_AFTER, 0, NULL);
	ck_assert_int_lt(kube_patch(client, &KUBE_PODS, "a", "x", NULL, KUBE_PATCH_JSON, body, NULL, &err), 0);
	ck_assert_uint_eq(fake_api_count(api, "PATCH", "/pods"), 1);
	json_decref(body);
}
END_TEST

START_TEST(the_rate_limit_is_kept)
{
	kube_client_close(client);
	open_client("t", 100, 5);
	int64_t start = clock_now_ms();
	for (int i = 0; i < 15; i++)
		ck_assert_int_lt(kube_get(client, &KUBE_PODS, "a", "none", NULL, &err), 0);
	ck_assert_int_ge(clock_now_ms() - start, 95); /* 10 past the burst, at 100 a second */
}
END_TEST

START_TEST(each_resource_has_a_limit_of_its_own)
{
	kube_client_close(client);
	open_client("t", 0.01, 1);
	ck_assert_int_lt(kube_get(client, &KUBE_PODS, "a", "none", NULL, &err), 0); /* the only token of pods */
	int64_t start = clock_now_ms();
	ck_assert_int_lt(kube_get(client, &KUBE_JOBS, "a", "none", NULL, &err), 0);
	ck_assert_int_lt(kube_get(client, &KUBE_NODES, NULL, "none", NULL, &err), 0);
	ck_assert_int_lt(kube_get(client, &KUBE_NAMESPACES, NULL, "a", NULL, &err), 0);
	ck_assert_int_lt(clock_now_ms() - start, 5000);
}
END_TEST

START_TEST(a_stop_ends_waiting)
{
	kube_client_close(client);
	open_client("t", 0.01, 1);
	ck_assert_int_lt(kube_get(client, &KUBE_PODS, "a", "none", NULL, &err), 0);
	atomic_store(&cancel, true);
	ck_assert_int_lt(kube_get(client, &KUBE_PODS, "a", "none", NULL, &err), 0);
	ck_assert_int_eq(err.kind, ERR_CANCELLED);
}
END_TEST

static void *stop_when_asked(void *unused)
{
	(void)unused;
	while (fake_api_count(api, "GET", "/pods/slow") == 0)
		clock_sleep_ms(1);
	atomic_store(&cancel, true);
	return NULL;
}

START_TEST(a_stop_ends_a_request_that_is_not_answered)
{
	pthread_t thread;
	fake_api_fail(api, "GET", "/pods/slow", 1, FAKE_HANG, 0, NULL);
	pthread_create(&thread, NULL, stop_when_asked, NULL);
	int64_t start = clock_now_ms();
	ck_assert_int_lt(kube_get(client, &KUBE_PODS, "a", "slow", NULL, &err), 0);
	ck_assert_int_eq(err.kind, ERR_CANCELLED);
	ck_assert_int_lt(clock_now_ms() - start, 20000);
	pthread_join(thread, NULL);
}
END_TEST

START_TEST(answers_that_are_no_objects_are_errors)
{
	struct buf text = {0};
	ck_assert_int_lt(kube_get_text(client, "/api/v1/pods?limit=1", 10, &text, &err), 0);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
	ck_assert_int_eq(kube_get_text(client, "/api/v1/pods?limit=1", 1000, &text, &err), 0);
	ck_assert_ptr_nonnull(strstr(text.data, "\"items\":[]"));
	buf_done(&text);
	ck_assert_str_eq(kube_client_namespace(client), "default");
}
END_TEST

/* --- lists ----------------------------------------------------------------------------------------------------- */

struct got { size_t items, restarts; char names[4000]; };

static void on_item(void *context, json_t *object)
{
	struct got *g = context;
	g->items++;
	ck_assert_str_eq(json_text_at(object, "", "kind", NULL), "Pod");
	ck_assert_str_eq(json_text_at(object, "", "apiVersion", NULL), "v1");
	snprintf(g->names + strlen(g->names), sizeof g->names - strlen(g->names), "%s ", meta_name(object));
	json_decref(object);
}

static void on_restart(void *context)
{
	struct got *g = context;
	g->items = 0;
	g->names[0] = 0;
	g->restarts++;
}

static void fill(int n)
{
	for (int i = 0; i < n; i++) {
		char name[16], path[64];
		snprintf(name, sizeof name, "p%d", i);
		snprintf(path, sizeof path, "/api/v1/namespaces/a/pods/%s", name);
		fake_api_put(api, path, pod(name, "quote \" brace } bracket ] \\ \xC3\xA9"));
	}
}

START_TEST(lists_come_page_by_page)
{
	struct got g = {0};
	char *version = NULL;
	fill(7);
	ck_assert_msg(kube_list(client, &KUBE_PODS, NULL, &(struct kube_list_options){.page = 3}, on_item, on_restart, &g, &version, &err) == 0, "%s", err.message);
	ck_assert_uint_eq(g.items, 7);
	ck_assert_str_eq(g.names, "p0 p1 p2 p3 p4 p5 p6 ");
	ck_assert_str_eq(version, "107");
	ck_assert_uint_eq(fake_api_count(api, "GET", "continue="), 2);
	free(version);
	json_t *all = NULL;
	ck_assert_int_eq(kube_list_array(client, &KUBE_PODS, "a", NULL, &all, &err), 0);
	ck_assert_uint_eq(json_array_size(all), 7);
	json_decref(all);
	ck_assert_int_eq(kube_list_array(client, &KUBE_PODS, "b", NULL, &all, &err), 0);
	ck_assert_uint_eq(json_array_size(all), 0);
	json_decref(all);
}
END_TEST

START_TEST(a_list_starts_again_when_its_token_expires_or_a_page_breaks)
{
	struct got g = {0};
	fill(7);
	fake_api_fail(api, "GET", "continue=", 1, FAKE_ANSWER, 410, NULL);
	ck_assert_int_eq(kube_list(client, &KUBE_PODS, NULL, &(struct kube_list_options){.page = 3}, on_item, on_restart, &g, NULL, &err), 0);
	ck_assert_uint_eq(g.restarts, 1);
	ck_assert_str_eq(g.names, "p0 p1 p2 p3 p4 p5 p6 ");
	fake_api_fail(api, "GET", "limit=500", 1, FAKE_DROP_BODY, 0, NULL);
	on_restart(&g);
	ck_assert_int_eq(kube_list(client, &KUBE_PODS, NULL, NULL, on_item, on_restart, &g, NULL, &err), 0);
	ck_assert_uint_eq(g.restarts, 3);
	ck_assert_uint_eq(g.items, 7);
	fake_api_fail(api, "GET", "limit=500", 1000, FAKE_DROP_BODY, 0, NULL);
	ck_assert_int_lt(kube_list(client, &KUBE_PODS, NULL, NULL, on_item, on_restart, &g, NULL, &err), 0);
}
END_TEST

/* --- watches --------------------------------------------------------------------------------------------------- */

struct seen { char text[2000]; size_t n, stop_after; atomic_bool stop; };

static void on_event(void *context, const char *type, json_t *object)
{
	struct seen *s = context;
	snprintf(s->text + strlen(s->text), sizeof s->text - strlen(s->text), "%s %s %s, ", type, meta_name(object), meta_version(object));
	if (++s->n == s->stop_after)
		atomic_store(&s->stop, true);
}

START_TEST(a_watch_tells_what_happens_after_its_version)
{
	struct seen s = {.stop_after = 3};
	fill(2);
	fake_api_remove(api, "/api/v1/namespaces/a/pods/p0");
	fake_api_send(api, "/api/v1/pods", "BOOKMARK", json_pack("{s:s, s:{s:s}}", "kind", "Pod", "metadata", "resourceVersion", "200"));
	ck_assert_int_lt(kube_watch(client, &KUBE_PODS, NULL, &(struct kube_watch_options){.version = "101", .cancel = &s.stop}, on_event, &s, &err), 0);
	ck_assert_int_eq(err.kind, ERR_CANCELLED);
	ck_assert_str_eq(s.text, "ADDED p1 102, DELETED p0 103, BOOKMARK  200, ");
	json_t *last = fake_api_last(api, "GET");
	ck_assert_ptr_nonnull(strstr(json_text_at(last, "", "path", NULL), "/api/v1/pods?watch=true&allowWatchBookmarks=true&resourceVersion=101&timeoutSeconds="));
	json_decref(last);
}
END_TEST

START_TEST(a_watch_from_a_forgotten_version_is_gone)
{
	struct seen s = {0};
	fill(2);
	fake_api_compact(api);
	ck_assert_int_lt(kube_watch(client, &KUBE_PODS, NULL, &(struct kube_watch_options){.version = "101"}, on_event, &s, &err), 0);
	ck_assert_int_eq(err.kind, ERR_GONE);
	fake_api_fail(api, "GET", "watch=true", 1, FAKE_ANSWER, 410, NULL);
	ck_assert_int_lt(kube_watch(client, &KUBE_PODS, NULL, &(struct kube_watch_options){.version = "101"}, on_event, &s, &err), 0);
	ck_assert_int_eq(err.kind, ERR_GONE);
	ck_assert_uint_eq(s.n, 0);
}
END_TEST

static void *end_watches(void *abruptly)
{
	while (fake_api_watches(api) == 0)
		clock_sleep_ms(1);
	fake_api_end_watches(api, abruptly != NULL);
	return NULL;
}

START_TEST(a_watch_ends_in_order_or_with_an_error)
{
	struct seen s = {0};
	pthread_t thread;
	pthread_create(&thread, NULL, end_watches, NULL);
	ck_assert_msg(kube_watch(client, &KUBE_PODS, NULL, &(struct kube_watch_options){.version = "100"}, on_event, &s, &err) == 0, "%s", err.message);
	pthread_join(thread, NULL);
	pthread_create(&thread, NULL, end_watches, &s);
	ck_assert_int_lt(kube_watch(client, &KUBE_PODS, NULL, &(struct kube_watch_options){.version = "100"}, on_event, &s, &err), 0);
	ck_assert_int_eq(err.kind, ERR_NETWORK);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(s.n, 0);
}
END_TEST

START_TEST(a_silent_watch_ends_in_order)
{
	struct seen s = {0};
	fill(1);
	ck_assert_msg(kube_watch(client, &KUBE_PODS, NULL, &(struct kube_watch_options){.version = "100", .idle_ms = 50}, on_event, &s, &err) == 0, "%s", err.message);
	ck_assert_uint_eq(s.n, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kube/client");
	TCase *t = tcase_create("client");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, objects_are_created_read_changed_and_deleted);
	tcase_add_loop_test(t, patches_carry_their_type, 0, sizeof PATCHES / sizeof PATCHES[0]);
	tcase_add_test(t, delete_sends_preconditions);
	tcase_add_test(t, names_and_selectors_are_escaped);
	tcase_add_loop_test(t, refusals_have_their_kinds_and_are_not_repeated, 0, sizeof STATUSES / sizeof STATUSES[0]);
	tcase_add_test(t, busy_servers_are_asked_again);
	tcase_add_test(t, a_refused_subresource_is_an_answer);
	tcase_add_test(t, lost_answers_are_asked_for_again);
	tcase_add_test(t, a_create_whose_answer_was_lost_is_told_from_a_taken_name);
	tcase_add_test(t, a_create_with_a_generated_name_is_never_repeated);
	tcase_add_test(t, a_json_patch_is_not_repeated_after_a_loss);
	tcase_add_test(t, the_rate_limit_is_kept);
	tcase_add_test(t, each_resource_has_a_limit_of_its_own);
	tcase_add_test(t, a_stop_ends_waiting);
	tcase_add_test(t, a_stop_ends_a_request_that_is_not_answered);
	tcase_add_test(t, answers_that_are_no_objects_are_errors);
	tcase_add_test(t, lists_come_page_by_page);
	tcase_add_test(t, a_list_starts_again_when_its_token_expires_or_a_page_breaks);
	tcase_add_test(t, a_watch_tells_what_happens_after_its_version);
	tcase_add_test(t, a_watch_from_a_forgotten_version_is_gone);
	tcase_add_test(t, a_watch_ends_in_order_or_with_an_error);
	tcase_add_test(t, a_silent_watch_ends_in_order);
	suite_add_tcase(suite, t);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}

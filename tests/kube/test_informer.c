/* test_informer.c: the informer's promises, first on its store alone, then against a fake API server that fails. */
#include "check_main.h"

#include "base/clock.h"
#include "codec/json.h"
#include "kube/fake_api.h"
#include "kube/informer_store.h"
#include "kube/meta.h"
#include <pthread.h>

static struct err err;

static json_t *pod(const char *name, const char *node, const char *uid, long version)
{
	char text[24];
	json_t *o = meta_new(&KUBE_PODS, "a", name);
	json_object_set_new(o, "spec", json_pack("{s:s}", "nodeName", node));
	snprintf(text, sizeof text, "%ld", version);
	if (uid)
		json_object_set_new(json_object_get(o, "metadata"), "uid", json_string(uid));
	if (version)
		json_object_set_new(json_object_get(o, "metadata"), "resourceVersion", json_string(text));
	return o;
}

static const char *node_of(const json_t *o) { return json_text_at(o, "", "spec", "nodeName", NULL); }

static bool not_on_hidden_node(json_t *object)
{
	json_object_del(object, "status");
	return strcmp(node_of(object), "hidden") != 0;
}

static void by_node(const json_t *object, void (*add)(void *list, const char *key), void *list)
{
	add(list, node_of(object));
	add(list, node_of(object)); /* twice does no harm */
}

/* --- the store ------------------------------------------------------------------------------------------------- */

static struct informer_store *store;
static char told[4000];
static const struct informer_options STORE_OPTIONS = {.resource = &KUBE_PODS, .namespace_ = "a", .transform = not_on_hidden_node, .index = by_node};

static void store_setup(void)
{
	store = informer_store_new(&STORE_OPTIONS);
	told[0] = 0;
}

static void store_teardown(void) { informer_store_free(store); }

static void tell(void *unused, const struct informer_changes *changes)
{
	static const char *const WORDS[] = {"added", "updated", "deleted"};
	(void)unused;
	for (size_t i = 0; i < changes->n; i++) {
		const json_t *o = changes->items[i].object;
		snprintf(told + strlen(told), sizeof told - strlen(told), "%s %s %s@%s, ", WORDS[changes->items[i].event], meta_name(o), node_of(o), meta_version(o));
		json_decref(changes->items[i].object);
	}
}

static void expect_told(const char *want)
{
	ck_assert_str_eq(told, want);
	told[0] = 0;
}

static void apply_from(enum informer_source source, const char *name, const char *node, const char *uid, long version)
{
	struct informer_changes changes = {0};
	json_t *o = pod(name, node, uid, version);
	informer_store_apply(store, source, o, &changes);
	tell(NULL, &changes);
	json_decref(o);
}

static void apply(const char *name, const char *node, long version) { apply_from(INFORMER_WATCH, name, node, "u1", version); }

static void delete_from_watch(const char *name, const char *uid, long version)
{
	struct informer_changes changes = {0};
	json_t *o = pod(name, "n", uid, version);
	informer_store_delete(store, o, &changes);
	tell(NULL, &changes);
	json_decref(o);
}

static void learn(const char *name, const char *node, const char *uid, long version)
{
	json_t *o = pod(name, node, uid, version);
	informer_store_learn(store, o);
	json_decref(o);
}

static void expect_node(const char *name, const char *node)
{
	json_t *o = informer_store_get(store, "a", name);
	ck_assert_str_eq(o ? node_of(o) : "none", node);
	json_decref(o);
}

START_TEST(store_tells_what_changed_and_nothing_else)
{
	apply("x", "n1", 5);
	expect_told("added x n1@5, ");
	apply("x", "n1", 5);
	apply("x", "n1", 6); /* only the version: no news, but it is what an update needs */
	expect_told("");
	json_t *o = informer_store_get(store, "a", "x");
	ck_assert_str_eq(meta_version(o), "6");
	json_decref(o);
	apply("x", "n2", 7);
	expect_told("updated x n2@7, ");
	delete_from_watch("x", "u1", 8);
	expect_told("deleted x n2@7, ");
	ck_assert_uint_eq(informer_store_count(store), 0);
	delete_from_watch("x", "u1", 8);
	expect_told("");
}
END_TEST

START_TEST(store_never_goes_back)
{
	apply("x", "n2", 7);
	apply("x", "n1", 6);
	apply_from(INFORMER_LIST, "x", "n1", "u1", 6);
	delete_from_watch("x", "u1", 5);
	delete_from_watch("x", "u0", 6); /* an earlier object of that name */
	expect_told("added x n2@7, ");
	delete_from_watch("x", "u1", 9);
	apply("x", "n1", 6);
	apply("x", "n2", 7);
	apply_from(INFORMER_LIST, "x", "n2", "u1", 7);
	expect_told("deleted x n2@7, ");
	apply_from(INFORMER_WATCH, "x", "n3", "u2", 10); /* made again */
	expect_told("added x n3@10, ");
}
END_TEST

START_TEST(store_sees_an_object_replaced_by_another_of_its_name)
{
	apply_from(INFORMER_WATCH, "x", "n1", "u1", 5);
	apply_from(INFORMER_LIST, "x", "n1", "u2", 9);
	expect_told("added x n1@5, deleted x n1@5, added x n1@9, ");
	ck_assert_uint_eq(informer_store_count(store), 1);
}
END_TEST

START_TEST(store_knows_own_writes_at_once_and_tells_them_when_they_come)
{
	learn("x", "n1", "u1", 5);
	expect_node("x", "n1");
	apply("x", "n1", 5);
	expect_told("added x n1@5, ");
	learn("x", "n3", "u1", 8);
	apply("x", "n2", 7); /* a change of somebody else's, before ours */
	expect_told("");
	expect_node("x", "n3");
	apply("x", "n3", 8);
	expect_told("updated x n3@8, ");
	learn("x", "n2", "u1", 7);
	expect_node("x", "n3");
	json_t *elsewhere = meta_new(&KUBE_PODS, "b", "y");
	json_object_set_new(json_object_get(elsewhere, "metadata"), "resourceVersion", json_string("9"));
	informer_store_learn(store, elsewhere); /* not of this informer */
	json_decref(elsewhere);
	ck_assert_uint_eq(informer_store_count(store), 1);
	ck_assert_uint_eq(informer_store_newest(store), 8);
}
END_TEST

START_TEST(quiet_store_tells_changes_of_others_only)
{
	struct informer_options quiet = STORE_OPTIONS;
	quiet.quiet = true;
	informer_store_free(store);
	store = informer_store_new(&quiet);
	learn("x", "n1", "u1", 5);
	learn("x", "n2", "u1", 6);
	apply("x", "n1", 5);
	apply("x", "n2", 6);
	expect_told("");
	apply("x", "n3", 7);
	expect_told("updated x n3@7, ");
	learn("x", "n5", "u1", 9);
	apply("x", "n4", 8); /* somebody else's, which our write went on from unseen */
	expect_told("");
	apply("x", "n5", 9);
	expect_told("updated x n5@9, ");
	delete_from_watch("x", "u1", 10);
	expect_told("deleted x n5@9, ");
}
END_TEST

START_TEST(store_hides_what_was_deleted_until_that_is_told)
{
	apply("x", "n1", 5);
	informer_store_learn_deleted(store, "a", "x");
	informer_store_learn_deleted(store, "a", "never");
	expect_node("x", "none");
	apply("x", "n2", 6); /* still on its way when we deleted */
	apply_from(INFORMER_LIST, "x", "n1", "u1", 5);
	expect_node("x", "none");
	expect_told("added x n1@5, ");
	delete_from_watch("x", "u1", 7);
	expect_told("deleted x n1@5, ");
	apply("y", "n1", 8);
	informer_store_learn_deleted(store, "a", "y");
	learn("y", "n9", "u2", 12); /* made again by us */
	expect_node("y", "n9");
}
END_TEST

START_TEST(store_drops_what_a_list_does_not_mention)
{
	apply("old", "n1", 5);
	apply("kept", "n1", 6);
	apply("young", "n1", 20);
	apply("told", "n1", 7);
	informer_store_learn_deleted(store, "a", "told");
	told[0] = 0;
	informer_store_begin(store);
	apply_from(INFORMER_LIST, "kept", "n2", "u1", 9);
	informer_store_end(store, INFORMER_LIST, "10", tell, NULL); /* older than young */
	expect_told("updated kept n2@9, deleted old n1@5, deleted told n1@7, ");
	ck_assert_uint_eq(informer_store_count(store), 2);
	/* Data restored from a backup: versions start lower again. */
	informer_store_begin(store);
	apply_from(INFORMER_LIST_FORCED, "kept", "n3", "u1", 2);
	informer_store_end(store, INFORMER_LIST_FORCED, "3", tell, NULL);
	expect_told("updated kept n3@2, deleted young n1@20, ");
	ck_assert_uint_eq(informer_store_newest(store), 3);
	apply("young", "n1", 4);
	expect_told("added young n1@4, ");
}
END_TEST

START_TEST(store_forgets_what_is_of_no_interest)
{
	apply("x", "hidden", 5);
	expect_told("");
	apply("x", "n1", 6);
	apply("x", "hidden", 7);
	apply("x", "n1", 6); /* late */
	expect_told("added x n1@6, deleted x n1@6, ");
	apply("x", "n1", 8);
	expect_told("added x n1@8, ");
	learn("x", "hidden", "u1", 9);
	apply("x", "hidden", 9);
	expect_told("deleted x n1@8, ");
}
END_TEST

static size_t found(const char *key, const char *first)
{
	json_t *all = informer_store_find(store, key);
	size_t n = json_array_size(all);
	if (n)
		ck_assert_str_eq(meta_name(json_array_get(all, 0)), first);
	json_decref(all);
	return n;
}

static void count_each(void *n, const json_t *object)
{
	ck_assert_str_eq(meta_namespace(object), "a");
	++*(size_t *)n;
}

START_TEST(store_finds_by_index_and_sorts)
{
	apply("c", "n1", 5);
	apply("b", "n2", 6);
	apply("a", "n1", 7);
	ck_assert_uint_eq(found("n1", "a"), 2);
	ck_assert_uint_eq(found("n2", "b"), 1);
	ck_assert_uint_eq(found(NULL, "a"), 3);
	apply("a", "n2", 8);
	ck_assert_uint_eq(found("n1", "c"), 1);
	ck_assert_uint_eq(found("n2", "a"), 2);
	informer_store_learn_deleted(store, "a", "a");
	ck_assert_uint_eq(found("n2", "b"), 1);
	ck_assert_uint_eq(found("none", ""), 0);
	size_t n = 0;
	informer_store_each(store, count_each, &n);
	ck_assert_uint_eq(n, 2);
}
END_TEST

/* --- the thread ------------------------------------------------------------------------------------------------ */

static struct fake_api *api;
static struct kube_client *client;
static struct informer *informer;
static atomic_bool cancel;
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static size_t events;

static void on_event(void *context, enum informer_event event, const json_t *object)
{
	struct informer_changes changes = {.n = 1, .items = {{event, json_deep_copy(object)}}};
	(void)context;
	pthread_mutex_lock(&mu);
	tell(NULL, &changes);
	events++;
	pthread_mutex_unlock(&mu);
}

static void setup(void)
{
	api = fake_api_new();
	const struct kube_options o = {.kubeconfig = fake_api_kubeconfig(api, "t"), .qps = 10000, .burst = 10000, .cancel = &cancel};
	ck_assert_msg(kube_client_open(&client, &o, &err) == 0, "%s", err.message);
	informer = informer_new(client, &(struct informer_options){.resource = &KUBE_PODS, .transform = not_on_hidden_node, .index = by_node, .on_event = on_event});
}

static void teardown(void)
{
	informer_free(informer);
	kube_client_close(client);
	fake_api_free(api);
}

static void put(const char *name, const char *node)
{
	char path[64];
	snprintf(path, sizeof path, "/api/v1/namespaces/a/pods/%s", name);
	fake_api_put(api, path, pod(name, node, NULL, 0));
}

static void take(const char *name)
{
	char path[64];
	snprintf(path, sizeof path, "/api/v1/namespaces/a/pods/%s", name);
	fake_api_remove(api, path);
}

static void start(void)
{
	informer_start(informer);
	ck_assert_msg(informer_wait(informer, 20000, &err) == 0, "%s", err.message);
}

/* Until `n` events came in all; then what was told must be `want`. */
static void expect_events(size_t n, const char *want)
{
	for (int64_t end = clock_now_ms() + 30000; clock_now_ms() < end; clock_sleep_ms(1)) {
		pthread_mutex_lock(&mu);
		bool enough = events >= n;
		pthread_mutex_unlock(&mu);
		if (enough)
			break;
	}
	pthread_mutex_lock(&mu);
	ck_assert_msg(strcmp(told, want) == 0, "told: %s\nwant: %s", told, want);
	told[0] = 0;
	events = 0;
	pthread_mutex_unlock(&mu);
}

static void wait_for_watch(void)
{
	while (fake_api_watches(api) == 0)
		clock_sleep_ms(1);
}

START_TEST(informer_lists_then_watches)
{
	put("x", "n1");
	put("y", "n1");
	start();
	expect_events(2, "added x n1@101, added y n1@102, ");
	put("z", "n2");
	put("x", "n2");
	take("y");
	expect_events(3, "added z n2@103, updated x n2@104, deleted y n1@102, ");
	ck_assert_uint_eq(informer_count(informer), 2);
	json_t *o = informer_get(informer, "a", "x");
	ck_assert_str_eq(node_of(o), "n2");
	ck_assert_str_eq(json_text_at(o, "", "kind", NULL), "Pod");
	ck_assert_ptr_null(json_at(o, "metadata", "managedFields", NULL));
	json_decref(o);
	json_t *on = informer_find(informer, "n2"), *all = informer_all(informer);
	ck_assert_uint_eq(json_array_size(on), 2);
	ck_assert_uint_eq(json_array_size(all), 2);
	json_decref(on);
	json_decref(all);
	ck_assert_uint_eq(fake_api_count(api, "GET", "limit="), 1);
}
END_TEST

START_TEST(informer_goes_on_after_watches_end)
{
	put("x", "n1");
	start();
	expect_events(1, "added x n1@101, ");
	for (int i = 0; i < 2; i++) {
		wait_for_watch();
		fake_api_end_watches(api, i == 1);
	}
	put("x", "n2");
	put("x", "n3");
	expect_events(2, "updated x n2@102, updated x n3@103, ");
	ck_assert_uint_eq(fake_api_count(api, "GET", "limit="), 1); /* watches went on; nothing was listed again */
}
END_TEST

START_TEST(informer_lives_through_a_restart_of_the_server)
{
	put("x", "n1");
	put("y", "n1");
	start();
	expect_events(2, "added x n1@101, added y n1@102, ");
	wait_for_watch();
	fake_api_down(api);
	put("x", "n2");
	take("y");
	put("z", "n1");
	fake_api_up(api);
	expect_events(3, "updated x n2@103, deleted y n1@102, added z n1@105, ");
}
END_TEST

START_TEST(informer_lists_again_after_410_and_tells_the_differences)
{
	put("x", "n1");
	put("y", "n1");
	put("w", "n1");
	start();
	expect_events(3, "added x n1@101, added y n1@102, added w n1@103, ");
	wait_for_watch();
	fake_api_down(api);
	put("x", "n2");
	take("y");
	put("z", "n1");
	fake_api_compact(api);
	fake_api_up(api);
	expect_events(3, "updated x n2@104, added z n1@106, deleted y n1@102, ");
	put("w", "n2");
	expect_events(1, "updated w n2@108, ");
}
END_TEST

START_TEST(informer_ignores_repeated_and_old_events)
{
	put("x", "n1");
	start();
	expect_events(1, "added x n1@101, ");
	put("x", "n2");
	fake_api_send(api, "/api/v1/pods", "MODIFIED", pod("x", "n2", "uid-1", 102));
	fake_api_send(api, "/api/v1/pods", "ADDED", pod("x", "n1", "uid-1", 101));
	fake_api_send(api, "/api/v1/pods", "DELETED", pod("x", "n1", "uid-0", 99));
	take("x");
	fake_api_send(api, "/api/v1/pods", "MODIFIED", pod("x", "n2", "uid-1", 102));
	fake_api_send(api, "/api/v1/pods", "STRANGE", pod("x", "n2", "uid-1", 104));
	put("end", "n1");
	expect_events(3, "updated x n2@102, deleted x n2@102, added end n1@104, ");
}
END_TEST

START_TEST(informer_is_not_fooled_by_stale_lists)
{
	put("x", "n1");
	put("y", "n1");
	start();
	expect_events(2, "added x n1@101, added y n1@102, ");
	wait_for_watch();
	put("x", "n2");
	put("z", "n1");
	take("y");
	expect_events(3, "updated x n2@103, added z n1@104, deleted y n1@102, ");
	put("y", "n5");
	expect_events(1, "added y n5@106, ");
	fake_api_stale_lists(api, 2, 103);
	fake_api_compact(api);
	fake_api_end_watches(api, false);
	while (fake_api_count(api, "GET", "limit=") < 4) /* the first, two stale ones, and one that is not */
		clock_sleep_ms(1);
	put("z", "n2");
	expect_events(1, "updated z n2@108, ");
}
END_TEST

START_TEST(informer_survives_refusals_and_garbage)
{
	fake_api_fail(api, "GET", "limit=", 1, FAKE_ANSWER, 500, NULL);
	fake_api_fail(api, "GET", "limit=", 1, FAKE_ANSWER, 403, NULL);
	put("x", "n1");
	start();
	fake_api_fail(api, "GET", "watch=", 1, FAKE_ANSWER, 500, NULL);
	fake_api_send(api, "/api/v1/pods", "MODIFIED", json_pack("{}"));
	put("x", "n2");
	expect_events(2, "added x n1@101, updated x n2@102, ");
}
END_TEST

START_TEST(informer_tells_why_it_has_no_list)
{
	fake_api_fail(api, "GET", "limit=", 1000, FAKE_ANSWER, 403, NULL);
	informer_start(informer);
	ck_assert_int_lt(informer_wait(informer, 300, &err), 0);
	ck_assert_int_eq(err.kind, ERR_TIMEOUT);
	ck_assert_str_eq(err.message, "pods were not listed: no answer in time; last: injected");
	atomic_store(&cancel, true);
	ck_assert_int_lt(informer_wait(informer, 20000, &err), 0);
	ck_assert_int_eq(err.kind, ERR_CANCELLED);
}
END_TEST

START_TEST(informer_of_a_resource_that_is_not_there_is_empty_until_it_comes)
{
	fake_api_fail(api, "GET", "limit=", 2, FAKE_ANSWER, 404, NULL);
	informer_start(informer);
	ck_assert_int_eq(informer_wait(informer, 20000, &err), 0);
	ck_assert_uint_eq(informer_count(informer), 0);
	put("x", "n1");
	expect_events(1, "added x n1@101, ");
}
END_TEST

START_TEST(informer_resumes_at_the_last_bookmark)
{
	start();
	wait_for_watch();
	fake_api_send(api, "/api/v1/pods", "BOOKMARK", json_pack("{s:{s:s}}", "metadata", "resourceVersion", "150"));
	fake_api_send(api, "/api/v1/pods", "BOOKMARK", json_pack("{s:{s:s}}", "metadata", "resourceVersion", "140"));
	while (fake_api_count(api, "GET", "resourceVersion=150") == 0) {
		fake_api_end_watches(api, false);
		clock_sleep_ms(5);
	}
}
END_TEST

/* Readers, an own writer and the watch at once: for TSan, and nobody may see the counter go back. */
static atomic_bool readers_stop;

static void *read_all(void *unused)
{
	(void)unused;
	long last = 0;
	while (!atomic_load(&readers_stop)) {
		json_t *o = informer_get(informer, "a", "x"), *all = informer_all(informer);
		long now = o ? strtol(node_of(o), NULL, 10) : 0;
		ck_assert_int_ge(now, last);
		last = now;
		json_decref(o);
		json_decref(all);
	}
	return NULL;
}

START_TEST(informer_can_be_read_while_it_changes)
{
	pthread_t threads[2];
	json_t *o = pod("x", "1", NULL, 0), *answer = NULL;
	start();
	ck_assert_int_eq(kube_create(client, &KUBE_PODS, o, &answer, &err), 0);
	informer_learn(informer, answer);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, read_all, NULL);
	for (int i = 2; i < 100; i++) {
		char text[8];
		json_t *next = NULL;
		snprintf(text, sizeof text, "%d", i);
		json_object_set_new(json_object_get(answer, "spec"), "nodeName", json_string(text));
		ck_assert_msg(kube_update(client, &KUBE_PODS, NULL, answer, &next, &err) == 0, "%s", err.message);
		informer_learn(informer, next);
		json_decref(answer);
		answer = next;
	}
	atomic_store(&readers_stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	json_t *last = informer_get(informer, "a", "x");
	ck_assert_str_eq(node_of(last), "99");
	json_decref(last);
	json_decref(answer);
	json_decref(o);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kube/informer");
	TCase *s = tcase_create("store"), *t = tcase_create("thread");
	tcase_add_checked_fixture(s, store_setup, store_teardown);
	tcase_add_test(s, store_tells_what_changed_and_nothing_else);
	tcase_add_test(s, store_never_goes_back);
	tcase_add_test(s, store_sees_an_object_replaced_by_another_of_its_name);
	tcase_add_test(s, store_knows_own_writes_at_once_and_tells_them_when_they_come);
	tcase_add_test(s, quiet_store_tells_changes_of_others_only);
	tcase_add_test(s, store_hides_what_was_deleted_until_that_is_told);
	tcase_add_test(s, store_drops_what_a_list_does_not_mention);
	tcase_add_test(s, store_forgets_what_is_of_no_interest);
	tcase_add_test(s, store_finds_by_index_and_sorts);
	suite_add_tcase(suite, s);
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, informer_lists_then_watches);
	tcase_add_test(t, informer_goes_on_after_watches_end);
	tcase_add_test(t, informer_lives_through_a_restart_of_the_server);
	tcase_add_test(t, informer_lists_again_after_410_and_tells_the_differences);
	tcase_add_test(t, informer_ignores_repeated_and_old_events);
	tcase_add_test(t, informer_is_not_fooled_by_stale_lists);
	tcase_add_test(t, informer_survives_refusals_and_garbage);
	tcase_add_test(t, informer_tells_why_it_has_no_list);
	tcase_add_test(t, informer_of_a_resource_that_is_not_there_is_empty_until_it_comes);
	tcase_add_test(t, informer_resumes_at_the_last_bookmark);
	tcase_add_test(t, informer_can_be_read_while_it_changes);
	suite_add_tcase(suite, t);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}

/* test_leader.c: leader election between candidates of one process, and events. */
#include "check_main.h"

#include "base/clock.h"
#include "codec/json.h"
#include "kube/event_recorder.h"
#include "kube/fake_api.h"
#include "kube/leader.h"
#include "kube/meta.h"
#include <pthread.h>

#define LEASE "/apis/coordination.k8s.io/v1/namespaces/sys/leases/lock"

static struct fake_api *api;
static struct kube_client *client;
static struct err err;
static atomic_bool cancel;
static atomic_int_fast64_t until_ms;

static void setup(void)
{
	api = fake_api_new();
	const struct kube_options o = {.kubeconfig = fake_api_kubeconfig(api, "t"), .qps = 10000, .burst = 10000, .cancel = &cancel, .until_ms = &until_ms};
	ck_assert_msg(kube_client_open(&client, &o, &err) == 0, "%s", err.message);
}

static void teardown(void)
{
	kube_client_close(client);
	fake_api_free(api);
}

static struct leader *candidate_with(const char *identity, int64_t renew_s)
{
	return leader_new(client, &(struct leader_options){.namespace_ = "sys", .name = "lock", .identity = identity, .lease_s = renew_s + 1, .renew_s = renew_s,
							   .retry_s = 1, .cancel = &cancel, .until_ms = &until_ms});
}

enum { CALM_S = 20 }; /* for those that must go on leading on a machine that stalls */
static struct leader *candidate(const char *identity) { return candidate_with(identity, 2); }

static void expect_holder(const char *want, int64_t transitions)
{
	json_t *lease = fake_api_get(api, LEASE);
	ck_assert_str_eq(json_text_at(lease, "?", "spec", "holderIdentity", NULL), want);
	ck_assert_int_eq(json_int_at(lease, -1, "spec", "leaseTransitions", NULL), transitions);
	ck_assert_uint_eq(strlen(json_text_at(lease, "", "spec", "renewTime", NULL)), strlen("2026-11-24T08:00:00.000000Z"));
	json_decref(lease);
}

START_TEST(the_first_candidate_leads_and_renews)
{
	struct leader *a = candidate_with("a", CALM_S);
	ck_assert(!leader_holds(a));
	ck_assert_int_eq(leader_acquire(a, &err), 0);
	ck_assert(leader_holds(a));
	expect_holder("a", 0);
	while (fake_api_count(api, "PUT", "leases/lock") < 2)
		clock_sleep_ms(5);
	ck_assert(leader_holds(a));
	leader_free(a);
	expect_holder("", 0);
}
END_TEST

static void *acquire(void *candidate)
{
	struct err e = ERR_INIT;
	return leader_acquire(candidate, &e) == 0 ? candidate : NULL;
}

START_TEST(the_next_one_follows_when_the_lease_is_released)
{
	struct leader *a = candidate_with("a", CALM_S), *b = candidate_with("b", CALM_S);
	pthread_t thread;
	void *got = NULL;
	ck_assert_int_eq(leader_acquire(a, &err), 0);
	pthread_create(&thread, NULL, acquire, b);
	while (fake_api_count(api, "GET", "leases/lock") < 3)
		clock_sleep_ms(5);
	ck_assert(leader_holds(a) && !leader_holds(b));
	atomic_store(&cancel, false);
	leader_free(a);
	pthread_join(thread, &got);
	ck_assert_ptr_eq(got, b);
	ck_assert(leader_holds(b));
	expect_holder("b", 1);
	leader_free(b);
}
END_TEST

START_TEST(a_lease_that_nobody_renews_is_taken_over)
{
	json_t *lease = meta_new(&KUBE_LEASES, "sys", "lock");
	json_object_set_new(lease, "spec", json_pack("{s:s, s:i, s:s, s:i}", "holderIdentity", "ghost", "leaseDurationSeconds", 1, "renewTime",
						     "2099-01-01T00:00:00.000000Z" /* clocks of others are not believed */, "leaseTransitions", 4));
	fake_api_put(api, LEASE, lease);
	struct leader *a = candidate("a");
	int64_t start = clock_now_ms();
	ck_assert_int_eq(leader_acquire(a, &err), 0);
	ck_assert_int_ge(clock_now_ms() - start, 1000);
	expect_holder("a", 5);
	leader_free(a);
}
END_TEST

START_TEST(a_leader_that_cannot_renew_steps_down_for_good)
{
	struct leader *a = candidate("a");
	ck_assert_int_eq(leader_acquire(a, &err), 0);
	fake_api_down(api);
	int64_t end = clock_now_ms() + 10000;
	while (leader_holds(a) && clock_now_ms() < end)
		clock_sleep_ms(10);
	ck_assert(!leader_holds(a));
	fake_api_up(api);
	clock_sleep_ms(50);
	ck_assert(!leader_holds(a));
	leader_free(a);
	expect_holder("a", 0); /* not released: it was not ours to say any more */
}
END_TEST

START_TEST(a_stolen_or_deleted_lease_is_noticed)
{
	struct leader *a = candidate("a");
	ck_assert_int_eq(leader_acquire(a, &err), 0);
	fake_api_remove(api, LEASE);
	for (json_t *lease = NULL; !lease; clock_sleep_ms(5)) { /* made again within the deadline: the deadline is 2 s */
		lease = fake_api_get(api, LEASE);
		json_decref(lease);
		if (!leader_holds(a))
			break;
	}
	json_t *lease = meta_new(&KUBE_LEASES, "sys", "lock");
	json_object_set_new(lease, "spec", json_pack("{s:s, s:i}", "holderIdentity", "thief", "leaseDurationSeconds", 100));
	fake_api_put(api, LEASE, lease);
	int64_t end = clock_now_ms() + 10000;
	while (leader_holds(a) && clock_now_ms() < end)
		clock_sleep_ms(5);
	ck_assert(!leader_holds(a));
	leader_free(a);
	lease = fake_api_get(api, LEASE);
	ck_assert_str_eq(json_text_at(lease, "?", "spec", "holderIdentity", NULL), "thief");
	json_decref(lease);
}
END_TEST

/* Tells the process to stop once the lease was asked for so often. */
static void *stop_after(void *times)
{
	while (fake_api_count(api, "GET", "leases/lock") < *(const size_t *)times)
		clock_sleep_ms(5);
	atomic_store(&cancel, true);
	return NULL;
}

START_TEST(waiting_ends_with_a_stop)
{
	struct leader *a = candidate("a");
	pthread_t thread;
	size_t times = 2; /* so the first one was answered */
	fake_api_fail(api, "GET", "leases", 100, FAKE_ANSWER, 403, NULL);
	pthread_create(&thread, NULL, stop_after, &times);
	ck_assert_int_lt(leader_acquire(a, &err), 0);
	ck_assert_int_eq(err.kind, ERR_CANCELLED);
	ck_assert_str_eq(err.message, "stopped before leading; last: injected");
	pthread_join(thread, NULL);
	leader_free(a);
}
END_TEST

/* Requests of these candidates give up after 30 s of silence; a stop must not wait for that. */
enum { PATIENT_S = 60, SOON_MS = 8000 };

START_TEST(a_silent_server_holds_up_no_candidate_that_stops)
{
	struct leader *a = candidate_with("a", PATIENT_S);
	pthread_t thread;
	size_t times = 1;
	fake_api_fail(api, "GET", "leases", 100, FAKE_HANG, 0, NULL);
	pthread_create(&thread, NULL, stop_after, &times);
	int64_t begin = clock_now_ms();
	ck_assert_int_lt(leader_acquire(a, &err), 0);
	ck_assert_int_eq(err.kind, ERR_CANCELLED);
	ck_assert_int_lt(clock_now_ms() - begin, SOON_MS);
	pthread_join(thread, NULL);
	leader_free(a);
}
END_TEST

START_TEST(a_silent_server_holds_up_no_leader_that_stops)
{
	struct leader *a = candidate_with("a", PATIENT_S);
	ck_assert_int_eq(leader_acquire(a, &err), 0);
	fake_api_fail(api, "PUT", "leases", 100, FAKE_HANG, 0, NULL);
	while (fake_api_count(api, "PUT", "leases") == 0)
		clock_sleep_ms(5);
	int64_t begin = clock_now_ms();
	leader_free(a);
	ck_assert_int_lt(clock_now_ms() - begin, SOON_MS);
}
END_TEST

static int create_map(const char *name)
{
	CLEANUP(json_decrefp) json_t *map = meta_new(&KUBE_CONFIGMAPS, "sys", name);
	return kube_create(client, &KUBE_CONFIGMAPS, map, NULL, &err);
}

START_TEST(who_lost_the_lease_changes_nothing_any_more)
{
	struct leader *a = candidate_with("a", 8);
	ck_assert_int_eq(atomic_load(&until_ms), 0);
	ck_assert_int_eq(leader_acquire(a, &err), 0);
	int64_t first = atomic_load(&until_ms);
	ck_assert_int_gt(first, clock_now_ms());
	ck_assert_int_eq(create_map("one"), 0);
	while (atomic_load(&until_ms) == first)
		clock_sleep_ms(5);
	json_t *lease = meta_new(&KUBE_LEASES, "sys", "lock");
	json_object_set_new(lease, "spec", json_pack("{s:s, s:i}", "holderIdentity", "thief", "leaseDurationSeconds", 100));
	fake_api_put(api, LEASE, lease);
	while (leader_holds(a))
		clock_sleep_ms(5);
	ck_assert_int_lt(atomic_load(&until_ms), clock_now_ms());
	size_t before = fake_api_count(api, "POST", "/configmaps");
	ck_assert_int_lt(create_map("two"), 0);
	ck_assert_int_eq(err.kind, ERR_CANCELLED);
	ck_assert_uint_eq(fake_api_count(api, "POST", "/configmaps"), before);
	leader_free(a);
}
END_TEST

START_TEST(a_leader_releases_although_the_process_is_stopping)
{
	struct leader *a = candidate_with("a", CALM_S);
	ck_assert_int_eq(leader_acquire(a, &err), 0);
	atomic_store(&cancel, true);
	leader_free(a);
	expect_holder("", 0);
}
END_TEST

/* --- events ------------------------------------------------------------------------------------------------------ */

static json_t *pod(void)
{
	json_t *o = meta_new(&KUBE_PODS, "a", "x");
	json_object_set_new(json_object_get(o, "metadata"), "uid", json_string("u"));
	json_object_set_new(json_object_get(o, "metadata"), "resourceVersion", json_string("7"));
	return o;
}

START_TEST(an_event_says_what_happened_to_whom)
{
	struct event_recorder *r = event_recorder_new(client, "kaito-*-controller");
	json_t *o = pod();
	event_emit(r, o, "Warning", "Failed", "no %s for %d", "node", 3);
	event_recorder_free(r); /* sends it */
	json_t *last = fake_api_last(api, "POST"), *event = NULL;
	ck_assert_str_eq(json_text_at(last, "", "path", NULL), "/api/v1/namespaces/a/events");
	ck_assert_int_eq(json_parse(&event, str_of(json_text_at(last, "", "body", NULL)), "event", &err), 0);
	ck_assert_int_eq(strncmp(meta_name(event), "x.", 2), 0);
	ck_assert_uint_eq(strspn(meta_name(event) + 2, "0123456789abcdef"), strlen(meta_name(event)) - 2);
	ck_assert_str_eq(json_text_at(event, "", "message", NULL), "no node for 3");
	ck_assert_str_eq(json_text_at(event, "", "type", NULL), "Warning");
	ck_assert_str_eq(json_text_at(event, "", "reason", NULL), "Failed");
	ck_assert_str_eq(json_text_at(event, "", "source", "component", NULL), "kaito-Pod-controller");
	ck_assert_str_eq(json_text_at(event, "", "involvedObject", "kind", NULL), "Pod");
	ck_assert_str_eq(json_text_at(event, "", "involvedObject", "apiVersion", NULL), "v1");
	ck_assert_str_eq(json_text_at(event, "", "involvedObject", "uid", NULL), "u");
	ck_assert_int_eq(json_int_at(event, 0, "count", NULL), 1);
	json_decref(event);
	json_decref(last);
	json_decref(o);
}
END_TEST

static void wait_for_requests(const char *method, size_t n)
{
	while (fake_api_count(api, method, "/events") < n)
		clock_sleep_ms(1);
}

START_TEST(a_repeated_event_raises_a_count)
{
	struct event_recorder *r = event_recorder_new(client, "kaito");
	json_t *o = pod();
	event_emit(r, o, "Normal", "Waiting", "for nodes");
	wait_for_requests("POST", 1);
	while (event_emit(r, o, "Normal", "Waiting", "for nodes"), fake_api_count(api, "PATCH", "/events") == 0)
		clock_sleep_ms(20);
	event_emit(r, o, "Normal", "Waiting", "for pods");
	wait_for_requests("POST", 2);
	event_recorder_free(r);
	ck_assert_uint_eq(fake_api_count(api, "POST", "/events"), 2);
	json_t *all = NULL;
	ck_assert_int_eq(kube_list_array(client, &KUBE_EVENTS, "a", NULL, &all, &err), 0);
	ck_assert_uint_eq(json_array_size(all), 2);
	ck_assert_int_ge(json_int_at(all, 0, "#0", "count", NULL), 2);
	json_decref(all);
	json_decref(o);
}
END_TEST

START_TEST(a_repeated_event_within_the_quiet_time_is_not_sent)
{
	struct event_recorder *r = event_recorder_new(client, "karpenter");
	event_recorder_set_quiet(r, 3600000);
	json_t *o = pod();
	event_emit(r, o, "Normal", "Waiting", "for nodes");
	wait_for_requests("POST", 1);
	for (int i = 0; i < 3; i++)
		event_emit(r, o, "Normal", "Waiting", "for nodes");
	event_emit(r, o, "Normal", "Waiting", "for pods");
	event_recorder_free(r);
	ck_assert_uint_eq(fake_api_count(api, "POST", "/events"), 2);
	ck_assert_uint_eq(fake_api_count(api, "PATCH", "/events"), 0);
	json_decref(o);
}
END_TEST

START_TEST(an_expired_event_is_made_again)
{
	struct event_recorder *r = event_recorder_new(client, "kaito");
	json_t *o = pod();
	fake_api_fail(api, "PATCH", "/events", 1, FAKE_ANSWER, 404, NULL);
	event_emit(r, o, "Normal", "Waiting", "for nodes");
	wait_for_requests("POST", 1);
	while (event_emit(r, o, "Normal", "Waiting", "for nodes"), fake_api_count(api, "POST", "/events") < 2)
		clock_sleep_ms(20);
	event_recorder_free(r);
	json_decref(o);
}
END_TEST

START_TEST(events_wait_for_the_server_and_the_oldest_give_way)
{
	struct event_recorder *r = event_recorder_new(client, "kaito");
	json_t *o = meta_new(&KUBE_NODES, NULL, "n");
	fake_api_down(api);
	for (int i = 0; i < 1100; i++)
		event_emit(r, o, "Normal", "Number", "%d", i);
	ck_assert_uint_ge(event_recorder_dropped(r), 99);
	fake_api_up(api);
	wait_for_requests("POST", 3);
	atomic_store(&cancel, true); /* what is queued is sent although the process is stopping */
	event_recorder_free(r);
	ck_assert_uint_ge(fake_api_count(api, "POST", "/namespaces/default/events"), 900);
	json_decref(o);
}
END_TEST

START_TEST(events_nobody_wants_are_dropped)
{
	struct event_recorder *r = event_recorder_new(client, "kaito");
	json_t *o = pod();
	fake_api_fail(api, "POST", "/events", 1, FAKE_ANSWER, 403, NULL);
	event_emit(r, o, "Normal", "Waiting", "for nodes");
	while (event_recorder_dropped(r) == 0)
		clock_sleep_ms(1);
	event_recorder_free(r);
	ck_assert_uint_eq(fake_api_count(api, "POST", "/events"), 1);
	json_decref(o);
}
END_TEST

START_TEST(a_long_message_is_cut_between_characters)
{
	struct event_recorder *r = event_recorder_new(client, "kaito");
	json_t *o = pod(), *event = NULL;
	char text[2000];
	for (size_t i = 0; i + 2 < sizeof text; i += 2)
		memcpy(text + i, "\xC3\xA9", 3);
	event_emit(r, o, "Normal", "Long", "x%s", text);
	event_recorder_free(r);
	json_t *last = fake_api_last(api, "POST");
	ck_assert_int_eq(json_parse(&event, str_of(json_text_at(last, "", "body", NULL)), "event", &err), 0);
	ck_assert_uint_eq(strlen(json_text_at(event, "", "message", NULL)), 1023);
	json_decref(event);
	json_decref(last);
	json_decref(o);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kube/leader");
	TCase *t = tcase_create("leader");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_first_candidate_leads_and_renews);
	tcase_add_test(t, the_next_one_follows_when_the_lease_is_released);
	tcase_add_test(t, a_lease_that_nobody_renews_is_taken_over);
	tcase_add_test(t, a_leader_that_cannot_renew_steps_down_for_good);
	tcase_add_test(t, a_stolen_or_deleted_lease_is_noticed);
	tcase_add_test(t, waiting_ends_with_a_stop);
	tcase_add_test(t, a_silent_server_holds_up_no_candidate_that_stops);
	tcase_add_test(t, a_silent_server_holds_up_no_leader_that_stops);
	tcase_add_test(t, who_lost_the_lease_changes_nothing_any_more);
	tcase_add_test(t, a_leader_releases_although_the_process_is_stopping);
	tcase_add_test(t, an_event_says_what_happened_to_whom);
	tcase_add_test(t, a_repeated_event_raises_a_count);
	tcase_add_test(t, a_repeated_event_within_the_quiet_time_is_not_sent);
	tcase_add_test(t, an_expired_event_is_made_again);
	tcase_add_test(t, events_wait_for_the_server_and_the_oldest_give_way);
	tcase_add_test(t, events_nobody_wants_are_dropped);
	tcase_add_test(t, a_long_message_is_cut_between_characters);
	suite_add_tcase(suite, t);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}

/* test_real_api.c: the whole client against a real kube-apiserver and etcd, which real_api.py starts, kills and restarts. Skipped
 * where there are none. */
#include "check_main.h"

#include "base/clock.h"
#include "kube/event_recorder.h"
#include "kube/informer.h"
#include "kube/leader.h"
#include "kube/meta.h"
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static FILE *orders, *answers;
static pid_t driver;
static char folder[256];
static struct err err;

static void start_driver(void)
{
	int to[2], from[2];
	const char *script = source_path("tests/kube/real_api.py");
	if (pipe(to) < 0 || pipe(from) < 0)
		abort();
	driver = fork();
	if (driver == 0) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		close(to[1]);
		close(from[0]);
		execlp("python3", "python3", "-B", script, (char *)NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	orders = fdopen(to[1], "w");
	answers = fdopen(from[0], "r");
}

static void order(const char *word)
{
	char line[64] = "";
	fprintf(orders, "%s\n", word);
	fflush(orders);
	ck_assert_ptr_nonnull(fgets(line, sizeof line, answers));
	ck_assert_str_eq(line, "done\n");
}

static struct kube_client *open_client(const char *kubeconfig)
{
	struct kube_client *c = NULL;
	char path[300];
	snprintf(path, sizeof path, "%s/%s", folder, kubeconfig);
	ck_assert_msg(kube_client_open(&c, &(struct kube_options){.kubeconfig = path, .qps = 1000, .burst = 1000}, &err) == 0, "%s", err.message);
	return c;
}

#define OK(call) ck_assert_msg((call) == 0, "%s", err.message)
#define FAILS(call, want) do { ck_assert_int_lt((call), 0); ck_assert_msg(err.kind == (want), "%s", err.message); } while (0)

static json_t *config_map(const char *name, const char *value)
{
	json_t *o = meta_new(&KUBE_CONFIGMAPS, "default", name);
	json_object_set_new(o, "data", json_pack("{s:s}", "value", value));
	return o;
}

static const char *value_of(const json_t *o) { return json_text_at(o, "", "data", "value", NULL); }

START_TEST(objects_live_their_lives)
{
	struct kube_client *c = open_client("cert");
	json_t *o = config_map("life", "1"), *made = NULL, *seen = NULL, *changed = NULL;
	OK(kube_create(c, &KUBE_CONFIGMAPS, o, &made, &err));
	FAILS(kube_create(c, &KUBE_CONFIGMAPS, o, NULL, &err), ERR_EXISTS);
	ck_assert_str_eq(err.message, "configmaps \"life\" already exists");
	OK(kube_get(c, &KUBE_CONFIGMAPS, "default", "life", &seen, &err));
	ck_assert_str_eq(meta_uid(seen), meta_uid(made));
	json_object_set_new(json_object_get(seen, "data"), "value", json_string("2"));
	OK(kube_update(c, &KUBE_CONFIGMAPS, NULL, seen, &changed, &err));
	FAILS(kube_update(c, &KUBE_CONFIGMAPS, NULL, made, NULL, &err), ERR_CONFLICT);
	FAILS(kube_get(c, &KUBE_CONFIGMAPS, "default", "none", NULL, &err), ERR_NOT_FOUND);
	FAILS(kube_get(c, &KUBE_WORKSPACES, "default", "none", NULL, &err), ERR_NOT_FOUND);
	json_t *bad = config_map("Not A Name", "1");
	FAILS(kube_create(c, &KUBE_CONFIGMAPS, bad, NULL, &err), ERR_INVALID);
	FAILS(kube_delete(c, &KUBE_CONFIGMAPS, "default", "life", &(struct kube_delete_options){.uid = "wrong", .grace_s = -1}, &err), ERR_CONFLICT);
	OK(kube_delete(c, &KUBE_CONFIGMAPS, "default", "life", &(struct kube_delete_options){.uid = meta_uid(made), .propagation = "Background", .grace_s = -1}, &err));
	FAILS(kube_delete(c, &KUBE_CONFIGMAPS, "default", "life", NULL, &err), ERR_NOT_FOUND);
	struct buf text = {0};
	OK(kube_get_text(c, "/version", 10000, &text, &err));
	ck_assert_ptr_nonnull(strstr(text.data, "gitVersion"));
	buf_done(&text);
	json_decref(o), json_decref(made), json_decref(seen), json_decref(changed), json_decref(bad);
	kube_client_close(c);
}
END_TEST

static json_t *deployment(void)
{
	json_t *o = meta_new(&KUBE_DEPLOYMENTS, "default", "d");
	json_object_set_new(o, "spec", json_pack("{s:i, s:{s:{s:s}}, s:{s:{s:{s:s}}, s:{s:[{s:s, s:s}]}}}", "replicas", 1, "selector", "matchLabels", "a", "b", "template",
						 "metadata", "labels", "a", "b", "spec", "containers", "name", "c1", "image", "i1"));
	return o;
}

START_TEST(patches_and_subresources_work)
{
	struct kube_client *c = open_client("token");
	json_t *o = deployment(), *out = NULL, *body = NULL, *scale = NULL;
	OK(kube_create(c, &KUBE_DEPLOYMENTS, o, NULL, &err));
	body = json_pack("[{s:s, s:s, s:i}]", "op", "replace", "path", "/spec/replicas", "value", 2);
	OK(kube_patch(c, &KUBE_DEPLOYMENTS, "default", "d", NULL, KUBE_PATCH_JSON, body, &out, &err));
	ck_assert_int_eq(json_int_at(out, 0, "spec", "replicas", NULL), 2);
	json_decref(body), json_decref(out);
	body = json_pack("{s:{s:{s:s}}}", "metadata", "labels", "l", "m");
	OK(kube_patch(c, &KUBE_DEPLOYMENTS, "default", "d", NULL, KUBE_PATCH_MERGE, body, &out, &err));
	ck_assert_str_eq(meta_label(out, "l"), "m");
	json_decref(body), json_decref(out);
	body = json_pack("{s:{s:{s:{s:[{s:s, s:s}]}}}}", "spec", "template", "spec", "containers", "name", "c2", "image", "i2");
	OK(kube_patch(c, &KUBE_DEPLOYMENTS, "default", "d", NULL, KUBE_PATCH_STRATEGIC, body, &out, &err));
	ck_assert_uint_eq(json_array_size(json_at(out, "spec", "template", "spec", "containers", NULL)), 2);
	json_decref(body), json_decref(out);
	body = config_map("applied", "x");
	OK(kube_patch(c, &KUBE_CONFIGMAPS, "default", "applied", NULL, KUBE_PATCH_APPLY, body, &out, &err));
	ck_assert_str_eq(value_of(out), "x");
	json_decref(body), json_decref(out);
	body = json_pack("{s:{s:i}}", "status", "observedGeneration", 7);
	OK(kube_patch(c, &KUBE_DEPLOYMENTS, "default", "d", "status", KUBE_PATCH_MERGE, body, &out, &err));
	ck_assert_int_eq(json_int_at(out, 0, "status", "observedGeneration", NULL), 7);
	scale = json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:i}}", "apiVersion", "autoscaling/v1", "kind", "Scale", "metadata", "name", "d", "namespace", "default", "spec",
			  "replicas", 5);
	json_decref(out);
	OK(kube_update(c, &KUBE_DEPLOYMENTS, "scale", scale, &out, &err));
	ck_assert_int_eq(json_int_at(out, 0, "spec", "replicas", NULL), 5);
	json_decref(body), json_decref(out), json_decref(o), json_decref(scale);
	kube_client_close(c);
}
END_TEST

START_TEST(certificates_are_verified)
{
	struct kube_client *c = open_client("stranger");
	FAILS(kube_get(c, &KUBE_NAMESPACES, NULL, "default", NULL, &err), ERR_NETWORK);
	kube_client_close(c);
	c = open_client("misnamed");
	FAILS(kube_get(c, &KUBE_NAMESPACES, NULL, "default", NULL, &err), ERR_NETWORK);
	kube_client_close(c);
	c = open_client("insecure");
	OK(kube_get(c, &KUBE_NAMESPACES, NULL, "default", NULL, &err));
	kube_client_close(c);
}
END_TEST

static void count_item(void *n, json_t *object)
{
	++*(int *)n;
	json_decref(object);
}

START_TEST(long_lists_come_in_pages)
{
	struct kube_client *c = open_client("token");
	for (int i = 0; i < 25; i++) {
		char name[16];
		snprintf(name, sizeof name, "page-%02d", i);
		json_t *o = config_map(name, "p");
		meta_set_label(o, "set", "pages");
		OK(kube_create(c, &KUBE_CONFIGMAPS, o, NULL, &err));
		json_decref(o);
	}
	int n = 0;
	char *version = NULL;
	OK(kube_list(c, &KUBE_CONFIGMAPS, "default", &(struct kube_list_options){.label_selector = "set in (pages)", .page = 10}, count_item, NULL, &n, &version, &err));
	ck_assert_int_eq(n, 25);
	ck_assert_ptr_nonnull(version);
	free(version);
	kube_client_close(c);
}
END_TEST

/* --- an informer through restarts --------------------------------------------------------------------------------- */

#define OBJECTS 10
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static struct { int added, updated, deleted; long value; } seen[OBJECTS];
static int wrong;

static void on_event(void *context, enum informer_event event, const json_t *object)
{
	(void)context;
	int i = (int)strtol(meta_name(object) + strlen("moving-"), NULL, 10);
	long value = strtol(value_of(object), NULL, 10);
	pthread_mutex_lock(&mu);
	if (event == INFORMER_ADDED)
		seen[i].added++;
	else if (event == INFORMER_UPDATED)
		seen[i].updated++;
	else
		seen[i].deleted++;
	if (event != INFORMER_DELETED) {
		wrong += value <= seen[i].value; /* repeated, or gone back */
		seen[i].value = value;
	}
	pthread_mutex_unlock(&mu);
}

static void set_value(struct kube_client *c, int i, long value)
{
	char name[24], text[24];
	snprintf(name, sizeof name, "moving-%d", i);
	snprintf(text, sizeof text, "%ld", value);
	json_t *body = json_pack("{s:{s:s}}", "data", "value", text);
	while (kube_patch(c, &KUBE_CONFIGMAPS, "default", name, NULL, KUBE_PATCH_MERGE, body, NULL, &err) < 0) /* the server may be away */
		clock_sleep_ms(50);
	json_decref(body);
}

static void wait_for_value(int i, long value)
{
	for (int64_t end = clock_now_ms() + 60000; clock_now_ms() < end; clock_sleep_ms(5)) {
		pthread_mutex_lock(&mu);
		bool there = seen[i].value == value;
		pthread_mutex_unlock(&mu);
		if (there)
			return;
	}
	ck_abort_msg("object %d: value %ld did not come, last %ld", i, value, seen[i].value);
}

static atomic_bool writer_stop;
static atomic_long written;

static void *keep_writing(void *client)
{
	for (long n = 2; !atomic_load(&writer_stop); n++) {
		for (int i = 0; i < OBJECTS - 1; i++)
			set_value(client, i, n);
		atomic_store(&written, n);
		clock_sleep_ms(10);
	}
	return NULL;
}

START_TEST(an_informer_lives_through_restarts)
{
	struct kube_client *c = open_client("cert");
	for (int i = 0; i < OBJECTS; i++) {
		char name[24];
		snprintf(name, sizeof name, "moving-%d", i);
		json_t *o = config_map(name, "1");
		meta_set_label(o, "set", "moving");
		OK(kube_create(c, &KUBE_CONFIGMAPS, o, NULL, &err));
		json_decref(o);
	}
	struct informer *informer = informer_new(c, &(struct informer_options){.resource = &KUBE_CONFIGMAPS, .namespace_ = "default", .label_selector = "set=moving",
									       .on_event = on_event});
	informer_start(informer);
	OK(informer_wait(informer, 30000, &err));
	ck_assert_uint_eq(informer_count(informer), OBJECTS);
	pthread_t writer;
	pthread_create(&writer, NULL, keep_writing, c);
	order("kill"); /* in the middle of the writes */
	order("start");
	long before = atomic_load(&written);
	while (atomic_load(&written) < before + 2)
		clock_sleep_ms(5);
	order("kill");
	order("start");
	order("compact"); /* what the informer knew may be forgotten by now */
	atomic_store(&writer_stop, true);
	pthread_join(writer, NULL);
	long last = atomic_load(&written);
	for (int i = 0; i < OBJECTS - 1; i++)
		wait_for_value(i, last);
	OK(kube_delete(c, &KUBE_CONFIGMAPS, "default", "moving-9", NULL, &err));
	set_value(c, 0, last + 1);
	wait_for_value(0, last + 1);
	informer_free(informer);
	ck_assert_int_eq(wrong, 0);
	for (int i = 0; i < OBJECTS; i++) {
		ck_assert_int_eq(seen[i].added, 1);
		ck_assert_int_eq(seen[i].deleted, i == 9);
		ck_assert_int_ge(seen[i].updated, i == 9 ? 0 : 2);
	}
	kube_client_close(c);
}
END_TEST

START_TEST(an_old_version_is_gone_after_compaction)
{
	struct kube_client *c = open_client("token");
	order("compact");
	order("kill");
	order("start");
	FAILS(kube_watch(c, &KUBE_CONFIGMAPS, NULL, &(struct kube_watch_options){.version = "1"}, NULL, NULL, &err), ERR_GONE);
	kube_client_close(c);
}
END_TEST

START_TEST(leaders_follow_each_other)
{
	struct kube_client *c = open_client("token");
	struct leader *a = leader_new(c, &(struct leader_options){.namespace_ = "default", .name = "lock", .identity = "a", .lease_s = 3, .renew_s = 2, .retry_s = 1});
	struct leader *b = leader_new(c, &(struct leader_options){.namespace_ = "default", .name = "lock", .identity = "b", .lease_s = 3, .renew_s = 2, .retry_s = 1});
	OK(leader_acquire(a, &err));
	ck_assert(leader_holds(a));
	leader_free(a);
	OK(leader_acquire(b, &err));
	ck_assert(leader_holds(b));
	leader_free(b);
	kube_client_close(c);
}
END_TEST

START_TEST(events_are_accepted)
{
	struct kube_client *c = open_client("token");
	json_t *o = config_map("subject", "1"), *made = NULL, *all = NULL;
	OK(kube_create(c, &KUBE_CONFIGMAPS, o, &made, &err));
	struct event_recorder *r = event_recorder_new(c, "kaito");
	event_emit(r, made, "Normal", "Tested", "with %d words", 3);
	event_recorder_free(r);
	OK(kube_list_array(c, &KUBE_EVENTS, "default", NULL, &all, &err));
	ck_assert_uint_eq(json_array_size(all), 1);
	ck_assert_str_eq(json_text_at(all, "", "#0", "message", NULL), "with 3 words");
	ck_assert_str_eq(json_text_at(all, "", "#0", "involvedObject", "uid", NULL), meta_uid(made));
	json_decref(o), json_decref(made), json_decref(all);
	kube_client_close(c);
}
END_TEST

static int run(void)
{
	CHECK_RUN("kube/real_api", 120, objects_live_their_lives, patches_and_subresources_work, certificates_are_verified, long_lists_come_in_pages,
		  an_informer_lives_through_restarts, an_old_version_is_gone_after_compaction, leaders_follow_each_other, events_are_accepted);
}

int main(void)
{
	char line[512] = "";
	signal(SIGPIPE, SIG_IGN);
	start_driver();
	if (!fgets(line, sizeof line, answers) || strncmp(line, "skip ", 5) == 0) {
		fputs(line[0] ? line : "skip: python3 with its modules is needed\n", stdout);
		return CHECK_SKIPPED;
	}
	snprintf(folder, sizeof folder, "%.*s", (int)strcspn(line + 6, "\n"), line + 6);
	int rc = run();
	fputs("quit\n", orders);
	fclose(orders);
	fclose(answers);
	waitpid(driver, NULL, 0);
	return rc;
}

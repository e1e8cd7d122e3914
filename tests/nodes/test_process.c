/* The whole process over HTTP: real caches, queues and workers, the scripted cloud. What is counted here are requests: none is sent when
 * nothing changed. */
#include "check_main.h"
#include "fake_cloud.h"

#include "base/clock.h"
#include "base/mem.h"
#include "kube/condition.h"
#include "kube/fake_api.h"
#include "kube/meta.h"
#include "nodes/run.h"
#include <pthread.h>

enum { CLAIMS = 12, WAIT_MS = 20000 };
static struct fake_api *api;
static atomic_bool stop;
static pthread_t thread;

static int open_cloud(void *context, struct kube_client *kube, const struct cloud_hooks *hooks, struct cloud **out, struct err *err)
{
	(void)context;
	(void)kube;
	(void)hooks;
	(void)err;
	*out = fake_cloud();
	return 0;
}

static void *run(void *unused)
{
	(void)unused;
	struct err err = ERR_INIT;
	const struct nodes_run_options o = {
		.nodes = {.claims = true, .machines = true, .workers = 4}, .kubeconfig = fake_api_kubeconfig(api, NULL), .qps = 5000, .burst = 5000,
		.health_address = "0", .metrics_address = "0", .lease_name = "lease", .lease_namespace = "default", .version = "test", .open_cloud = open_cloud,
	};
	ck_assert_msg(nodes_run(&o, &stop, &err) == 0, "%s", err.message);
	return NULL;
}

static void setup(void)
{
	fake_cloud_reset();
	api = fake_api_new();
	atomic_store(&stop, false);
	ck_assert_int_eq(pthread_create(&thread, NULL, run, NULL), 0);
}

static void teardown(void)
{
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	fake_api_free(api);
	fake_cloud_reset();
}

static const char *path_of(char path[128], const char *collection, const char *name)
{
	snprintf(path, 128, "%s/%s", collection, name);
	return path;
}
#define CLAIM_PATH "/apis/karpenter.sh/v1/nodeclaims"
#define NODE_PATH "/api/v1/nodes"

static void put_claim(const char *name)
{
	char path[128];
	fake_api_put(api, path_of(path, CLAIM_PATH, name),
		     json_pack("{s:s,s:s,s:{s:s,s:s,s:{s:s}},s:{s:[{s:s,s:s,s:[s]}]}}", "apiVersion", "karpenter.sh/v1", "kind", "NodeClaim", "metadata", "name", name,
			       "creationTimestamp", "2026-01-01T00:00:00Z", "labels", LABEL_KAITO_WORKSPACE, "w", "spec", "requirements", "key", LABEL_INSTANCE_TYPE, "operator",
			       "In", "values", "Standard_NC24ads_A100_v4"));
}

static void put_node(const char *name)
{
	char path[128], id[128];
	snprintf(id, sizeof id, "fake:///%s", name);
	fake_api_put(api, path_of(path, NODE_PATH, name),
		     json_pack("{s:s,s:s,s:{s:s,s:{s:s}},s:{s:s},s:{s:[{s:s,s:s,s:s}]}}", "apiVersion", "v1", "kind", "Node", "metadata", "name", name, "labels", "agentpool", name,
			       "spec", "providerID", id, "status", "conditions", "type", "Ready", "status", "True", "lastHeartbeatTime", "1"));
}

static json_t *stored(const char *collection, const char *name)
{
	char path[128];
	return fake_api_get(api, path_of(path, collection, name));
}

static bool is(const char *name, const char *type, const char *status)
{
	CLEANUP(json_decrefp) json_t *claim = stored(CLAIM_PATH, name);
	return condition_is(json_at(claim, "status", "conditions", NULL), type, status);
}

static bool settled(const char *name)
{
	CLEANUP(json_decrefp) json_t *claim = stored(CLAIM_PATH, name);
	return is(name, "Ready", "True") && !meta_annotation(claim, ANNOTATION_OPERATION);
}

static bool let_go(const char *name)
{
	CLEANUP(json_decrefp) json_t *claim = stored(CLAIM_PATH, name);
	return json_array_size(json_at(claim, "metadata", "finalizers", NULL)) == 0;
}

static void until(bool (*true_of)(const char *name), const char *name)
{
	for (int64_t end = clock_now_ms() + WAIT_MS; !true_of(name); clock_sleep_ms(5))
		ck_assert_msg(clock_now_ms() < end, "%s: not in time", name);
}

static size_t writes(void)
{
	return fake_api_count(api, "PATCH", "/") + fake_api_count(api, "PUT", "/") + fake_api_count(api, "DELETE", "/");
}

START_TEST(claims_become_ready_with_few_writes_and_heartbeats_cost_none)
{
	setup();
	char name[16], path[128];
	for (int i = 0; i < CLAIMS; i++) {
		snprintf(name, sizeof name, "ws%d", i);
		put_node(name);
		put_claim(name);
	}
	for (int i = 0; i < CLAIMS; i++) {
		snprintf(name, sizeof name, "ws%d", i);
		until(settled, name);
	}
	clock_sleep_ms(100); /* for what should not come */
	ck_assert_uint_eq(writes(), 4 * CLAIMS); /* each: finalizer and memo, its Node, status, labels */
	size_t before = fake_api_count(api, NULL, CLAIM_PATH) + fake_api_count(api, NULL, NODE_PATH);
	for (int i = 0; i < CLAIMS; i++) {
		snprintf(name, sizeof name, "ws%d", i);
		json_t *node = stored(NODE_PATH, name);
		json_object_set_new(json_at(node, "status", "conditions", "#0", NULL), "lastHeartbeatTime", json_string("2"));
		fake_api_put(api, path_of(path, NODE_PATH, name), node);
	}
	clock_sleep_ms(100);
	ck_assert_uint_eq(fake_api_count(api, NULL, CLAIM_PATH) + fake_api_count(api, NULL, NODE_PATH), before);
	teardown();
}
END_TEST

static bool refused(const char *name) { return is(name, "Launched", "Unknown"); }

/* Each refusal has other words, as ARM's have ids in them: every try would be a write, and every write an event. */
START_TEST(a_refusal_in_ever_new_words_is_not_an_endless_loop)
{
	setup();
	static char messages[24][40];
	for (int i = 0; i < 24; i++) {
		snprintf(messages[i], sizeof messages[i], "QuotaExceeded: request %d", i);
		fake_cloud_on_launch(&(struct fake_step){.step = STEP_FAILED, .retry_ms = 60000, .reason = "SubscriptionQuotaReached", .message = messages[i]});
	}
	put_claim("ws0");
	until(refused, "ws0");
	clock_sleep_ms(200);
	ck_assert_uint_eq(fake_cloud_launches(), 1);
	ck_assert_uint_eq(writes(), 2);
	teardown();
}
END_TEST

START_TEST(a_deleted_claim_is_let_go_when_its_machine_is_gone)
{
	setup();
	char path[128];
	put_claim("ws0");
	put_node("ws0");
	until(settled, "ws0");
	json_t *claim = stored(CLAIM_PATH, "ws0");
	json_object_set_new(json_object_get(claim, "metadata"), "deletionTimestamp", json_string("2026-01-01T00:00:00Z"));
	fake_api_put(api, path_of(path, CLAIM_PATH, "ws0"), claim);
	until(let_go, "ws0"); /* this API server deletes Nodes at once, finalizers or not */
	ck_assert_uint_ge(fake_api_count(api, "DELETE", NODE_PATH), 1);
	teardown();
}
END_TEST

int main(void)
{
	CHECK_RUN("process", 60, claims_become_ready_with_few_writes_and_heartbeats_cost_none, a_refusal_in_ever_new_words_is_not_an_endless_loop,
		  a_deleted_claim_is_let_go_when_its_machine_is_gone);
}

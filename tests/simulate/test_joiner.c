/* test_joiner.c: Nodes of simulated machines on an API server (tests/kube/fake_api.c): when they join, what they carry, how they become
 * ready, go silent, vanish and leave, and what happens when the API server refuses or is away. */
#include "simulate/sim_client.h"

#include "check_main.h"
#include "base/clock.h"
#include "kube/fake_api.h"
#include "kube/meta.h"

static struct fake_api *api;
static char path[400];

static void start(const char *settings, struct simulator_options o)
{
	api = fake_api_new();
	o.kubeconfig = fake_api_kubeconfig(api, NULL);
	sim_begin(&o);
	if (settings)
		sim_settings(settings);
}

static void finish(void)
{
	sim_end();
	fake_api_free(api);
}

/* The name of the first Node of a pool, as the state tells it; static buffer. */
static const char *node_of(const char *pool)
{
	static char name[80];
	json_t *state = sim_expect(200, "GET", "/_sim/state", NULL);
	snprintf(name, sizeof name, "%s", json_text_at(state, "", "pools", pool, "nodes", "#0", NULL));
	json_decref(state);
	return name;
}

static json_t *fetch(const char *name)
{
	char at[200];
	snprintf(at, sizeof at, "/api/v1/nodes/%s", name);
	return fake_api_get(api, at);
}

static bool is_there(void *name)
{
	json_t *node = fetch(name);
	json_decref(node);
	return node != NULL;
}

static bool is_gone(void *name) { return !is_there(name); }

struct readiness { const char *node, *status; };
static bool has_readiness(void *context)
{
	const struct readiness *want = context;
	json_t *node = fetch(want->node), *c;
	size_t i;
	bool ok = false;
	json_array_foreach(json_at(node, "status", "conditions", NULL), i, c)
		if (strcmp(json_text_at(c, "", "type", NULL), "Ready") == 0)
			ok = strcmp(json_text_at(c, "", "status", NULL), want->status) == 0;
	json_decref(node);
	return ok;
}

static void wait_readiness(const char *node, const char *status) { sim_wait(has_readiness, &(struct readiness){node, status}); }

static char *make(const char *pool, const char *body)
{
	sim_pool_path(pool, path);
	sim_do(201, "PUT", path, body);
	return mem_strdup(node_of(pool));
}

START_TEST(a_node_joins_as_aks_registers_it)
{
	start("{\"kubelet_port\":12345}", (struct simulator_options){0});
	char *name = make("ws1", "{\"properties\":{\"vmSize\":\"Standard_NC48ads_A100_v4\",\"count\":1,\"osDiskSizeGB\":128,\"availabilityZones\":[\"2\"],\"scaleSetPriority\":\"Spot\","
		"\"nodeLabels\":{\"kaito.sh/workspace\":\"w\"},\"nodeTaints\":[\"sku=gpu:NoSchedule\",\"only:NoExecute\"]}}");
	sim_wait(is_there, name);
	json_t *n = fetch(name);
	ck_assert_ptr_nonnull(strstr(json_text_at(n, "", "spec", "providerID", NULL),
		"azure:///subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/MC_kaito-rg_kaito_eastus/providers/Microsoft.Compute/virtualMachineScaleSets/aks-ws1-"));
	ck_assert(str_ends(str_of(json_text_at(n, "", "spec", "providerID", NULL)), STR("-vmss/virtualMachines/0")));
	ck_assert_str_eq(meta_label(n, "agentpool"), "ws1");
	ck_assert_str_eq(meta_label(n, "kubernetes.azure.com/agentpool"), "ws1");
	ck_assert_str_eq(meta_label(n, "kubernetes.azure.com/scalesetpriority"), "spot");
	ck_assert_str_eq(meta_label(n, "kubernetes.azure.com/mode"), "user");
	ck_assert_str_eq(meta_label(n, "kaito.sh/workspace"), "w");
	ck_assert_str_eq(meta_label(n, "node.kubernetes.io/instance-type"), "Standard_NC48ads_A100_v4");
	ck_assert_str_eq(meta_label(n, "topology.kubernetes.io/zone"), "eastus-2");
	ck_assert_str_eq(meta_label(n, "kubernetes.io/hostname"), name);
	ck_assert_str_eq(json_text_at(n, "", "spec", "taints", "#0", "value", NULL), "gpu");
	ck_assert_str_eq(json_text_at(n, "", "spec", "taints", "#1", "effect", NULL), "NoExecute");
	ck_assert_str_eq(json_text_at(n, "", "spec", "taints", "#2", "key", NULL), "kubernetes.azure.com/scalesetpriority");
	ck_assert_str_eq(json_text_at(n, "", "status", "capacity", "nvidia.com/gpu", NULL), "2");
	ck_assert_str_eq(json_text_at(n, "", "status", "allocatable", "nvidia.com/gpu", NULL), "2");
	ck_assert_str_eq(json_text_at(n, "", "status", "capacity", "cpu", NULL), "48");
	ck_assert_int_eq(json_int_at(n, 0, "status", "daemonEndpoints", "kubeletEndpoint", "Port", NULL), 12345);
	json_decref(n);
	wait_readiness(name, "True");
	free(name);
	finish();
}
END_TEST

START_TEST(a_node_joins_before_or_after_the_end_of_the_creation)
{
	start(NULL, (struct simulator_options){.create_ms = 60000, .join_ms = 20000});
	char *none = make("early", SIM_GPU_POOL);
	ck_assert_str_eq(none, "");
	free(none);
	sim_advance(40001);
	sim_wait(is_there, (char[]){"aks-early-88620333-vmss000000"});
	ck_assert_str_eq(sim_pool_state("early"), "Creating");
	sim_settings("{\"join_ms\":-30000}");
	free(make("late", SIM_GPU_POOL));
	sim_advance(60001);
	ck_assert_str_eq(sim_pool_state("late"), "Succeeded");
	ck_assert_str_eq(node_of("late"), "");
	sim_advance(30000);
	sim_wait(is_there, (char[]){"aks-late-88620333-vmss000000"});
	sim_settings("{\"join\":false,\"create_ms\":0}");
	free(make("never", SIM_GPU_POOL));
	ck_assert_str_eq(node_of("never"), "");
	finish();
}
END_TEST

static bool has_gpu(void *name)
{
	json_t *node = fetch(name);
	bool ok = json_text_at(node, NULL, "status", "allocatable", "nvidia.com/gpu", NULL) != NULL;
	json_decref(node);
	return ok;
}

START_TEST(readiness_and_gpus_come_later_when_set_so)
{
	start("{\"ready_ms\":10000,\"device_plugin_ms\":20000}", (struct simulator_options){0});
	char *name = make("ws1", SIM_GPU_POOL);
	sim_wait(is_there, name);
	wait_readiness(name, "False");
	ck_assert(!has_gpu(name));
	sim_advance(10001);
	wait_readiness(name, "True");
	ck_assert(!has_gpu(name));
	sim_advance(10001);
	sim_wait(has_gpu, name);
	free(name);
	finish();
}
END_TEST

START_TEST(a_failed_creation_brings_no_node)
{
	start(NULL, (struct simulator_options){0});
	sim_do(200, "POST", "/_sim/script", "{\"match\":{\"method\":\"PUT\"},\"operation\":{\"code\":\"AllocationFailed\"}}");
	char *name = make("ws1", SIM_GPU_POOL);
	ck_assert_str_eq(name, "");
	free(name);
	sim_do(200, "PUT", path, SIM_GPU_POOL);
	sim_wait(is_there, (char *)(uintptr_t)node_of("ws1"));
	finish();
}
END_TEST

START_TEST(nodes_leave_with_their_pool_and_with_the_count)
{
	start(NULL, (struct simulator_options){0});
	free(make("ws1", "{\"properties\":{\"vmSize\":\"Standard_D2s_v3\",\"count\":3}}"));
	sim_wait(is_there, (char[]){"aks-ws1-88620333-vmss000002"});
	sim_do(200, "PUT", path, "{\"properties\":{\"vmSize\":\"Standard_D2s_v3\",\"count\":1}}");
	sim_wait(is_gone, (char[]){"aks-ws1-88620333-vmss000002"});
	sim_wait(is_gone, (char[]){"aks-ws1-88620333-vmss000001"});
	ck_assert(is_there((char[]){"aks-ws1-88620333-vmss000000"}));
	sim_do(202, "DELETE", path, NULL);
	sim_wait(is_gone, (char[]){"aks-ws1-88620333-vmss000000"});
	finish();
}
END_TEST

START_TEST(a_stopped_cluster_silences_its_nodes_and_a_start_wakes_the_same)
{
	start(NULL, (struct simulator_options){0});
	char *name = make("ws1", SIM_GPU_POOL);
	wait_readiness(name, "True");
	sim_do(200, "PUT", "/_sim/cluster", "{\"powerState\":\"Stopped\"}");
	wait_readiness(name, "Unknown");
	sim_do(200, "PUT", "/_sim/cluster", "{\"powerState\":\"Running\"}");
	wait_readiness(name, "True");
	sim_settings("{\"stop_nodes\":\"remove\"}");
	sim_do(200, "PUT", "/_sim/cluster", "{\"powerState\":\"Stopped\"}");
	sim_wait(is_gone, name);
	sim_do(200, "PUT", "/_sim/cluster", "{\"powerState\":\"Running\"}");
	sim_wait(is_there, name);
	free(name);
	finish();
}
END_TEST

START_TEST(a_node_can_be_made_silent_and_can_vanish)
{
	char at[200];
	start(NULL, (struct simulator_options){0});
	char *name = make("ws1", SIM_GPU_POOL);
	wait_readiness(name, "True");
	snprintf(at, sizeof at, "/_sim/nodes/%s", name);
	sim_do(200, "POST", at, "{\"ready\":\"Unknown\"}");
	ck_assert(has_readiness(&(struct readiness){name, "Unknown"}));
	sim_do(200, "POST", at, "{\"ready\":\"True\"}");
	ck_assert(has_readiness(&(struct readiness){name, "True"}));
	sim_do(400, "POST", at, "{\"ready\":\"Maybe\"}");
	sim_do(400, "POST", at, "{}");
	sim_do(404, "POST", "/_sim/nodes/other", "{\"vanish\":true}");
	sim_do(404, "POST", "/_sim/nodes/aks-none-12345678-vmss000000", "{\"vanish\":true}");
	sim_do(200, "POST", at, "{\"vanish\":true}");
	sim_wait(is_gone, name);
	ck_assert_str_eq(sim_pool_state("ws1"), "Succeeded");
	free(name);
	finish();
}
END_TEST

static bool has_failed(void *unused)
{
	(void)unused;
	json_t *state = sim_expect(200, "GET", "/_sim/state", NULL);
	bool ok = json_int_at(state, 0, "joiner", "failed", NULL) > 0 && json_int_at(state, 1, "joiner", "queued", NULL) == 0;
	json_decref(state);
	return ok;
}

START_TEST(a_refused_join_is_tried_again)
{
	start(NULL, (struct simulator_options){0});
	fake_api_fail(api, "POST", "/nodes", 1, FAKE_ANSWER, 403, NULL);
	char *name = make("ws1", SIM_GPU_POOL);
	sim_wait(has_failed, NULL);
	sim_advance(1000);
	sim_wait(is_there, name);
	free(name);
	finish();
}
END_TEST

static bool has_tried(void *unused)
{
	(void)unused;
	return fake_api_count(api, "POST", "/nodes") > 0;
}

START_TEST(a_name_that_an_old_node_holds_is_waited_for)
{
	start(NULL, (struct simulator_options){0});
	fake_api_put(api, "/api/v1/nodes/aks-ws1-88620333-vmss000000", json_pack("{s:s, s:s, s:{s:s, s:s, s:[s]}}", "apiVersion", "v1", "kind", "Node", "metadata",
		"name", "aks-ws1-88620333-vmss000000", "deletionTimestamp", "2026-01-01T00:00:00Z", "finalizers", "karpenter.sh/termination"));
	char *name = make("ws1", SIM_GPU_POOL);
	sim_wait(has_tried, NULL);
	fake_api_remove(api, "/api/v1/nodes/aks-ws1-88620333-vmss000000");
	sim_advance(1000);
	wait_readiness(name, "True");
	free(name);
	finish();
}
END_TEST

static bool has_beaten(void *times) { return fake_api_count(api, "PATCH", "/leases/") >= (size_t)*(int *)times; }

static bool has_no_lease(void *unused)
{
	(void)unused;
	json_t *lease = fake_api_get(api, "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/aks-ws1-88620333-vmss000000");
	json_decref(lease);
	return !lease;
}

START_TEST(heartbeats_renew_a_lease)
{
	start(NULL, (struct simulator_options){.heartbeat_ms = 10000});
	fake_api_put(api, "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/aks-ws1-88620333-vmss000000",
		     json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "coordination.k8s.io/v1", "kind", "Lease", "metadata", "name", "aks-ws1-88620333-vmss000000", "namespace", "kube-node-lease"));
	char *name = make("ws1", SIM_GPU_POOL);
	sim_wait(has_beaten, (int[]){1});
	sim_advance(10000);
	sim_wait(has_beaten, (int[]){2});
	sim_do(202, "DELETE", path, NULL);
	sim_wait(is_gone, name);
	sim_wait(has_no_lease, NULL);
	free(name);
	finish();
}
END_TEST

static bool was_asked(void *method)
{
	return fake_api_count(api, method, "/api/v1/nodes") > 0;
}

START_TEST(a_stop_waits_for_no_silent_api_server)
{
	start(NULL, (struct simulator_options){0});
	fake_api_fail(api, "POST", "/api/v1/nodes", 100, FAKE_HANG, 0, NULL);
	free(make("p", SIM_GPU_POOL));
	sim_wait(was_asked, "POST");
	int64_t begun = clock_now_ms();
	finish(); /* the request itself would wait for a minute */
	ck_assert_int_lt(clock_now_ms() - begun, 10000);
}
END_TEST

int main(void)
{
	CHECK_RUN("joiner", 60, a_node_joins_as_aks_registers_it, a_node_joins_before_or_after_the_end_of_the_creation, readiness_and_gpus_come_later_when_set_so,
		  a_failed_creation_brings_no_node, nodes_leave_with_their_pool_and_with_the_count, a_stopped_cluster_silences_its_nodes_and_a_start_wakes_the_same,
		  a_node_can_be_made_silent_and_can_vanish, a_refused_join_is_tried_again, a_name_that_an_old_node_holds_is_waited_for, heartbeats_renew_a_lease,
		  a_stop_waits_for_no_silent_api_server);
}

/* test_refusals.c: what the simulated services refuse, with status, code and wording: requests, bodies, conflicts, limits, quotas, budgets;
 * and the four shapes of a refusal. */
#include "simulate/sim_client.h"

#include "base/limits.h"
#include "check_main.h"
#include "kube/meta.h"

static char path[400];

START_TEST(requests_need_a_known_version_and_place)
{
	sim_begin(NULL);
	ck_assert_str_eq(sim_refusal(400, "GET", SIM_POOLS, NULL, NULL), "MissingApiVersionParameter");
	ck_assert_str_eq(sim_refusal(400, "GET", SIM_POOLS "?api-version=latest", NULL, NULL), "NoRegisteredProviderFound");
	ck_assert_str_eq(sim_refusal(404, "GET", "/subscriptions/x/resourceGroups/kaito-rg/providers/Microsoft.ContainerService/managedClusters/kaito/agentPools?" SIM_VERSION, NULL, NULL),
			 "SubscriptionNotFound");
	ck_assert_str_eq(sim_refusal(404, "GET", "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/other/providers/Microsoft.ContainerService/managedClusters/kaito/agentPools?"
				     SIM_VERSION, NULL, NULL), "ResourceGroupNotFound");
	ck_assert_str_eq(sim_refusal(404, "GET", "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/kaito-rg/providers/Microsoft.ContainerService/managedClusters/other/agentPools/a?"
				     SIM_VERSION, NULL, NULL), "ResourceNotFound");
	ck_assert_str_eq(sim_refusal(404, "GET", "/subscriptions/a/b?" SIM_VERSION, NULL, NULL), "InvalidResourceType");
	ck_assert_str_eq(sim_refusal(404, "PATCH", SIM_POOLS "/a?" SIM_VERSION, NULL, "{}"), "InvalidResourceType");
	sim_end();
}
END_TEST

START_TEST(bodies_are_checked_as_the_service_checks_them)
{
	static const struct { const char *properties, *code; } ROWS[] = {
		{"{\"vmSize\":\"Standard_X\"}", "BadRequest"},
		{"{}", "InvalidParameter"},
		{"{\"vmSize\":\"Standard_D2s_v3\",\"count\":1001}", "InvalidParameter"},
		{"{\"vmSize\":\"Standard_D2s_v3\",\"count\":-1}", "InvalidParameter"},
		{"{\"vmSize\":\"Standard_D2s_v3\",\"count\":\"1\"}", "InvalidParameter"},
		{"{\"vmSize\":\"Standard_D2s_v3\",\"osDiskSizeGB\":29}", "InvalidParameter"},
		{"{\"vmSize\":\"Standard_D2s_v3\",\"osDiskSizeGB\":2049}", "InvalidParameter"},
		{"{\"vmSize\":\"Standard_D2s_v3\",\"nodeLabels\":{\"kubernetes.azure.com/mode\":\"x\"}}", "InvalidParameter"},
		{"{\"vmSize\":\"Standard_D2s_v3\",\"nodeLabels\":{\"k8s.io/x\":\"x\"}}", "InvalidParameter"},
		{"{\"vmSize\":\"Standard_D2s_v3\",\"nodeLabels\":{\"a b\":\"x\"}}", "InvalidParameter"},
		{"{\"vmSize\":\"Standard_D2s_v3\",\"nodeLabels\":{\"a\":\"2026-01-01T10:00:00Z\"}}", "InvalidParameter"},
		{"{\"vmSize\":\"Standard_D2s_v3\",\"nodeLabels\":{\"a\":1}}", "InvalidParameter"},
		{"{\"vmSize\":\"Standard_D2s_v3\",\"nodeTaints\":[\"a=b\"]}", "InvalidParameter"},
		{"{\"vmSize\":\"Standard_D2s_v3\",\"nodeTaints\":[\"a=b:Never\"]}", "InvalidParameter"},
		{"{\"vmSize\":\"Standard_D2s_v3\",\"nodeTaints\":[1]}", "InvalidParameter"},
		{"{\"vmSize\":\"Standard_D2s_v3\",\"osSKU\":\"Plan9\"}", "InvalidParameter"},
		{"{\"vmSize\":\"Standard_D2s_v3\",\"availabilityZones\":[\"4\"]}", "AvailabilityZoneNotSupported"},
		{"{\"vmSize\":\"Standard_D2s_v3\",\"scaleSetPriority\":\"Spot\",\"mode\":\"System\"}", "InvalidParameter"},
		{"{\"vmSize\":\"Standard_D2s_v3\",\"scaleSetEvictionPolicy\":\"Delete\"}", "InvalidParameter"},
	};
	char body[400];
	sim_begin(NULL);
	sim_pool_path("ws1", path);
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		snprintf(body, sizeof body, "{\"properties\":%s}", ROWS[i].properties);
		ck_assert_msg(strcmp(sim_refusal(400, "PUT", path, NULL, body), ROWS[i].code) == 0, "%s", body);
	}
	ck_assert_str_eq(sim_refusal(400, "PUT", path, NULL, "{\"name\":\"x\"}"), "InvalidRequestContent");
	ck_assert_str_eq(sim_refusal(400, "PUT", path, NULL, "{\"properties\":"), "InvalidRequestContent");
	ck_assert_str_eq(sim_refusal(400, "PUT", path, "Content-Type: application/json\r\n", NULL), "InvalidRequestContent");
	ck_assert_str_eq(sim_refusal(415, "PUT", path, NULL, NULL), "UnsupportedMediaType");
	sim_do(201, "PUT", path, "{\"properties\":{\"vmSize\":\"standard_d2s_v3\",\"count\":1000,\"osDiskSizeGB\":0,\"nodeTaints\":[\"a:NoExecute\",\"x/y=b:NoSchedule\"],"
	       "\"availabilityZones\":[\"1\"],\"nodeLabels\":{\"node.kubernetes.io/x\":\"\",\"kaito.sh/workspace\":\"a.b_c-d\",\"topology.kubernetes.io/zone\":\"z\"}}}");
	sim_end();
}
END_TEST

START_TEST(pool_names_are_checked)
{
	static const char *const BAD[] = {"Ws1", "1ws", "ws-1", "abcdefghijklm"};
	sim_begin(NULL);
	for (size_t i = 0; i < 4; i++) {
		sim_pool_path(BAD[i], path);
		ck_assert_str_eq(sim_refusal(400, "PUT", path, NULL, SIM_GPU_POOL), "InvalidParameter");
	}
	sim_pool_path("abcdefghijkl", path);
	sim_do(201, "PUT", path, SIM_GPU_POOL);
	sim_end();
}
END_TEST

START_TEST(what_is_fixed_cannot_be_changed)
{
	sim_begin(NULL);
	sim_pool_path("ws1", path);
	sim_do(201, "PUT", path, SIM_GPU_POOL);
	ck_assert_str_eq(sim_refusal(400, "PUT", path, NULL, "{\"properties\":{\"vmSize\":\"Standard_D2s_v3\"}}"), "PropertyChangeNotAllowed");
	ck_assert_str_eq(sim_refusal(400, "PUT", path, NULL, "{\"properties\":{\"osDiskSizeGB\":64}}"), "PropertyChangeNotAllowed");
	sim_do(200, "PUT", path, "{\"properties\":{\"vmSize\":\"Standard_NC24ads_A100_v4\",\"count\":2,\"osDiskSizeGB\":128}}");
	sim_end();
}
END_TEST

static void expect_message(int status, const char *method, const char *part)
{
	struct sim_answer a = sim_ask(method, path, strcmp(method, "PUT") == 0 ? SIM_GPU_POOL : NULL);
	ck_assert_int_eq(a.status, status);
	ck_assert_msg(strstr(a.text, part) != NULL, "%s", a.text);
	ck_assert_str_eq(sim_header(&a, "x-ms-error-code"), "OperationNotAllowed");
	sim_answer_done(&a);
}

START_TEST(an_operation_under_way_refuses_others_in_both_wordings)
{
	sim_begin(&(struct simulator_options){.create_ms = 60000, .delete_ms = 60000});
	sim_pool_path("ws1", path);
	sim_do(201, "PUT", path, SIM_GPU_POOL);
	expect_message(409, "PUT", "Operation is not allowed because there's an in progress create node pool operation");
	expect_message(409, "DELETE", "Operation is not allowed because there's an in progress create node pool operation");
	sim_settings("{\"conflict\":\"another\"}");
	expect_message(409, "PUT", "Another agentpool operation (ws1 - Creating) is in progress, please wait");
	sim_pool_path("ws2", path);
	sim_do(201, "PUT", path, SIM_GPU_POOL);
	sim_settings("{\"serial\":true,\"conflict\":\"in_progress\"}");
	sim_pool_path("ws3", path);
	expect_message(409, "PUT", "in progress create node pool operation");
	sim_advance(60001);
	ck_assert_str_eq(sim_pool_state("ws2"), "Succeeded");
	sim_do(201, "PUT", path, SIM_GPU_POOL);
	sim_end();
}
END_TEST

START_TEST(a_deletion_may_end_a_creation_when_set_so)
{
	sim_begin(&(struct simulator_options){.create_ms = 60000, .delete_ms = 60000});
	sim_settings("{\"delete_preempts\":true}");
	sim_pool_path("ws1", path);
	sim_do(201, "PUT", path, SIM_GPU_POOL);
	sim_do(202, "DELETE", path, NULL);
	ck_assert_str_eq(sim_pool_state("ws1"), "Deleting");
	expect_message(409, "DELETE", "in progress delete node pool operation");
	sim_advance(60001);
	ck_assert_str_eq(sim_pool_state("ws1"), "");
	sim_end();
}
END_TEST

START_TEST(there_is_a_largest_number_of_pools)
{
	sim_begin(&(struct simulator_options){.max_pools = 2});
	sim_pool_path("a", path);
	sim_do(201, "PUT", path, SIM_GPU_POOL);
	sim_pool_path("b", path);
	sim_do(201, "PUT", path, SIM_GPU_POOL);
	sim_pool_path("c", path);
	ck_assert_str_eq(sim_refusal(400, "PUT", path, NULL, SIM_GPU_POOL), "MaxAgentPoolCountReached");
	sim_pool_path("b", path);
	sim_do(200, "PUT", path, SIM_GPU_POOL);
	sim_end();
}
END_TEST

START_TEST(machines_and_bodies_are_bounded)
{
	char name[8];
	sim_begin(&(struct simulator_options){.max_pools = 200});
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "p%d", i);
		sim_pool_path(name, path);
		sim_do(201, "PUT", path, "{\"properties\":{\"vmSize\":\"Standard_D2s_v3\",\"count\":1000}}");
	}
	sim_do(200, "PUT", path, "{\"properties\":{\"vmSize\":\"Standard_D2s_v3\",\"count\":1000}}");
	sim_pool_path("more", path);
	ck_assert_str_eq(sim_refusal(400, "PUT", path, NULL, "{\"properties\":{\"vmSize\":\"Standard_D2s_v3\"}}"), "NodesLimitExceeded");
	sim_do(202, "DELETE", SIM_POOLS "/p0?" SIM_VERSION, NULL);
	sim_do(201, "PUT", path, "{\"properties\":{\"vmSize\":\"Standard_D2s_v3\",\"count\":1000}}");
	char *large = mem_printf("{\"properties\":{\"vmSize\":\"Standard_D2s_v3\",\"x\":\"%0*d\"}}", (int)LIMIT_SIMULATOR_POOL_BYTES, 0);
	ck_assert_str_eq(sim_refusal(413, "PUT", path, NULL, large), "RequestContentTooLarge");
	free(large);
	sim_end();
}
END_TEST

#define USAGES "/subscriptions/00000000-0000-4000-8000-000000000001/providers/Microsoft.Compute/locations/eastus/usages?api-version=2024-07-01"
static json_t *usage(json_t *all, const char *name)
{
	size_t i;
	json_t *row;
	json_array_foreach(json_object_get(all, "value"), i, row)
		if (strcmp(json_text_at(row, "", "name", "value", NULL), name) == 0)
			return row;
	return NULL;
}

START_TEST(cores_are_counted_and_quotas_hold)
{
	sim_begin(NULL);
	sim_settings("{\"quotas\":{\"StandardNCADSA100v4Family\":48,\"cores\":60,\"lowPriorityCores\":0}}");
	sim_pool_path("a", path);
	sim_do(201, "PUT", path, SIM_GPU_POOL);
	sim_pool_path("b", path);
	sim_do(201, "PUT", path, SIM_GPU_POOL);
	json_t *all = sim_expect(200, "GET", USAGES, NULL);
	ck_assert_int_eq(json_int_at(usage(all, "StandardNCADSA100v4Family"), 0, "currentValue", NULL), 48);
	ck_assert_int_eq(json_int_at(usage(all, "StandardNCADSA100v4Family"), 0, "limit", NULL), 48);
	ck_assert_int_eq(json_int_at(usage(all, "cores"), 0, "currentValue", NULL), 48);
	json_decref(all);
	sim_pool_path("c", path);
	ck_assert_str_eq(sim_refusal(400, "PUT", path, NULL, SIM_GPU_POOL), "ErrCode_InsufficientVCPUQuota");
	ck_assert_str_eq(sim_refusal(400, "PUT", path, NULL, "{\"properties\":{\"vmSize\":\"Standard_D16s_v5\"}}"), "ErrCode_InsufficientVCPUQuota");
	ck_assert_str_eq(sim_refusal(400, "PUT", path, NULL, "{\"properties\":{\"vmSize\":\"Standard_D2s_v5\",\"scaleSetPriority\":\"Spot\"}}"), "ErrCode_InsufficientVCPUQuota");
	sim_do(201, "PUT", path, "{\"properties\":{\"vmSize\":\"Standard_D2s_v5\"}}");
	sim_end();
}
END_TEST

START_TEST(the_resource_provider_must_be_registered)
{
	sim_begin(NULL);
	sim_settings("{\"registered\":false}");
	sim_pool_path("a", path);
	ck_assert_str_eq(sim_refusal(409, "PUT", path, NULL, SIM_GPU_POOL), "MissingSubscriptionRegistration");
	sim_do(200, "POST", "/subscriptions/00000000-0000-4000-8000-000000000001/providers/Microsoft.ContainerService/register?api-version=2019-05-01", NULL);
	sim_do(201, "PUT", path, SIM_GPU_POOL);
	sim_end();
}
END_TEST

START_TEST(a_refusal_has_four_shapes)
{
	sim_begin(NULL);
	sim_pool_path("none", path);
	struct sim_answer a = sim_ask("GET", path, NULL);
	ck_assert_str_eq(json_text_at(a.body, "", "error", "code", NULL), "NotFound");
	ck_assert_ptr_nonnull(strstr(a.text, "Agent Pool not found"));
	sim_answer_done(&a);
	sim_settings("{\"error_shape\":\"bare\"}");
	a = sim_ask("GET", path, NULL);
	ck_assert_str_eq(json_text_at(a.body, "", "code", NULL), "NotFound");
	ck_assert(json_is_null(json_object_get(a.body, "details")));
	ck_assert_str_eq(json_text_at(a.body, "-", "subcode", NULL), "");
	sim_answer_done(&a);
	sim_settings("{\"error_shape\":\"empty\"}");
	a = sim_ask("GET", path, NULL);
	ck_assert_int_eq(a.status, 404);
	ck_assert_str_eq(a.text, "");
	ck_assert_str_eq(sim_header(&a, "x-ms-error-code"), "NotFound");
	sim_answer_done(&a);
	sim_settings("{\"error_shape\":\"html\",\"error_header\":false}");
	a = sim_ask("GET", path, NULL);
	ck_assert_ptr_nonnull(strstr(a.text, "<html>"));
	ck_assert_str_eq(sim_header(&a, "x-ms-error-code"), "");
	sim_answer_done(&a);
	sim_end();
}
END_TEST

START_TEST(throttling_refuses_what_a_bucket_does_not_have)
{
	sim_begin(&(struct simulator_options){.throttle = true});
	for (int i = 0; i < 60; i++)
		sim_do(200, "GET", SIM_POOLS "?" SIM_VERSION, NULL);
	int refused = 0, status = 0;
	for (int i = 0; i < 5 && status != 429; i++) { /* a token or two came back meanwhile */
		struct sim_answer a = sim_ask("GET", SIM_POOLS "?" SIM_VERSION, NULL);
		status = a.status;
		refused += status == 429 && strcmp(sim_header(&a, "Retry-After"), "1") == 0;
		sim_answer_done(&a);
	}
	ck_assert_int_eq(refused, 1);
	json_t *state = sim_expect(200, "GET", "/_sim/state", NULL);
	ck_assert_int_ge(json_int_at(state, 0, "budget", "aks_pools", "overruns", NULL), 1);
	ck_assert_int_ge(json_int_at(state, 0, "calls", "throttled", NULL), 1);
	json_decref(state);
	sim_advance(1000);
	sim_do(200, "GET", SIM_POOLS "?" SIM_VERSION, NULL);
	sim_end();
}
END_TEST

int main(void)
{
	CHECK_RUN("refusals", 60, requests_need_a_known_version_and_place, bodies_are_checked_as_the_service_checks_them, pool_names_are_checked, what_is_fixed_cannot_be_changed,
		  an_operation_under_way_refuses_others_in_both_wordings, a_deletion_may_end_a_creation_when_set_so, there_is_a_largest_number_of_pools, machines_and_bodies_are_bounded,
		  cores_are_counted_and_quotas_hold, the_resource_provider_must_be_registered, a_refusal_has_four_shapes, throttling_refuses_what_a_bucket_does_not_have);
}

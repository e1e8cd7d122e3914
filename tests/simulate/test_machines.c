/* test_machines.c: machines of a pool in mode Machines: made, shown, listed in pages, refused and deleted together. */
#include "simulate/sim_client.h"

#include "check_main.h"
#include "codec/json.h"
#include "kube/meta.h"

#define HOLDER SIM_POOLS "/kaitomach?" SIM_VERSION
#define MACHINES SIM_POOLS "/kaitomach/machines"
#define DELETE_MACHINES SIM_POOLS "/kaitomach/deleteMachines?" SIM_VERSION
#define SMALL "{\"zones\":[\"2\"],\"properties\":{\"hardware\":{\"vmSize\":\"Standard_D2s_v3\"},\"tags\":{\"a\":\"b\"}}}"

static void open_holder(void)
{
	sim_begin(NULL);
	sim_do(201, "PUT", HOLDER, "{\"properties\":{\"mode\":\"Machines\"}}");
}

static const char *machine(const char *name)
{
	static char path[500];
	snprintf(path, sizeof path, MACHINES "/%s?" SIM_VERSION, name);
	return path;
}

START_TEST(a_machine_is_made_shown_and_deleted)
{
	open_holder();
	sim_settings("{\"create_ms\":1000,\"delete_ms\":1000}");
	sim_do(201, "PUT", machine("ws1"), SMALL);
	CLEANUP(json_decrefp) json_t *made = sim_expect(200, "GET", machine("ws1"), NULL);
	const char *vm = json_text_at(made, "", "properties", "resourceId", NULL);
	ck_assert_str_eq(json_text_at(made, "", "properties", "provisioningState", NULL), "Creating");
	ck_assert_ptr_nonnull(strstr(vm, "/virtualMachines/aks-kaitomach-ws1-"));
	ck_assert_str_eq(vm + strlen(vm) - 3, "-vm");
	ck_assert(json_text_at(made, "", "properties", "status", "creationTimestamp", NULL)[0]);
	ck_assert_str_eq(sim_refusal(409, "POST", DELETE_MACHINES, NULL, "{\"machineNames\":[\"ws1\"]}"), "OperationNotAllowed");
	sim_advance(1001);
	CLEANUP(json_decrefp) json_t *ready = sim_expect(200, "GET", machine("ws1"), NULL);
	ck_assert_str_eq(json_text_at(ready, "", "properties", "provisioningState", NULL), "Succeeded");
	sim_do(202, "POST", DELETE_MACHINES, "{\"machineNames\":[\"ws1\"]}");
	CLEANUP(json_decrefp) json_t *going = sim_expect(200, "GET", machine("ws1"), NULL);
	ck_assert_str_eq(json_text_at(going, "", "properties", "provisioningState", NULL), "Deleting");
	sim_advance(1001);
	ck_assert_str_eq(sim_refusal(404, "GET", machine("ws1"), NULL, NULL), "NotFound");
	sim_do(200, "GET", HOLDER, NULL);
	sim_end();
}
END_TEST

START_TEST(what_is_wrong_is_refused)
{
	open_holder();
	sim_do(201, "PUT", SIM_POOLS "/plain?" SIM_VERSION, SIM_GPU_POOL);
	ck_assert_str_eq(sim_refusal(400, "PUT", SIM_POOLS "/plain/machines/ws1?" SIM_VERSION, NULL, SMALL), "OperationNotAllowed");
	ck_assert_str_eq(sim_refusal(404, "PUT", SIM_POOLS "/none/machines/ws1?" SIM_VERSION, NULL, SMALL), "NotFound");
	ck_assert_str_eq(sim_refusal(400, "PUT", machine("1ws"), NULL, SMALL), "InvalidParameter");
	ck_assert_str_eq(sim_refusal(400, "PUT", machine("a2345678901234567890123456789012345"), NULL, SMALL), "InvalidParameter");
	ck_assert_str_eq(sim_refusal(400, "PUT", machine("ws1"), NULL, "{}"), "InvalidRequestContent");
	ck_assert_str_eq(sim_refusal(400, "PUT", machine("ws1"), NULL, "{\"properties\":{\"hardware\":{\"vmSize\":\"Standard_X\"}}}"), "BadRequest");
	sim_do(201, "PUT", machine("ws1"), SMALL);
	ck_assert_str_eq(sim_refusal(412, "PUT", machine("ws1"), "If-None-Match: *\r\n", SMALL), "PreconditionFailed");
	ck_assert_str_eq(sim_refusal(400, "PUT", machine("ws1"), NULL, "{\"properties\":{\"hardware\":{\"vmSize\":\"Standard_D4s_v3\"}}}"), "OperationNotAllowed");
	ck_assert_str_eq(sim_refusal(400, "POST", DELETE_MACHINES, NULL, "{\"machineNames\":[]}"), "InvalidParameter");
	ck_assert_str_eq(sim_refusal(400, "POST", DELETE_MACHINES, NULL, "{\"machineNames\":[\"ws1\",\"none\"]}"), "InvalidParameter");
	sim_do(200, "GET", machine("ws1"), NULL); /* nothing of a refused request was done */
	sim_end();
}
END_TEST

START_TEST(lists_are_apart_and_in_pages)
{
	open_holder();
	for (int i = 0; i < 3; i++) {
		char name[8];
		snprintf(name, sizeof name, "m%d", i);
		sim_do(201, "PUT", machine(name), SMALL);
	}
	sim_settings("{\"page_size\":2,\"max_pools\":2}");
	CLEANUP(json_decrefp) json_t *pools = sim_expect(200, "GET", SIM_POOLS "?" SIM_VERSION, NULL), *first = sim_expect(200, "GET", MACHINES "?" SIM_VERSION, NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(pools, "value")), 1);
	ck_assert_uint_eq(json_array_size(json_object_get(first, "value")), 2);
	CLEANUP(json_decrefp) json_t *second = sim_expect(200, "GET", sim_path_of(json_text_at(first, "", "nextLink", NULL)), NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(second, "value")), 1);
	ck_assert_str_eq(json_text_at(second, "", "value", "#0", "name", NULL), "m2");
	sim_do(201, "PUT", SIM_POOLS "/plain?" SIM_VERSION, SIM_GPU_POOL); /* machines are no pools */
	ck_assert_str_eq(sim_refusal(400, "PUT", SIM_POOLS "/more?" SIM_VERSION, NULL, SIM_GPU_POOL), "MaxAgentPoolCountReached");
	sim_do(202, "POST", DELETE_MACHINES, "{\"machineNames\":[\"m0\",\"m2\",\"m0\"]}");
	CLEANUP(json_decrefp) json_t *left = sim_expect(200, "GET", MACHINES "?" SIM_VERSION, NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(left, "value")), 1);
	sim_do(202, "DELETE", HOLDER, NULL);
	ck_assert_str_eq(sim_refusal(404, "GET", machine("m1"), NULL, NULL), "NotFound");
	sim_end();
}
END_TEST

START_TEST(a_failure_is_told_by_the_machine)
{
	open_holder();
	sim_do(200, "POST", "/_sim/script", "[{\"match\":{\"method\":\"PUT\",\"path\":\"/machines/poor$\"},\"operation\":{\"code\":\"QuotaExceeded\",\"message\":\"too many\"}}]");
	sim_do(201, "PUT", machine("poor"), SMALL);
	CLEANUP(json_decrefp) json_t *failed = sim_expect(200, "GET", machine("poor"), NULL);
	ck_assert_str_eq(json_text_at(failed, "", "properties", "provisioningState", NULL), "Failed");
	ck_assert_str_eq(json_text_at(failed, "", "properties", "status", "provisioningError", "code", NULL), "QuotaExceeded");
	sim_end();
}
END_TEST

int main(void)
{
	CHECK_RUN("machines", 60, a_machine_is_made_shown_and_deleted, what_is_wrong_is_refused, lists_are_apart_and_in_pages, a_failure_is_told_by_the_machine);
}

/* test_operations.c: long-running operations as ARM tells of them: each style from the first answer to the end, failures, aborts. */
#include "simulate/sim_client.h"

#include "check_main.h"
#include "kube/meta.h"

static char path[400];

START_TEST(the_first_answer_of_each_style_says_how_to_ask_on)
{
	static const struct { const char *lro, *header, *other; } ROWS[] = {
		{"async", "Azure-AsyncOperation", "Location"}, {"operation_location", "Operation-Location", "Azure-AsyncOperation"}, {"location", "Location", "Azure-AsyncOperation"},
	};
	sim_begin(&(struct simulator_options){.create_ms = 60000, .delete_ms = 60000});
	for (size_t i = 0; i < 3; i++) {
		char setting[64], name[8];
		snprintf(setting, sizeof setting, "{\"lro\":\"%s\",\"retry_after_ms\":7000}", ROWS[i].lro);
		snprintf(name, sizeof name, "p%zu", i);
		sim_settings(setting);
		sim_pool_path(name, path);
		struct sim_answer a = sim_ask("PUT", path, SIM_GPU_POOL);
		ck_assert_int_eq(a.status, 201);
		ck_assert_str_ne(sim_header(&a, ROWS[i].header), "");
		ck_assert_str_eq(sim_header(&a, ROWS[i].other), "");
		ck_assert_str_eq(sim_header(&a, "Retry-After"), "7");
		sim_answer_done(&a);
	}
	sim_settings("{\"lro\":\"body\"}");
	sim_pool_path("p9", path);
	struct sim_answer a = sim_ask("PUT", path, SIM_GPU_POOL);
	ck_assert_str_eq(sim_header(&a, "Location"), "");
	ck_assert_str_eq(sim_header(&a, "Azure-AsyncOperation"), "");
	ck_assert_str_eq(json_text_at(a.body, "", "properties", "provisioningState", NULL), "Creating");
	sim_answer_done(&a);
	sim_end();
}
END_TEST

/* PUTs a pool and gives the URL in `header`. */
static char *begin(const char *name, const char *header)
{
	sim_pool_path(name, path);
	struct sim_answer a = sim_ask("PUT", path, SIM_GPU_POOL);
	ck_assert_int_eq(a.status, 201);
	char *url = mem_strdup(sim_path_of(sim_header(&a, header)));
	sim_answer_done(&a);
	return url;
}

START_TEST(an_async_operation_runs_and_succeeds)
{
	sim_begin(&(struct simulator_options){.create_ms = 60000});
	char *url = begin("ws1", "Azure-AsyncOperation");
	json_t *o = sim_expect(200, "GET", url, NULL);
	ck_assert_str_eq(json_text_at(o, "", "status", NULL), "InProgress");
	ck_assert_ptr_nonnull(json_object_get(o, "startTime"));
	ck_assert_ptr_null(json_object_get(o, "endTime"));
	json_decref(o);
	sim_advance(59000);
	ck_assert_str_eq(sim_pool_state("ws1"), "Creating");
	sim_advance(1001);
	ck_assert_str_eq(sim_pool_state("ws1"), "Succeeded");
	o = sim_expect(200, "GET", url, NULL);
	ck_assert_str_eq(json_text_at(o, "", "status", NULL), "Succeeded");
	ck_assert_ptr_nonnull(json_object_get(o, "endTime"));
	json_decref(o);
	free(url);
	ck_assert_str_eq(sim_refusal(404, "GET", SIM_LOCATION "/operations/11111111-1111-4111-8111-111111111111?" SIM_VERSION, NULL, NULL), "NotFound");
	sim_end();
}
END_TEST

START_TEST(a_location_answers_202_until_the_pool_is_there)
{
	sim_begin(&(struct simulator_options){.create_ms = 60000, .lro = "location"});
	char *url = begin("ws1", "Location");
	struct sim_answer a = sim_ask("GET", url, NULL);
	ck_assert_int_eq(a.status, 202);
	char *next = mem_strdup(sim_path_of(sim_header(&a, "Location")));
	sim_answer_done(&a);
	sim_advance(60001);
	ck_assert_str_eq(sim_pool_state("ws1"), "Succeeded");
	json_t *pool = sim_expect(200, "GET", next, NULL);
	ck_assert_str_eq(json_text_at(pool, "", "name", NULL), "ws1");
	json_decref(pool);
	free(next);
	free(url);
	sim_end();
}
END_TEST

START_TEST(a_deletion_takes_its_time_and_its_location_ends_with_204)
{
	sim_begin(&(struct simulator_options){.delete_ms = 60000, .lro = "body"});
	sim_pool_path("ws1", path);
	sim_do(201, "PUT", path, SIM_GPU_POOL);
	struct sim_answer a = sim_ask("DELETE", path, NULL);
	ck_assert_int_eq(a.status, 202);
	char *url = mem_strdup(sim_path_of(sim_header(&a, "Location")));
	sim_answer_done(&a);
	ck_assert_str_eq(sim_pool_state("ws1"), "Deleting");
	sim_do(202, "GET", url, NULL);
	sim_advance(60001);
	ck_assert_str_eq(sim_pool_state("ws1"), "");
	sim_do(204, "GET", url, NULL);
	free(url);
	sim_end();
}
END_TEST

START_TEST(a_scripted_operation_fails_with_its_details)
{
	sim_begin(NULL);
	sim_do(200, "POST", "/_sim/script", "[{\"match\":{\"method\":\"PUT\",\"path\":\"/agentPools/ws1$\"},\"operation\":{\"code\":\"ReconcileVMSSAgentPoolFailed\",\"message\":\"outer\","
	       "\"details\":[{\"code\":\"AllocationFailed\",\"message\":\"inner\"}],\"innererror\":{\"code\":\"Deep\"}}}]");
	char *url = begin("ws1", "Azure-AsyncOperation");
	json_t *o = sim_expect(200, "GET", url, NULL);
	ck_assert_str_eq(json_text_at(o, "", "status", NULL), "Failed");
	ck_assert_str_eq(json_text_at(o, "", "error", "code", NULL), "ReconcileVMSSAgentPoolFailed");
	ck_assert_str_eq(json_text_at(o, "", "error", "details", "#0", "code", NULL), "AllocationFailed");
	ck_assert_str_eq(json_text_at(o, "", "error", "innererror", "code", NULL), "Deep");
	json_decref(o);
	free(url);
	ck_assert_str_eq(sim_pool_state("ws1"), "Failed");
	sim_pool_path("ws1", path);
	json_t *again = sim_expect(200, "PUT", path, SIM_GPU_POOL); /* the script is used up */
	ck_assert_str_eq(json_text_at(again, "", "properties", "provisioningState", NULL), "Updating");
	json_decref(again);
	ck_assert_str_eq(sim_pool_state("ws1"), "Succeeded");
	sim_end();
}
END_TEST

START_TEST(a_failed_pool_says_why_when_set_so)
{
	sim_begin(&(struct simulator_options){.lro = "body"});
	sim_settings("{\"provisioning_error\":true}");
	sim_do(200, "POST", "/_sim/script", "{\"match\":{\"method\":\"PUT\"},\"operation\":{\"code\":\"AllocationFailed\"}}");
	sim_pool_path("ws1", path);
	sim_do(201, "PUT", path, SIM_GPU_POOL);
	json_t *pool = sim_expect(200, "GET", path, NULL);
	ck_assert_str_eq(json_text_at(pool, "", "properties", "provisioningState", NULL), "Failed");
	ck_assert_str_eq(json_text_at(pool, "", "properties", "status", "provisioningError", "code", NULL), "AllocationFailed");
	json_decref(pool);
	sim_do(200, "PUT", path, SIM_GPU_POOL);
	pool = sim_expect(200, "GET", path, NULL);
	ck_assert_str_eq(json_text_at(pool, "", "properties", "provisioningState", NULL), "Succeeded");
	ck_assert_ptr_null(json_at(pool, "properties", "status", NULL));
	json_decref(pool);
	sim_end();
}
END_TEST

START_TEST(a_deletion_can_fail_and_leaves_the_pool)
{
	sim_begin(NULL);
	sim_pool_path("ws1", path);
	sim_do(201, "PUT", path, SIM_GPU_POOL);
	sim_do(200, "POST", "/_sim/script", "{\"match\":{\"method\":\"DELETE\"},\"operation\":{\"code\":\"NicReservedForAnotherVm\"}}");
	struct sim_answer a = sim_ask("DELETE", path, NULL);
	ck_assert_int_eq(a.status, 202);
	json_t *o = sim_expect(200, "GET", sim_path_of(sim_header(&a, "Azure-AsyncOperation")), NULL);
	ck_assert_str_eq(json_text_at(o, "", "error", "code", NULL), "NicReservedForAnotherVm");
	json_decref(o);
	sim_answer_done(&a);
	ck_assert_str_eq(sim_pool_state("ws1"), "Failed");
	sim_do(202, "DELETE", path, NULL);
	ck_assert_str_eq(sim_pool_state("ws1"), "");
	sim_end();
}
END_TEST

START_TEST(a_failed_operation_fails_at_its_location_too)
{
	sim_begin(&(struct simulator_options){.lro = "location"});
	sim_do(200, "POST", "/_sim/script", "{\"match\":{\"method\":\"PUT\"},\"operation\":{\"code\":\"QuotaExceeded\",\"details\":[{\"code\":\"X\"}]}}");
	char *url = begin("ws1", "Location");
	struct sim_answer a = sim_ask("GET", url, NULL);
	ck_assert_int_eq(a.status, 409);
	ck_assert_str_eq(json_text_at(a.body, "", "error", "code", NULL), "QuotaExceeded");
	ck_assert_str_eq(json_text_at(a.body, "", "error", "details", "#0", "code", NULL), "X");
	ck_assert_str_eq(sim_header(&a, "x-ms-error-code"), "QuotaExceeded");
	sim_answer_done(&a);
	free(url);
	sim_end();
}
END_TEST

START_TEST(an_abort_cancels_a_creation)
{
	sim_begin(&(struct simulator_options){.create_ms = 60000});
	char *url = begin("ws1", "Azure-AsyncOperation");
	sim_do(202, "POST", SIM_POOLS "/ws1/abort?" SIM_VERSION, "{}");
	json_t *o = sim_expect(200, "GET", url, NULL);
	ck_assert_str_eq(json_text_at(o, "", "status", NULL), "Canceled");
	json_decref(o);
	free(url);
	ck_assert_str_eq(sim_pool_state("ws1"), "Canceled");
	sim_do(204, "POST", SIM_POOLS "/ws1/abort?" SIM_VERSION, "{}");
	sim_do(404, "POST", SIM_POOLS "/none/abort?" SIM_VERSION, "{}");
	sim_end();
}
END_TEST

int main(void)
{
	CHECK_RUN("operations", 60, the_first_answer_of_each_style_says_how_to_ask_on, an_async_operation_runs_and_succeeds,
		  a_location_answers_202_until_the_pool_is_there, a_deletion_takes_its_time_and_its_location_ends_with_204, a_scripted_operation_fails_with_its_details,
		  a_failed_pool_says_why_when_set_so, a_deletion_can_fail_and_leaves_the_pool, a_failed_operation_fails_at_its_location_too, an_abort_cancels_a_creation);
}

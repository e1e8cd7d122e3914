/* test_operation.c: the three styles of long-running operations: which one a first answer begins, what each poll means, and that an operation
 * survives as JSON while foreign text does not pass for one. */
#include "azure/operation.h"
#include "base/limits.h"
#include "check_main.h"
#include "codec/json.h"

#define ARM "https://management.azure.com"
#define POOL "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/c/agentPools/ws1"
#define ASYNC ARM "/subscriptions/s/providers/Microsoft.ContainerService/locations/eastus/operations/1?api-version=2016-03-30&t=1&c=secret"
#define LOCATION ARM "/subscriptions/s/providers/Microsoft.ContainerService/locations/eastus/operationresults/1?api-version=2016-03-30"

static struct operation op;
static struct arm_error failure;
static enum operation_state state;
static struct err err;

/* What an answer carries; the rest is as arm_send leaves it. */
struct given { int status; const char *body, *async, *operation, *location; int64_t retry_ms; };

static struct arm_answer answer(struct given g)
{
	struct arm_answer a = {.status = g.status, .retry_after_ms = g.retry_ms ? g.retry_ms : -1};
	struct err e = ERR_INIT;
	if (g.body && json_parse(&a.body, str_of(g.body), "body", &e) < 0)
		ck_abort_msg("%s", e.message);
	a.async_url = g.async ? mem_strdup(g.async) : NULL;
	a.operation_url = g.operation ? mem_strdup(g.operation) : NULL;
	a.location = g.location ? mem_strdup(g.location) : NULL;
	if (g.status >= 400)
		arm_error_read(&a.error, g.status, NULL, str_of(g.body ? g.body : ""));
	return a;
}

static void drop(struct arm_answer *a)
{
	json_decref(a->body);
	free(a->async_url);
	free(a->operation_url);
	free(a->location);
	arm_error_done(&a->error);
}

static int begin(const char *method, struct given g)
{
	struct arm_answer a = answer(g);
	operation_done(&op);
	err = ERR_INIT;
	int result = operation_begin(&op, method, POOL, &a, &state, &err);
	drop(&a);
	return result;
}

static int feed(struct given g)
{
	struct arm_answer a = answer(g);
	arm_error_done(&failure);
	failure = (struct arm_error){0};
	err = ERR_INIT;
	int result = operation_feed(&op, &a, &state, &failure, &err);
	drop(&a);
	return result;
}

#define STATE(word) "{\"name\":\"ws1\",\"properties\":{\"provisioningState\":\"" word "\"}}"
#define STATUS(word) "{\"name\":\"1\",\"status\":\"" word "\",\"startTime\":\"2026-11-24T08:00:00Z\"}"

START_TEST(first_answers_choose_the_style)
{
	static const struct { const char *method; struct given g; enum operation_style style; enum operation_state state; const char *url; } BEGINS[] = {
		{"PUT", {201, STATE("Creating"), ASYNC, ARM "/op", LOCATION, 0}, OPERATION_ASYNC, OPERATION_RUNNING, ASYNC},
		{"PUT", {201, STATE("Creating"), NULL, ARM "/op", LOCATION, 0}, OPERATION_ASYNC, OPERATION_RUNNING, ARM "/op"},
		{"PUT", {201, STATE("Creating"), NULL, NULL, LOCATION, 0}, OPERATION_LOCATION, OPERATION_RUNNING, LOCATION},
		{"PUT", {201, STATE("Creating"), NULL, NULL, NULL, 0}, OPERATION_BODY, OPERATION_RUNNING, POOL},
		{"PUT", {200, STATE("Updating"), NULL, NULL, NULL, 0}, OPERATION_BODY, OPERATION_RUNNING, POOL},
		{"PATCH", {200, STATE("Updating"), NULL, NULL, NULL, 0}, OPERATION_BODY, OPERATION_RUNNING, POOL},
		{"PUT", {201, "{}", NULL, NULL, NULL, 0}, OPERATION_BODY, OPERATION_RUNNING, POOL},
		{"PUT", {201, NULL, NULL, NULL, NULL, 0}, OPERATION_BODY, OPERATION_RUNNING, POOL},
		{"PUT", {202, NULL, NULL, NULL, NULL, 0}, OPERATION_BODY, OPERATION_RUNNING, POOL},
		{"PUT", {200, "{}", NULL, NULL, NULL, 0}, OPERATION_NONE, OPERATION_SUCCEEDED, NULL},
		{"PUT", {204, NULL, NULL, NULL, NULL, 0}, OPERATION_NONE, OPERATION_SUCCEEDED, NULL},
		{"PUT", {200, STATE("Succeeded"), NULL, NULL, NULL, 0}, OPERATION_NONE, OPERATION_SUCCEEDED, NULL},
		{"PUT", {200, STATE("Failed"), NULL, NULL, NULL, 0}, OPERATION_NONE, OPERATION_FAILED, NULL},
		{"PUT", {200, STATE("Cancelled"), NULL, NULL, NULL, 0}, OPERATION_NONE, OPERATION_CANCELED, NULL},
		{"PUT", {200, STATE("Succeeded"), ASYNC, NULL, NULL, 0}, OPERATION_NONE, OPERATION_SUCCEEDED, NULL}, /* done at once: no question needed */
		{"DELETE", {202, NULL, ASYNC, NULL, LOCATION, 0}, OPERATION_ASYNC, OPERATION_RUNNING, ASYNC},
		{"DELETE", {202, NULL, NULL, NULL, LOCATION, 0}, OPERATION_LOCATION, OPERATION_RUNNING, LOCATION},
		{"DELETE", {202, STATE("Succeeded"), ASYNC, NULL, NULL, 0}, OPERATION_ASYNC, OPERATION_RUNNING, ASYNC}, /* the pool's state, not the deletion's */
		{"DELETE", {204, NULL, NULL, NULL, NULL, 0}, OPERATION_NONE, OPERATION_SUCCEEDED, NULL},
		{"DELETE", {200, NULL, NULL, NULL, NULL, 0}, OPERATION_NONE, OPERATION_SUCCEEDED, NULL},
		{"POST", {204, NULL, NULL, NULL, NULL, 0}, OPERATION_NONE, OPERATION_SUCCEEDED, NULL},
	};
	for (size_t i = 0; i < sizeof BEGINS / sizeof BEGINS[0]; i++) {
		ck_assert_msg(begin(BEGINS[i].method, BEGINS[i].g) == 0, "%zu: %s", i, err.message);
		ck_assert_msg(op.style == BEGINS[i].style && state == BEGINS[i].state, "%zu: style %d, state %d", i, (int)op.style, (int)state);
		ck_assert_str_eq(op.method, BEGINS[i].method);
		ck_assert_str_eq(op.resource, POOL);
		if (BEGINS[i].url)
			ck_assert_str_eq(op.url, BEGINS[i].url);
	}
}
END_TEST

START_TEST(answers_that_begin_nothing_are_errors)
{
	static const struct { const char *method; struct given g; } BAD[] = {
		{"DELETE", {202, NULL, NULL, NULL, NULL, 0}}, {"POST", {202, "{}", NULL, NULL, NULL, 0}}, {"PUT", {409, "{}", ASYNC, NULL, NULL, 0}}, {"DELETE", {302, NULL, NULL, NULL, LOCATION, 0}},
	};
	operation_done(&op);
	for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
		ck_assert_int_eq(begin(BAD[i].method, BAD[i].g), -1);
		ck_assert_int_eq(err.kind, ERR_PROTOCOL);
		ck_assert_ptr_null(op.url);
	}
}
END_TEST

START_TEST(an_address_too_long_to_store_is_not_used)
{
	char url[LIMIT_ARM_URL_BYTES + 2];
	memset(url, 'x', sizeof url);
	memcpy(url, ARM "/", sizeof ARM);
	url[LIMIT_ARM_URL_BYTES] = 0;
	ck_assert_int_eq(begin("PUT", (struct given){201, STATE("Creating"), url, NULL, NULL, 0}), 0);
	ck_assert_int_eq(op.style, OPERATION_ASYNC);
	url[LIMIT_ARM_URL_BYTES] = 'x';
	url[LIMIT_ARM_URL_BYTES + 1] = 0;
	ck_assert_int_eq(begin("PUT", (struct given){201, STATE("Creating"), url, NULL, NULL, 0}), 0);
	ck_assert_int_eq(op.style, OPERATION_BODY);
	ck_assert_int_eq(begin("DELETE", (struct given){202, NULL, url, NULL, NULL, 0}), -1);
}
END_TEST

START_TEST(delays_are_those_of_the_last_answer)
{
	ck_assert_int_eq(begin("PUT", (struct given){201, NULL, ASYNC, NULL, NULL, 7000}), 0);
	ck_assert_int_eq(op.delay_ms, 7000);
	ck_assert_int_eq(feed((struct given){200, STATUS("InProgress"), NULL, NULL, NULL, 1500}), 0);
	ck_assert_int_eq(op.delay_ms, 1500);
	ck_assert_int_eq(feed((struct given){200, STATUS("InProgress"), NULL, NULL, NULL, 0}), 0);
	ck_assert_int_eq(op.delay_ms, OPERATION_POLL_MS);
	ck_assert_int_eq(feed((struct given){429, NULL, NULL, NULL, NULL, 90000}), 0);
	ck_assert_int_eq(op.delay_ms, 90000);
	ck_assert_int_eq(feed((struct given){503, NULL, NULL, NULL, NULL, 86400000}), 0);
	ck_assert_int_eq(op.delay_ms, 600000); /* looked at sooner */
	ck_assert_int_eq(begin("PUT", (struct given){201, NULL, ASYNC, NULL, NULL, 0}), 0);
	ck_assert_int_eq(op.delay_ms, OPERATION_POLL_MS);
}
END_TEST

START_TEST(async_is_told_by_the_status_word)
{
	static const struct { const char *word; enum operation_state state; } WORDS[] = {
		{"InProgress", OPERATION_RUNNING}, {"Creating", OPERATION_RUNNING}, {"Accepted", OPERATION_RUNNING}, {"Whatever", OPERATION_RUNNING}, {"Succeeded", OPERATION_SUCCEEDED},
		{"succeeded", OPERATION_SUCCEEDED}, {"Completed", OPERATION_SUCCEEDED}, {"Failed", OPERATION_FAILED}, {"FAILED", OPERATION_FAILED}, {"Canceled", OPERATION_CANCELED},
		{"Cancelled", OPERATION_CANCELED},
	};
	ck_assert_int_eq(begin("PUT", (struct given){201, NULL, ASYNC, NULL, NULL, 0}), 0);
	for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++)
		for (int status = 200; status <= 202; status++) {
			CLEANUP(mem_freep) char *body = mem_printf("{\"status\":\"%s\"}", WORDS[i].word);
			ck_assert_int_eq(feed((struct given){status, body, NULL, NULL, NULL, 0}), 0);
			ck_assert_msg(state == WORDS[i].state, "%s", WORDS[i].word);
			bool bad = state == OPERATION_FAILED || state == OPERATION_CANCELED;
			ck_assert(bad == (failure.code[0] != 0));
		}
	ck_assert_str_eq(op.url, ASYNC);
}
END_TEST

START_TEST(async_failure_with_200_carries_its_error)
{
	ck_assert_int_eq(begin("PUT", (struct given){201, NULL, ASYNC, NULL, NULL, 0}), 0);
	ck_assert_int_eq(feed((struct given){200,
		"{\"name\":\"1\",\"status\":\"Failed\",\"error\":{\"code\":\"ReconcileVMSSAgentPoolFailed\",\"message\":\"m\",\"details\":[{\"code\":\"AllocationFailed\",\"message\":\"full\"}]}}",
		NULL, NULL, NULL, 0}), 0);
	ck_assert_int_eq(state, OPERATION_FAILED);
	ck_assert_str_eq(failure.code, "ReconcileVMSSAgentPoolFailed");
	ck_assert_int_eq(failure.status, 0);
	char text[200];
	arm_error_text(&failure, text, sizeof text);
	ck_assert(strstr(text, "AllocationFailed: full"));
	ck_assert_int_eq(feed((struct given){200, STATUS("Canceled"), NULL, NULL, NULL, 0}), 0);
	ck_assert_int_eq(state, OPERATION_CANCELED);
	ck_assert(strstr(failure.message, "Canceled"));
	ck_assert_int_eq(feed((struct given){200, "{\"status\":\"Failed\",\"error\":null}", NULL, NULL, NULL, 0}), 0);
	ck_assert_int_eq(state, OPERATION_FAILED);
}
END_TEST

START_TEST(answers_of_no_style_send_the_caller_to_the_resource)
{
	static const struct given ODD[] = {
		{200, "{}", NULL, NULL, NULL, 0}, {200, NULL, NULL, NULL, NULL, 0}, {204, NULL, NULL, NULL, NULL, 0}, {200, "{\"status\":7}", NULL, NULL, NULL, 0}, {200, "[]", NULL, NULL, NULL, 0},
		{404, NULL, NULL, NULL, NULL, 0}, {400, "{}", NULL, NULL, NULL, 0}, {302, NULL, NULL, NULL, LOCATION, 0},
	};
	for (size_t i = 0; i < sizeof ODD / sizeof ODD[0]; i++) {
		ck_assert_int_eq(begin("PUT", (struct given){201, NULL, ASYNC, NULL, NULL, 0}), 0);
		ck_assert_msg(feed(ODD[i]) == -1 && err.kind == ERR_PROTOCOL, "%zu", i);
	}
	ck_assert_int_eq(begin("DELETE", (struct given){202, NULL, NULL, NULL, LOCATION, 0}), 0);
	ck_assert_int_eq(feed((struct given){404, NULL, NULL, NULL, NULL, 0}), -1);
	ck_assert_int_eq(err.kind, ERR_PROTOCOL);
	ck_assert_int_eq(begin("PUT", (struct given){200, "{}", NULL, NULL, NULL, 0}), 0);
	ck_assert_int_eq(feed((struct given){200, STATUS("Succeeded"), NULL, NULL, NULL, 0}), -1); /* nothing was running */
}
END_TEST

START_TEST(refusals_and_trouble_end_no_operation)
{
	static const struct given BEGINS[] = {{201, NULL, ASYNC, NULL, NULL, 0}, {201, NULL, NULL, NULL, LOCATION, 0}, {201, NULL, NULL, NULL, NULL, 0}};
	static const int PASSING[] = {408, 429, 500, 502, 503, 504};
	for (size_t b = 0; b < 3; b++) {
		ck_assert_int_eq(begin("PUT", BEGINS[b]), 0);
		for (size_t i = 0; i < sizeof PASSING / sizeof PASSING[0]; i++) {
			state = OPERATION_FAILED;
			ck_assert_int_eq(feed((struct given){PASSING[i], "{\"status\":\"Failed\"}", NULL, NULL, NULL, 0}), 0);
			ck_assert_int_eq(state, OPERATION_RUNNING);
		}
		ck_assert_int_eq(feed((struct given){401, NULL, NULL, NULL, NULL, 0}), -1);
		ck_assert_int_eq(err.kind, ERR_DENIED);
		ck_assert_int_eq(feed((struct given){403, NULL, NULL, NULL, NULL, 0}), -1);
		ck_assert_int_eq(err.kind, ERR_DENIED);
	}
}
END_TEST

START_TEST(location_goes_on_with_202_and_may_move)
{
	ck_assert_int_eq(begin("DELETE", (struct given){202, NULL, NULL, NULL, LOCATION, 0}), 0);
	ck_assert_int_eq(feed((struct given){202, NULL, NULL, NULL, ARM "/moved", 0}), 0);
	ck_assert_int_eq(state, OPERATION_RUNNING);
	ck_assert_str_eq(op.url, ARM "/moved");
	ck_assert_int_eq(feed((struct given){202, NULL, NULL, NULL, NULL, 0}), 0);
	ck_assert_str_eq(op.url, ARM "/moved");
	static const int ENDS[] = {200, 201, 204};
	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_eq(feed((struct given){ENDS[i], NULL, NULL, NULL, NULL, 0}), 0);
		ck_assert_int_eq(state, OPERATION_SUCCEEDED);
	}
}
END_TEST

START_TEST(location_believes_a_body_that_says_more)
{
	ck_assert_int_eq(begin("PUT", (struct given){201, STATE("Creating"), NULL, NULL, LOCATION, 0}), 0);
	ck_assert_int_eq(feed((struct given){200, STATE("Creating"), NULL, NULL, NULL, 0}), 0);
	ck_assert_int_eq(state, OPERATION_RUNNING);
	ck_assert_int_eq(feed((struct given){200, STATE("Failed"), NULL, NULL, NULL, 0}), 0);
	ck_assert_int_eq(state, OPERATION_FAILED);
	ck_assert_int_eq(feed((struct given){200, "{\"status\":\"Failed\",\"error\":{\"code\":\"SkuNotAvailable\",\"message\":\"m\"}}", NULL, NULL, NULL, 0}), 0);
	ck_assert_int_eq(state, OPERATION_FAILED);
	ck_assert_str_eq(failure.code, "SkuNotAvailable");
	ck_assert_int_eq(feed((struct given){409, "{\"error\":{\"code\":\"AllocationFailed\",\"message\":\"m\"}}", NULL, NULL, NULL, 0}), 0);
	ck_assert_int_eq(state, OPERATION_FAILED);
	ck_assert_str_eq(failure.code, "AllocationFailed");
	ck_assert_int_eq(failure.status, 409);
	ck_assert_int_eq(feed((struct given){400, NULL, NULL, NULL, NULL, 0}), 0);
	ck_assert_int_eq(state, OPERATION_FAILED);
	ck_assert_str_ne(failure.message, "");
	ck_assert_int_eq(feed((struct given){200, STATE("Succeeded"), NULL, NULL, NULL, 0}), 0);
	ck_assert_int_eq(state, OPERATION_SUCCEEDED);
}
END_TEST

START_TEST(body_is_told_by_the_resource)
{
	static const struct { int status; const char *body; enum operation_state state; } POLLS[] = {
		{200, STATE("Creating"), OPERATION_RUNNING}, {200, STATE("Succeeded"), OPERATION_SUCCEEDED}, {200, STATE("Failed"), OPERATION_FAILED}, {200, STATE("Canceled"), OPERATION_CANCELED},
		{201, "{}", OPERATION_RUNNING}, {201, NULL, OPERATION_RUNNING}, {202, NULL, OPERATION_RUNNING}, {200, "{}", OPERATION_SUCCEEDED}, {200, "{\"properties\":{}}", OPERATION_SUCCEEDED},
		{204, NULL, OPERATION_SUCCEEDED},
	};
	ck_assert_int_eq(begin("PUT", (struct given){201, STATE("Creating"), NULL, NULL, NULL, 0}), 0);
	for (size_t i = 0; i < sizeof POLLS / sizeof POLLS[0]; i++) {
		ck_assert_int_eq(feed((struct given){POLLS[i].status, POLLS[i].body, NULL, NULL, NULL, 0}), 0);
		ck_assert_msg(state == POLLS[i].state, "%zu", i);
		ck_assert_str_eq(op.url, POOL);
	}
	ck_assert_int_eq(feed((struct given){200, "{\"properties\":{\"provisioningState\":\"Failed\",\"status\":{\"provisioningError\":{\"code\":\"ZonalAllocationFailed\",\"message\":\"m\"}}}}", NULL, NULL,
					     NULL, 0}), 0);
	ck_assert_str_eq(failure.code, "ZonalAllocationFailed");
	ck_assert_int_eq(feed((struct given){404, NULL, NULL, NULL, NULL, 0}), -1);
}
END_TEST

/* --- as JSON --------------------------------------------------------------------------------------------------- */

static const struct azure_environment PUBLIC = {.arm = (char *)ARM};

START_TEST(an_operation_survives_the_process)
{
	static const struct { const char *method; struct given g; } BEGINS[] = {
		{"PUT", {201, NULL, ASYNC, NULL, NULL, 0}}, {"DELETE", {202, NULL, NULL, NULL, LOCATION, 0}}, {"PUT", {201, NULL, NULL, NULL, NULL, 0}}, {"POST", {202, NULL, ASYNC, NULL, NULL, 0}},
	};
	for (size_t i = 0; i < sizeof BEGINS / sizeof BEGINS[0]; i++) {
		struct operation again = {0};
		ck_assert_int_eq(begin(BEGINS[i].method, BEGINS[i].g), 0);
		CLEANUP(json_decrefp) json_t *stored = operation_json(&op);
		CLEANUP(buf_done) struct buf text = {0};
		json_print(stored, JSON_PRINT_COMPACT, &text);
		CLEANUP(json_decrefp) json_t *read = NULL;
		ck_assert_int_eq(json_parse(&read, buf_str(&text), "memo", &err), 0);
		ck_assert_msg(operation_of_json(&again, read, &PUBLIC, &err) == 0, "%s", err.message);
		ck_assert_int_eq(again.style, op.style);
		ck_assert_str_eq(again.method, op.method);
		ck_assert_str_eq(again.url, op.url);
		ck_assert_str_eq(again.resource, POOL);
		ck_assert_int_eq(again.delay_ms, 0); /* asked at once */
		operation_done(&again);
	}
	operation_done(&op);
}
END_TEST

START_TEST(foreign_text_is_no_operation)
{
#define WITH(style, method, url, resource) "{\"style\":" style ",\"method\":" method ",\"url\":" url ",\"resource\":" resource "}"
#define GOOD "\"/s\""
	static const char *const BAD[] = {
		"{}", "[]", "null", "\"async\"", "7",
		WITH("\"none\"", "\"PUT\"", GOOD, GOOD), WITH("\"\"", "\"PUT\"", GOOD, GOOD), WITH("3", "\"PUT\"", GOOD, GOOD), WITH("\"async\"", "\"GET\"", GOOD, GOOD),
		WITH("\"async\"", "\"PUT\\r\\nHost: evil\"", GOOD, GOOD), WITH("\"async\"", "null", GOOD, GOOD), WITH("\"async\"", "\"PUT\"", "null", GOOD), WITH("\"async\"", "\"PUT\"", GOOD, "\"\""),
		WITH("\"async\"", "\"PUT\"", "\"https://evil.example/x\"", GOOD), WITH("\"async\"", "\"PUT\"", "\"https://management.azure.com.evil.example/x\"", GOOD),
		WITH("\"async\"", "\"PUT\"", "\"https://management.azure.com@evil.example/\"", GOOD), WITH("\"async\"", "\"PUT\"", "\"http://management.azure.com/x\"", GOOD),
		WITH("\"async\"", "\"PUT\"", "\"//evil.example/x\"", GOOD), WITH("\"async\"", "\"PUT\"", "\"/\\\\evil.example\"", GOOD), WITH("\"async\"", "\"PUT\"", "\"/a b\"", GOOD),
		WITH("\"async\"", "\"PUT\"", "\"/a\\u007f\"", GOOD), WITH("\"async\"", "\"PUT\"", "\"/a\\r\\nX: y\"", GOOD), WITH("\"body\"", "\"PUT\"", GOOD, "\"file:///etc/passwd\""),
		WITH("\"body\"", "\"PUT\"", GOOD, "[]"), WITH("\"async\"", "\"PUT\"", "\"https://management.azure.com\"", GOOD),
	};
	for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
		struct operation out = {0};
		CLEANUP(json_decrefp) json_t *text = NULL;
		ck_assert_int_eq(json_parse(&text, str_of(BAD[i]), "memo", &err), 0);
		err = ERR_INIT;
		ck_assert_msg(operation_of_json(&out, text, &PUBLIC, &err) == -1 && err.kind == ERR_INVALID, "%s", BAD[i]);
		ck_assert_ptr_null(out.url);
	}
	struct operation out = {0};
	ck_assert_int_eq(operation_of_json(&out, NULL, &PUBLIC, &err), -1);
	CLEANUP(json_decrefp) json_t *text = json_pack("{s:s,s:s,s:s,s:s}", "style", "async", "method", "PUT", "url", "HTTPS://Management.Azure.com/x", "resource", "/s");
	ck_assert_int_eq(operation_of_json(&out, text, &PUBLIC, &err), 0);
	operation_done(&out);
	ck_assert_int_eq(operation_of_json(&out, text, &(struct azure_environment){0}, &err), -1);
}
END_TEST

START_TEST(stored_addresses_have_a_limit)
{
	char url[LIMIT_ARM_URL_BYTES + 2];
	for (size_t n = LIMIT_ARM_URL_BYTES; n <= LIMIT_ARM_URL_BYTES + 1; n++) {
		struct operation out = {0};
		memset(url, 'a', n);
		url[0] = '/';
		url[n] = 0;
		CLEANUP(json_decrefp) json_t *text = json_pack("{s:s,s:s,s:s,s:s}", "style", "body", "method", "PUT", "url", url, "resource", "/s");
		ck_assert_int_eq(operation_of_json(&out, text, &PUBLIC, &err), n == LIMIT_ARM_URL_BYTES ? 0 : -1);
		operation_done(&out);
	}
}
END_TEST

int main(void)
{
	CHECK_RUN("operation", 20, first_answers_choose_the_style, answers_that_begin_nothing_are_errors, an_address_too_long_to_store_is_not_used,
		  delays_are_those_of_the_last_answer, async_is_told_by_the_status_word, async_failure_with_200_carries_its_error,
		  answers_of_no_style_send_the_caller_to_the_resource, refusals_and_trouble_end_no_operation, location_goes_on_with_202_and_may_move,
		  location_believes_a_body_that_says_more, body_is_told_by_the_resource, an_operation_survives_the_process, foreign_text_is_no_operation,
		  stored_addresses_have_a_limit);
}

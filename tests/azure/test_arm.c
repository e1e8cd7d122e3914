/* test_arm.c: one request to ARM at a time, against a fake on this machine: what is sent, what is read from the answer, where a token never
 * goes, and the two cases that want a second request. */
#include "azure/arm.h"
#include "azure/arm_challenge.h"
#include "azure/azure_variables.h"
#include "azure/fake_azure.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "check_main.h"
#include <pthread.h>

#define CLUSTER "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/group/providers/Microsoft.ContainerService/managedClusters/cluster"

static struct azure_environment e;
static struct token_cache *tokens;
static struct throttle *throttle;
static struct arm *arm;
static struct arm_answer got;
static struct err err;
static int port;
static int64_t now, wait_ms;
static int64_t clock_ms(void) { return now; }
static struct { int n, statuses[64]; enum arm_class classes[64]; char methods[64][8]; } calls;

static void on_call(void *context, enum arm_class class, const char *method, int status, double seconds)
{
	ck_assert_ptr_eq(context, &calls);
	ck_assert(seconds >= 0 && seconds < 60);
	ck_assert_int_lt(calls.n, 64);
	calls.statuses[calls.n] = status;
	calls.classes[calls.n] = class;
	snprintf(calls.methods[calls.n++], sizeof calls.methods[0], "%s", method);
}

static void token_reply(const char *body, int times) { fake_azure_reply(&(struct fake_reply){.part = "/oauth2/", .status = 200, .times = times, .body = body}); }

static void set_url(const char *variable)
{
	CLEANUP(mem_freep) char *url = mem_printf("http://127.0.0.1:%d", port);
	variable_set(variable, url);
}

static void setup_without_token(void)
{
	memset(&calls, 0, sizeof calls);
	err = ERR_INIT;
	now = 1000000;
	port = fake_azure_start();
	variables_reset();
	variable_set("AZURE_CLIENT_SECRET", "hush");
	set_url("AZURE_AUTHORITY_HOST");
	set_url("AZURE_RESOURCE_MANAGER_ENDPOINT");
	ck_assert_msg(environment_read(&e, variable_get, &err) == 0, "%s", err.message);
	tokens = token_cache_new(&e, NULL);
	throttle = throttle_new(clock_ms);
	arm = arm_new(&(struct arm_options){.environment = &e, .tokens = tokens, .throttle = throttle, .user_agent = "gpu-provisioner-aks/test", .on_call = on_call, .context = &calls,
					  .now_ms = clock_ms});
}

static void setup(void)
{
	setup_without_token();
	token_reply("{\"access_token\":\"one\",\"expires_in\":3600}", 1);
	token_reply("{\"access_token\":\"two\",\"expires_in\":3600}", 0);
}

static void teardown(void)
{
	arm_answer_done(&got);
	arm_free(arm);
	throttle_free(throttle);
	token_cache_free(tokens);
	environment_done(&e);
	fake_azure_stop();
}

static int request(struct arm_request r)
{
	arm_answer_done(&got);
	err = ERR_INIT;
	wait_ms = 0;
	r.method = r.method ? r.method : "GET";
	return arm_send(arm, &r, &got, &wait_ms, &err);
}

static void request_ok(struct arm_request r, int status)
{
	ck_assert_msg(request(r) == 0, "%s", err.message);
	ck_assert_int_eq(got.status, status);
}

static void reply(struct fake_reply r)
{
	r.part = r.part ? r.part : "/subscriptions/";
	fake_azure_reply(&r);
}

/* --- what is sent ------------------------------------------------------------------------------------------------ */

START_TEST(a_read_carries_the_headers_of_arm)
{
	setup();
	reply((struct fake_reply){.status = 200, .body = "{\"value\":[]}"});
	CLEANUP(mem_freep) char *path = arm_pool_path(&e, NULL);
	request_ok((struct arm_request){.url = path, .class = ARM_LIST}, 200);
	const struct fake_request *r = fake_azure_last();
	ck_assert_str_eq(r->path, CLUSTER "/agentPools");
	ck_assert_str_eq(r->api_version, "2024-01-01");
	ck_assert(fake_azure_has_header(r, "authorization: Bearer one\n"));
	ck_assert(fake_azure_has_header(r, "accept: application/json\n"));
	ck_assert(fake_azure_has_header(r, "user-agent: gpu-provisioner-aks/test\n"));
	ck_assert(fake_azure_has_header(r, "x-ms-return-client-request-id: true\n"));
	ck_assert(!fake_azure_has_header(r, "content-type:"));
	ck_assert(json_is_array(json_object_get(got.body, "value")));
	ck_assert_int_eq((int)got.retry_after_ms, -1);
	ck_assert_int_eq(calls.n, 1);
	ck_assert_int_eq(calls.statuses[0], 200);
	ck_assert_int_eq(calls.classes[0], ARM_LIST);
	teardown();
}
END_TEST

static void request_id(const struct fake_request *r, char out[37])
{
	const char *at = strstr(r->headers.data, "x-ms-client-request-id: ");
	ck_assert_ptr_nonnull(at);
	snprintf(out, 37, "%s", at + 24);
}

START_TEST(each_request_has_its_own_uuid)
{
	char first[37], second[37];
	setup();
	reply((struct fake_reply){.status = 200});
	request_ok((struct arm_request){.url = "/subscriptions/a", .class = ARM_GET}, 200);
	request_id(fake_azure_last(), first);
	request_ok((struct arm_request){.url = "/subscriptions/a", .class = ARM_GET}, 200);
	request_id(fake_azure_last(), second);
	ck_assert_str_ne(first, second);
	ck_assert_int_eq((int)strlen(first), 36);
	ck_assert_int_eq((int)strspn(first, "0123456789abcdef-"), 36);
	ck_assert(first[8] == '-' && first[13] == '-' && first[14] == '4' && first[18] == '-' && strchr("89ab", first[19]) && first[23] == '-');
	teardown();
}
END_TEST

START_TEST(a_write_carries_body_and_conditions)
{
	setup();
	reply((struct fake_reply){.status = 201, .body = "{\"id\":\"x\"}", .headers = {"ETag", "\"7\"", "x-ms-request-id", "r-1", "x-ms-correlation-request-id", "c-1"}});
	CLEANUP(json_decrefp) json_t *body = json_pack("{s:{s:i}}", "properties", "count", 1);
	CLEANUP(mem_freep) char *path = arm_pool_path(&e, "ws0");
	request_ok((struct arm_request){.method = "PUT", .url = path, .body = body, .if_none_match = "*", .if_match = "\"6\"", .class = ARM_PUT, .pool = "ws0"}, 201);
	const struct fake_request *r = fake_azure_last();
	ck_assert_str_eq(r->method, "PUT");
	ck_assert_str_eq(r->path, CLUSTER "/agentPools/ws0");
	ck_assert_str_eq(r->body.data, "{\"properties\":{\"count\":1}}");
	ck_assert(fake_azure_has_header(r, "content-type: application/json\n"));
	ck_assert(fake_azure_has_header(r, "if-none-match: *\n") && fake_azure_has_header(r, "if-match: \"6\"\n"));
	ck_assert_str_eq(got.etag, "\"7\"");
	ck_assert_str_eq(got.request_id, "r-1");
	ck_assert_str_eq(got.correlation_id, "c-1");
	teardown();
}
END_TEST

START_TEST(an_etag_cannot_add_headers)
{
	setup();
	ck_assert_int_eq(request((struct arm_request){.url = "/subscriptions/a", .if_match = "x\r\nEvil: 1", .class = ARM_GET}), -1);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	char longest[258];
	memset(longest, 'e', 257);
	longest[257] = 0;
	ck_assert_int_eq(request((struct arm_request){.url = "/subscriptions/a", .if_none_match = longest, .class = ARM_GET}), -1);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	ck_assert_int_eq((int)fake_azure_count(NULL, NULL), 0);
	longest[256] = 0;
	reply((struct fake_reply){.status = 200});
	request_ok((struct arm_request){.url = "/subscriptions/a", .if_none_match = longest, .class = ARM_GET}, 200);
	ck_assert_ptr_nonnull(strstr(fake_azure_last()->headers.data, longest));
	teardown();
}
END_TEST

START_TEST(api_versions_go_where_they_are_wanted)
{
	CLEANUP(mem_freep) char *absolute = NULL;
	setup();
	absolute = mem_printf("http://127.0.0.1:%d/subscriptions/a?api-version=2020-01-01&t=1", port);
	reply((struct fake_reply){.status = 200});
	request_ok((struct arm_request){.url = absolute, .class = ARM_OPERATION}, 200);
	ck_assert_str_eq(fake_azure_last()->api_version, "2020-01-01");
	request_ok((struct arm_request){.url = "/subscriptions/a", .api_version = "2023-07-01", .class = ARM_OTHER}, 200);
	ck_assert_str_eq(fake_azure_last()->api_version, "2023-07-01");
	request_ok((struct arm_request){.url = "/subscriptions/a?q=1", .class = ARM_OTHER}, 200);
	ck_assert_str_eq(fake_azure_last()->api_version, "2024-01-01");
	ck_assert_str_eq(fake_azure_last()->q, "1");
	request_ok((struct arm_request){.url = "/subscriptions/a", .api_version = "", .class = ARM_OTHER}, 200);
	ck_assert_str_eq(fake_azure_last()->api_version, "");
	teardown();
}
END_TEST

START_TEST(path_elements_are_escaped)
{
	struct azure_environment odd = {.subscription = (char *)(uintptr_t) "s/../x", .resource_group = (char *)(uintptr_t) "a b(c).é", .cluster = (char *)(uintptr_t) ".."};
	CLEANUP(mem_freep) char *cluster = arm_cluster_path(&odd);
	ck_assert_str_eq(cluster, "/subscriptions/s%2F..%2Fx/resourceGroups/a%20b%28c%29.%C3%A9/providers/Microsoft.ContainerService/managedClusters/%2E%2E");
	CLEANUP(mem_freep) char *pool = arm_pool_path(&odd, "p?q#r");
	ck_assert_ptr_nonnull(strstr(pool, "%2E%2E/agentPools/p%3Fq%23r"));
}
END_TEST

START_TEST(ids_are_compared_without_case)
{
	ck_assert(arm_same_id("/subscriptions/A/resourceGroups/MC_x", "/SUBSCRIPTIONS/a/resourcegroups/mc_X/"));
	ck_assert(!arm_same_id("/subscriptions/a", "/subscriptions/b"));
	ck_assert(!arm_same_id("/subscriptions/a", "/subscriptions/ab"));
	ck_assert(arm_same_id("", "/"));
}
END_TEST

/* --- what is read ------------------------------------------------------------------------------------------------ */

static const struct { const char *headers[8]; int64_t ms; } RETRY_AFTER[] = {
	{{"Retry-After", "7"}, 7000},
	{{"Retry-After-Ms", "250", "Retry-After", "7"}, 250},
	{{"x-ms-retry-after-ms", "300", "Retry-After", "7"}, 300},
	{{"Retry-After-Ms", "250", "x-ms-retry-after-ms", "300"}, 250},
	{{"Retry-After-Ms", "soon", "Retry-After", "7"}, 7000},
	{{"Retry-After-Ms", "-1", "Retry-After", "0"}, 0},
	{{"Retry-After", "Thu, 01 Jan 1970 00:00:00 GMT"}, 0},
	{{"Retry-After", "later"}, -1},
	{{NULL}, -1},
};

START_TEST(retry_after_comes_in_three_headers)
{
	setup();
	for (size_t i = 0; i < sizeof RETRY_AFTER / sizeof RETRY_AFTER[0]; i++) {
		struct fake_reply r = {.status = 202, .times = 1};
		memcpy(r.headers, RETRY_AFTER[i].headers, sizeof r.headers);
		reply(r);
		request_ok((struct arm_request){.url = "/subscriptions/a", .class = ARM_OTHER}, 202);
		ck_assert_msg(got.retry_after_ms == RETRY_AFTER[i].ms, "row %zu: %lld", i, (long long)got.retry_after_ms);
	}
	teardown();
}
END_TEST

START_TEST(errors_are_read_with_their_header)
{
	setup();
	reply((struct fake_reply){.status = 409, .headers = {"x-ms-error-code", "EtagMismatch"}, .body = "{\"code\":\"Conflict\",\"message\":\"m\"}"});
	request_ok((struct arm_request){.url = "/subscriptions/a", .class = ARM_GET}, 409);
	ck_assert_str_eq(got.error.code, "EtagMismatch");
	ck_assert_str_eq(got.error.message, "m");
	ck_assert_int_eq(got.error.status, 409);
	teardown();
}
END_TEST

START_TEST(bodies_that_are_not_json_are_no_bodies)
{
	static const char *const BODIES[] = {"", "<html></html>", "{\"value\":[", "{\"a\":1}{", "{\"a\":1,\"a\":2}"};
	setup();
	for (size_t i = 0; i < 5; i++) {
		reply((struct fake_reply){.status = 200, .times = 1, .body = BODIES[i]});
		request_ok((struct arm_request){.url = "/subscriptions/a", .class = ARM_GET}, 200);
		ck_assert_ptr_null(got.body);
	}
	teardown();
}
END_TEST

START_TEST(an_answer_has_a_ceiling)
{
	char *large = mem_alloc(LIMIT_ARM_ANSWER_BYTES + 2);
	setup();
	memset(large, ' ', LIMIT_ARM_ANSWER_BYTES);
	memcpy(large, "[1]", 3);
	reply((struct fake_reply){.status = 200, .times = 1, .body = large});
	request_ok((struct arm_request){.url = "/subscriptions/a", .class = ARM_GET}, 200);
	ck_assert_int_eq((int)json_array_size(got.body), 1);
	large[LIMIT_ARM_ANSWER_BYTES] = ' ';
	reply((struct fake_reply){.status = 200, .times = 1, .body = large});
	ck_assert_int_eq(request((struct arm_request){.url = "/subscriptions/a", .class = ARM_GET}), -1);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
	ck_assert_int_eq(calls.statuses[calls.n - 1], 0);
	teardown();
	free(large);
}
END_TEST

static const struct { const char *url; bool kept; } POLL_URLS[] = {
	{"http://127.0.0.1:%PORT%/subscriptions/s/providers/x/operations/1?api-version=1&t=sig", true},
	{"/subscriptions/s/operations/1", true},
	{"http://127.0.0.1:1/subscriptions/s", false},
	{"https://127.0.0.1:%PORT%/subscriptions/s", false},
	{"http://127.0.0.1:%PORT%@evil.example/subscriptions/s", false},
	{"http://evil.example:%PORT%/subscriptions/s", false},
	{"http://127.0.0.1.evil.example:%PORT%/s", false},
	{"//evil.example/x", false},
	{"ftp://127.0.0.1:%PORT%/x", false},
	{"http://127.0.0.1:%PORT%\\@evil.example/", false},
	{"", false},
};

START_TEST(poll_urls_of_other_hosts_are_dropped)
{
	static const char *const NAMES[] = {"Azure-AsyncOperation", "Operation-Location", "Location"};
	setup();
	for (size_t name = 0; name < 3; name++)
		for (size_t i = 0; i < sizeof POLL_URLS / sizeof POLL_URLS[0]; i++) {
			reply((struct fake_reply){.status = 202, .times = 1, .headers = {NAMES[name], POLL_URLS[i].url}});
			request_ok((struct arm_request){.url = "/subscriptions/a", .class = ARM_OTHER}, 202);
			char *const urls[] = {got.async_url, got.operation_url, got.location};
			bool kept = urls[name] != NULL;
			ck_assert_msg(kept == POLL_URLS[i].kept || (kept && !POLL_URLS[i].url[0]), "%s: %s", NAMES[name], POLL_URLS[i].url);
			if (kept && POLL_URLS[i].url[0] == 'h')
				ck_assert_int_eq(strncmp(urls[name], e.arm, strlen(e.arm)), 0);
			ck_assert_ptr_null(urls[(name + 1) % 3]);
		}
	teardown();
}
END_TEST

START_TEST(poll_urls_have_a_longest)
{
	static char path[LIMIT_ARM_URL_BYTES + 2];
	setup();
	for (int past = 0; past < 2; past++) {
		size_t n = LIMIT_ARM_URL_BYTES - strlen(e.arm) + (size_t)past;
		memset(path, 'a', n);
		path[0] = '/';
		path[n] = 0;
		reply((struct fake_reply){.status = 202, .times = 1, .headers = {"Location", path}});
		request_ok((struct arm_request){.url = "/subscriptions/a", .class = ARM_OTHER}, 202);
		ck_assert_int_eq(got.location != NULL, !past);
	}
	teardown();
}
END_TEST

static const struct { const char *arm, *url; bool sent; } HOSTS[] = {
	{"https://management.azure.com", "https://evil.example/x", false},
	{"https://management.azure.com", "http://management.azure.com/x", false},
	{"https://management.azure.com", "https://management.azure.com:444/x", false},
	{"https://management.azure.com", "https://management.azure.com.evil.example/x", false},
	{"https://management.azure.com", "https://evilmanagement.azure.com/x", false},
	{"https://management.azure.com", "https://u:p@management.azure.com/x", false},
	{"https://management.azure.com", "https://management.azure.com /x", false},
	{"https://management.azure.com", "management.azure.com/x", false},
	{"http://127.0.0.1:1", "http://127.0.0.1:1/x", true},
	{"http://localhost:1", "http://eastus.LOCALHOST:1/x", true},
	{"http://localhost:1", "http://eastuslocalhost:1/x", false},
};

/* The error says whether it was tried. */
START_TEST(the_token_goes_to_arms_hosts_only)
{
	setup();
	for (size_t i = 0; i < sizeof HOSTS / sizeof HOSTS[0]; i++) {
		struct azure_environment other = e;
		other.arm = (char *)(uintptr_t)HOSTS[i].arm;
		struct arm *a = arm_new(&(struct arm_options){.environment = &other, .tokens = tokens, .throttle = throttle});
		struct arm_answer answer = {0};
		err = ERR_INIT;
		int rc = arm_send(a, &(struct arm_request){.method = "GET", .url = HOSTS[i].url, .class = ARM_OTHER}, &answer, &wait_ms, &err);
		ck_assert_int_eq(rc, -1);
		bool refused = err.kind == ERR_DENIED && strstr(err.message, "the token is not sent there");
		ck_assert_msg(refused != HOSTS[i].sent, "%s: %s", HOSTS[i].url, err.message);
		arm_free(a);
	}
	teardown();
}
END_TEST

START_TEST(redirects_are_not_followed)
{
	setup();
	reply((struct fake_reply){.status = 307, .headers = {"Location", "http://127.0.0.1:1/elsewhere"}});
	request_ok((struct arm_request){.url = "/subscriptions/a", .class = ARM_GET}, 307);
	ck_assert_ptr_null(got.location);
	ck_assert_str_eq(got.error.message, "HTTP 307");
	ck_assert_int_eq((int)fake_azure_count("GET", NULL), 1);
	teardown();
}
END_TEST

/* --- refused tokens ---------------------------------------------------------------------------------------------- */

#define CHALLENGE "Bearer realm=\"\", authorization_uri=\"https://login\", error=\"insufficient_claims\", claims=\"eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxIn19fQ==\""

START_TEST(a_claims_challenge_gets_a_new_token_once)
{
	setup();
	reply((struct fake_reply){.status = 401, .times = 1, .headers = {"WWW-Authenticate", CHALLENGE}});
	reply((struct fake_reply){.status = 200, .body = "{}"});
	request_ok((struct arm_request){.url = "/subscriptions/a", .class = ARM_GET}, 200);
	ck_assert(fake_azure_has_header(fake_azure_last(), "authorization: Bearer two\n"));
	ck_assert_int_eq((int)fake_azure_count("GET", NULL), 2);
	ck_assert_int_eq((int)fake_azure_count("POST", "/oauth2/"), 2);
	ck_assert_ptr_nonnull(strstr(fake_azure_field(fake_azure_request(2), "claims"), "nbf"));
	ck_assert_int_eq(calls.n, 2);
	ck_assert_int_eq(calls.statuses[0], 401);
	ck_assert_int_eq(calls.statuses[1], 200);
	teardown();
}
END_TEST

START_TEST(a_plain_401_gets_a_new_token_once)
{
	setup();
	CLEANUP(json_decrefp) json_t *body = json_pack("{s:i}", "a", 1);
	reply((struct fake_reply){.status = 401, .body = "{\"error\":{\"code\":\"ExpiredAuthenticationToken\",\"message\":\"m\"}}"});
	request_ok((struct arm_request){.method = "PUT", .url = "/subscriptions/a", .body = body, .class = ARM_PUT}, 401);
	ck_assert_str_eq(got.error.code, "ExpiredAuthenticationToken");
	ck_assert_int_eq((int)fake_azure_count("PUT", NULL), 2);
	ck_assert_str_eq(fake_azure_last()->body.data, "{\"a\":1}");
	ck_assert(!strstr(fake_azure_field(fake_azure_request(2), "claims"), "nbf"));
	request_ok((struct arm_request){.method = "GET", .url = "/subscriptions/a", .class = ARM_GET}, 401); /* no third token so soon */
	ck_assert_int_eq((int)fake_azure_count("POST", "/oauth2/"), 2);
	ck_assert_int_eq((int)fake_azure_count("GET", NULL), 1);
	teardown();
}
END_TEST

START_TEST(without_a_new_token_the_401_is_the_answer)
{
	setup_without_token();
	token_reply("{\"access_token\":\"one\",\"expires_in\":3600}", 1);
	fake_azure_reply(&(struct fake_reply){.part = "/oauth2/", .status = 503});
	reply((struct fake_reply){.status = 401});
	request_ok((struct arm_request){.url = "/subscriptions/a", .class = ARM_GET}, 401);
	ck_assert_int_eq((int)fake_azure_count("GET", NULL), 1);
	teardown();
}
END_TEST

START_TEST(without_a_token_nothing_is_sent)
{
	setup_without_token();
	fake_azure_reply(&(struct fake_reply){.part = "/oauth2/", .status = 401, .body = "{\"error\":\"x\",\"error_description\":\"AADSTS7000215: Invalid client secret hush\"}"});
	ck_assert_int_eq(request((struct arm_request){.url = "/subscriptions/a", .class = ARM_DELETE}), -1);
	ck_assert_int_eq(strncmp(err.message, "AADSTS7000215: ", 15), 0);
	ck_assert_ptr_null(strstr(err.message, "hush"));
	ck_assert_int_eq(calls.n, 0);
	teardown();
}
END_TEST

START_TEST(challenges_in_all_their_forms)
{
	static const struct { const char *header, *claims; } ROWS[] = {
		{CHALLENGE, "{\"access_token\":{\"nbf\":{\"essential\":true,\"value\":\"1\"}}}"},
		{"bearer claims=eyJhIjoxfQ", "{\"a\":1}"},
		{"Bearer claims=eyJhIjoxfQ==, error=x", "{\"a\":1}"},
		{"Bearer claims = \"eyJhIjoxfQ==\"", "{\"a\":1}"},
		{"PoP nonce=\"a, b=c\", claims=\"eyJhIjoyfQ\", Bearer realm=\"x\\\"y\", claims=\"eyJhIjoxfQ\"", "{\"a\":1}"},
		{"Bearer realm=\"claims=eyJhIjoyfQ\", Bearer claims=\"eyJhIjoxfQ\"", "{\"a\":1}"},
		{"Bearer claims=\"!!!\", claims=\"eyJhIjoxfQ\"", "{\"a\":1}"},
		{"Bearer claims=\"eyJhPz4iOiI_Pj8-In0\"", "{\"a?>\":\"?>?>\"}"},
		{"Basic claims=\"eyJhIjoxfQ\"", NULL},
		{"Bearer realm=\"\", error=\"invalid_token\"", NULL},
		{"Bearer claims=\"W10\"", NULL}, /* [] */
		{"Bearer claims=\"eyJhIjox\"", NULL},
		{"Bearer claims=\"eyJhIjoxfQ", "{\"a\":1}"},
		{"Bearer claims=\"", NULL},
		{"Bearer claims=", NULL},
		{"claims=\"eyJhIjoxfQ\"", NULL},
		{"=,=\"\",,Bearer", NULL},
		{"", NULL},
	};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		CLEANUP(mem_freep) char *claims = arm_challenge_claims(str_of(ROWS[i].header));
		ck_assert_msg((!claims && !ROWS[i].claims) || (claims && ROWS[i].claims && strcmp(claims, ROWS[i].claims) == 0), "%s -> %s", ROWS[i].header, claims ? claims : "none");
		for (size_t n = 0; n < strlen(ROWS[i].header); n++) {
			CLEANUP(mem_freep) char *part = mem_strndup(ROWS[i].header, n);
			free(arm_challenge_claims((str){part, n}));
		}
	}
}
END_TEST

/* --- providers that are not registered --------------------------------------------------------------------------- */

#define UNREGISTERED "{\"error\":{\"code\":\"MissingSubscriptionRegistration\",\"message\":\"not registered\"}}"

START_TEST(a_missing_provider_is_registered_once)
{
	setup();
	fake_azure_reply(&(struct fake_reply){.method = "POST", .part = "/register", .status = 200});
	reply((struct fake_reply){.status = 409, .body = UNREGISTERED});
	CLEANUP(mem_freep) char *path = arm_pool_path(&e, "ws0");
	for (int i = 0; i < 5; i++) {
		CLEANUP(json_decrefp) json_t *body = json_object();
		request_ok((struct arm_request){.method = "PUT", .url = path, .body = body, .class = ARM_PUT, .pool = "ws0"}, 409);
		ck_assert_int_eq((int)got.retry_after_ms, 15000);
		ck_assert_str_eq(got.error.code, "MissingSubscriptionRegistration");
	}
	ck_assert_int_eq((int)fake_azure_count("POST", "/subscriptions/11111111-2222-3333-4444-555555555555/providers/Microsoft.ContainerService/register"), 1);
	for (size_t i = 0;; i++)
		if (strstr(fake_azure_request(i)->path, "/register")) {
			ck_assert_str_eq(fake_azure_request(i)->api_version, "2019-05-01");
			ck_assert(fake_azure_has_header(fake_azure_request(i), "authorization: Bearer one\n"));
			break;
		}
	ck_assert_int_eq(calls.n, 6);
	ck_assert_int_eq(calls.classes[1], ARM_OTHER);
	request_ok((struct arm_request){.url = "/subscriptions/a/providers/Microsoft.Compute/locations/eastus/usages", .api_version = "2023-07-01", .class = ARM_OTHER}, 409);
	ck_assert_int_eq((int)fake_azure_count("POST", "/providers/Microsoft.Compute/register"), 1);
	teardown();
}
END_TEST

START_TEST(a_provider_is_registered_three_times_an_hour_at_most)
{
	setup();
	fake_azure_reply(&(struct fake_reply){.method = "POST", .part = "/register", .status = 403});
	reply((struct fake_reply){.status = 409, .body = UNREGISTERED});
	for (int minutes = 0; minutes < 120; minutes += 2) {
		request_ok((struct arm_request){.url = "/subscriptions/a/providers/Microsoft.ContainerService/x", .class = ARM_OTHER}, 409);
		bool given_up = (minutes % 60) >= 18; /* 0, 6 and 12 minutes were the attempts */
		ck_assert_msg((got.retry_after_ms == -1) == given_up, "minute %d: %lld", minutes, (long long)got.retry_after_ms);
		now += 120000;
		memset(&calls, 0, sizeof calls);
	}
	ck_assert_int_eq((int)fake_azure_count("POST", "/register"), 6);
	teardown();
}
END_TEST

START_TEST(other_conflicts_register_nothing)
{
	static const char *const BODIES[] = {"{\"code\":\"OperationNotAllowed\",\"message\":\"MissingSubscriptionRegistration\"}", UNREGISTERED};
	setup();
	for (int i = 0; i < 2; i++) {
		reply((struct fake_reply){.status = i ? 404 : 409, .times = 1, .body = BODIES[i]});
		request_ok((struct arm_request){.url = "/subscriptions/a/providers/Microsoft.ContainerService/x", .class = ARM_GET}, i ? 404 : 409);
		ck_assert_int_eq((int)got.retry_after_ms, -1);
	}
	reply((struct fake_reply){.status = 409, .body = UNREGISTERED});
	static const char *const URLS[] = {"/subscriptions/a", "/subscriptions/a/providers/", "/subscriptions/a/providers/a%2Fb/x"};
	for (int i = 0; i < 3; i++)
		request_ok((struct arm_request){.url = URLS[i], .class = ARM_GET}, 409);
	ck_assert_int_eq((int)fake_azure_count("POST", "/register"), 0);
	teardown();
}
END_TEST

/* --- the gate ---------------------------------------------------------------------------------------------------- */

START_TEST(a_closed_gate_sends_nothing)
{
	setup();
	reply((struct fake_reply){.status = 429, .times = 1, .headers = {"Retry-After", "20"}, .body = "{\"code\":\"TooManyRequests\",\"message\":\"m\"}"});
	reply((struct fake_reply){.status = 200});
	request_ok((struct arm_request){.url = "/subscriptions/a", .class = ARM_GET}, 429);
	ck_assert_int_eq(request((struct arm_request){.url = "/subscriptions/a", .class = ARM_LIST}), 1);
	ck_assert_int_ge((int)wait_ms, 20000);
	request_ok((struct arm_request){.url = "/subscriptions/a", .class = ARM_OPERATION}, 200);
	now += 20000;
	request_ok((struct arm_request){.url = "/subscriptions/a", .class = ARM_GET}, 200);
	ck_assert_int_eq((int)fake_azure_count("GET", NULL), 3);
	ck_assert_int_eq(calls.n, 3);
	teardown();
}
END_TEST

START_TEST(a_throttled_subscription_closes_everything)
{
	setup();
	reply((struct fake_reply){.status = 429, .headers = {"Retry-After", "20"}, .body = "{\"error\":{\"code\":\"SubscriptionRequestsThrottled\",\"message\":\"m\"}}"});
	request_ok((struct arm_request){.url = "/subscriptions/a", .class = ARM_GET}, 429);
	for (int class = 0; class < ARM_CLASSES; class++) {
		ck_assert_int_eq(request((struct arm_request){.url = "/subscriptions/a", .class = (enum arm_class)class}), 1);
		ck_assert_int_eq((int)wait_ms, 20000);
	}
	teardown();
}
END_TEST

START_TEST(remaining_requests_are_fed_to_the_gate)
{
	setup();
	reply((struct fake_reply){.status = 200, .headers = {"x-ms-ratelimit-remaining-subscription-global-reads", "3749", "x-ms-ratelimit-remaining-subscription-reads", "5",
							     "x-ms-ratelimit-remaining-subscription-deletes", "0", "x-ms-ratelimit-remaining-resource", "Microsoft.Compute/X;0"}});
	request_ok((struct arm_request){.url = "/subscriptions/a", .class = ARM_GET}, 200);
	ck_assert(!throttle_open(throttle, ARM_LIST) && !throttle_open(throttle, ARM_GET));
	ck_assert(throttle_open(throttle, ARM_DELETE) && throttle_open(throttle, ARM_OPERATION));
	request_ok((struct arm_request){.method = "DELETE", .url = "/subscriptions/a", .class = ARM_DELETE}, 200);
	ck_assert(!throttle_open(throttle, ARM_DELETE) && throttle_open(throttle, ARM_POST) && throttle_open(throttle, ARM_PUT_MACHINE));
	for (int i = 0; i < 2; i++) { /* what is written counts with other writes, and with nothing else */
		enum arm_class class = i ? ARM_PUT_MACHINE : ARM_POST;
		teardown();
		setup();
		reply((struct fake_reply){.status = 200, .headers = {"x-ms-ratelimit-remaining-subscription-reads", "0", "x-ms-ratelimit-remaining-subscription-writes", "1"}});
		request_ok((struct arm_request){.method = "PUT", .url = "/subscriptions/a", .class = class}, 200);
		ck_assert(throttle_open(throttle, class));
		request_ok((struct arm_request){.method = "PUT", .url = "/subscriptions/a", .class = class}, 200);
		ck_assert(!throttle_open(throttle, class));
	}
	teardown();
}
END_TEST

/* --- no answer --------------------------------------------------------------------------------------------------- */

START_TEST(a_lost_connection_is_an_error_without_secrets)
{
	setup();
	struct azure_environment away = e;
	away.arm = (char *)(uintptr_t) "http://127.0.0.1:1";
	struct arm *a = arm_new(&(struct arm_options){.environment = &away, .tokens = tokens, .throttle = throttle, .on_call = on_call, .context = &calls});
	struct arm_answer answer = {0};
	ck_assert_int_eq(arm_send(a, &(struct arm_request){.method = "GET", .url = "/subscriptions/a?t=signature", .class = ARM_OPERATION}, &answer, &wait_ms, &err), -1);
	ck_assert_int_eq(err.kind, ERR_NETWORK);
	ck_assert_ptr_null(strstr(err.message, "signature"));
	ck_assert_ptr_null(strstr(err.message, "Bearer"));
	ck_assert_int_eq(calls.n, 1);
	ck_assert_int_eq(calls.statuses[0], 0);
	arm_free(a);
	teardown();
}
END_TEST

/* --- retries ----------------------------------------------------------------------------------------------------- */

START_TEST(only_passing_statuses_are_worth_another_try)
{
	static const int AGAIN[] = {0, 408, 429, 500, 502, 503, 504}, NEVER[] = {200, 201, 202, 204, 301, 400, 401, 403, 404, 409, 412, 422, 501, 505};
	for (size_t i = 0; i < sizeof AGAIN / sizeof AGAIN[0]; i++)
		ck_assert_int_gt(arm_retry_ms(AGAIN[i], 1, -1), 0);
	for (size_t i = 0; i < sizeof NEVER / sizeof NEVER[0]; i++)
		ck_assert_int_eq(arm_retry_ms(NEVER[i], 1, 1000), -1);
}
END_TEST

START_TEST(delays_double_with_jitter_up_to_a_minute)
{
	static const struct { int attempt; int64_t least, most; } ROWS[] = {
		{0, 4000, 6500}, {1, 4000, 6500}, {2, 12000, 19500}, {3, 28000, 45500}, {4, 60000, 60000}, {5, 60000, 60000}, {20, 60000, 60000}, {1000000, 60000, 60000},
	};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		int64_t least = INT64_MAX, most = 0;
		for (int k = 0; k < 200; k++) {
			int64_t ms = arm_retry_ms(503, ROWS[i].attempt, -1);
			least = ms < least ? ms : least;
			most = ms > most ? ms : most;
		}
		ck_assert_int_ge(least, ROWS[i].least);
		ck_assert_int_le(most, ROWS[i].most);
		ck_assert(ROWS[i].least == ROWS[i].most || most > least);
	}
}
END_TEST

START_TEST(retry_after_is_respected_up_to_ten_minutes)
{
	ck_assert_int_eq(arm_retry_ms(429, 1, 30000), 30000);
	ck_assert_int_eq(arm_retry_ms(429, 4, 90000), 90000);
	ck_assert_int_eq(arm_retry_ms(503, 3, 1000), 1000);
	ck_assert_int_ge(arm_retry_ms(503, 3, 0), 28000);
	ck_assert_int_eq(arm_retry_ms(429, 1, 600000), 600000);
	ck_assert_int_eq(arm_retry_ms(429, 1, 600001), -1);
}
END_TEST

/* --- threads ----------------------------------------------------------------------------------------------------- */

static void *ask_often(void *context)
{
	for (int i = 0; i < 10; i++) {
		struct arm_answer answer;
		struct err local;
		int64_t wait;
		int rc = arm_send(context, &(struct arm_request){.method = "GET", .url = "/subscriptions/a", .class = ARM_OPERATION}, &answer, &wait, &local);
		ck_assert_int_eq(rc, 0);
		ck_assert(json_is_object(answer.body));
		arm_answer_done(&answer);
	}
	return NULL;
}

START_TEST(threads_share_one_client)
{
	pthread_t threads[8];
	setup();
	reply((struct fake_reply){.status = 200, .body = "{\"a\":1}"});
	struct arm *a = arm_new(&(struct arm_options){.environment = &e, .tokens = tokens, .throttle = throttle});
	for (size_t i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, ask_often, a);
	for (size_t i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq((int)fake_azure_count("GET", NULL), 80);
	ck_assert_int_eq((int)fake_azure_count("POST", "/oauth2/"), 1);
	arm_free(a);
	teardown();
}
END_TEST

int main(void)
{
	CHECK_RUN("arm", 30, a_read_carries_the_headers_of_arm, each_request_has_its_own_uuid, a_write_carries_body_and_conditions, an_etag_cannot_add_headers,
		  api_versions_go_where_they_are_wanted, path_elements_are_escaped, ids_are_compared_without_case, retry_after_comes_in_three_headers,
		  errors_are_read_with_their_header, bodies_that_are_not_json_are_no_bodies, an_answer_has_a_ceiling, poll_urls_of_other_hosts_are_dropped, poll_urls_have_a_longest,
		  the_token_goes_to_arms_hosts_only, redirects_are_not_followed, a_claims_challenge_gets_a_new_token_once, a_plain_401_gets_a_new_token_once,
		  without_a_new_token_the_401_is_the_answer, without_a_token_nothing_is_sent, challenges_in_all_their_forms, a_missing_provider_is_registered_once, a_provider_is_registered_three_times_an_hour_at_most,
		  other_conflicts_register_nothing, a_closed_gate_sends_nothing, a_throttled_subscription_closes_everything, remaining_requests_are_fed_to_the_gate,
		  a_lost_connection_is_an_error_without_secrets, only_passing_statuses_are_worth_another_try, delays_double_with_jitter_up_to_a_minute,
		  retry_after_is_respected_up_to_ten_minutes, threads_share_one_client);
}

/* test_simulator.c: the protocol of agent pools as ARM speaks it: bodies, pages, power, tags, the control interface, scripted, dropped
 * and broken answers, TLS. */
#include "simulate/sim_client.h"

#include "base/fd.h"
#include "check_main.h"
#include "http/client.h"
#include "kube/meta.h"
#include <unistd.h>

static char path[400];

START_TEST(a_pool_is_created_read_listed_and_deleted)
{
	sim_begin(NULL);
	sim_pool_path("ws1", path);
	json_t *made = sim_expect(201, "PUT", path, "{\"properties\":{\"vmSize\":\"Standard_NC24ads_A100_v4\",\"count\":1,\"osDiskSizeGB\":100,"
		"\"nodeLabels\":{\"kaito.sh/workspace\":\"a\"},\"tags\":{\"k\":\"v\"},\"newProperty\":{\"x\":1}}}");
	ck_assert_str_eq(json_text_at(made, "", "properties", "provisioningState", NULL), "Creating");
	ck_assert_str_eq(json_text_at(made, "", "name", NULL), "ws1");
	ck_assert_str_eq(json_text_at(made, "", "type", NULL), "Microsoft.ContainerService/managedClusters/agentPools");
	ck_assert_ptr_nonnull(strstr(json_text_at(made, "", "id", NULL), "/agentPools/ws1"));
	json_decref(made);
	json_t *pool = sim_expect(200, "GET", path, NULL);
	ck_assert_str_eq(json_text_at(pool, "", "properties", "provisioningState", NULL), "Succeeded");
	ck_assert_str_eq(json_text_at(pool, "", "properties", "powerState", "code", NULL), "Running");
	ck_assert_str_eq(json_text_at(pool, "", "properties", "mode", NULL), "User");
	ck_assert_str_eq(json_text_at(pool, "", "properties", "tags", "k", NULL), "v");
	ck_assert_int_eq(json_int_at(pool, 0, "properties", "newProperty", "x", NULL), 1);
	ck_assert_int_eq(json_int_at(pool, 0, "properties", "osDiskSizeGB", NULL), 100);
	ck_assert_ptr_nonnull(strstr(json_text_at(pool, "", "properties", "nodeImageVersion", NULL), "Ubuntu"));
	json_t *list = sim_expect(200, "GET", SIM_POOLS "?" SIM_VERSION, NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(list, "value")), 1);
	ck_assert(json_equal(json_array_get(json_object_get(list, "value"), 0), pool));
	ck_assert_ptr_null(json_object_get(list, "nextLink"));
	json_decref(list);
	json_decref(pool);
	sim_do(202, "DELETE", path, NULL);
	ck_assert_str_eq(sim_refusal(404, "GET", path, NULL, NULL), "NotFound");
	sim_do(204, "DELETE", path, NULL);
	sim_end();
}
END_TEST

START_TEST(paths_compare_without_case)
{
	sim_begin(NULL);
	sim_pool_path("ws1", path);
	sim_do(201, "PUT", path, SIM_GPU_POOL);
	sim_do(200, "GET", "/SUBSCRIPTIONS/00000000-0000-4000-8000-000000000001/resourcegroups/KAITO-RG/providers/microsoft.containerservice/managedclusters/Kaito/agentpools/WS1?"
	       SIM_VERSION, NULL);
	sim_end();
}
END_TEST

START_TEST(a_list_comes_in_pages)
{
	char name[8], next[1200] = SIM_POOLS "?" SIM_VERSION;
	int seen = 0, pages = 0;
	sim_begin(NULL);
	sim_settings("{\"page_size\":2}");
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof name, "p%d", i);
		sim_pool_path(name, path);
		sim_do(201, "PUT", path, SIM_GPU_POOL);
	}
	while (next[0]) {
		json_t *page = sim_expect(200, "GET", next, NULL);
		seen += (int)json_array_size(json_object_get(page, "value"));
		const char *link = json_text_at(page, NULL, "nextLink", NULL);
		snprintf(next, sizeof next, "%s", link ? sim_path_of(link) : "");
		json_decref(page);
		if (++pages == 1) { /* a page's pool goes: the next page skips none */
			sim_pool_path("p0", path);
			sim_do(202, "DELETE", path, NULL);
		}
	}
	ck_assert_int_eq(seen, 5);
	ck_assert_int_eq(pages, 3);
	sim_end();
}
END_TEST

START_TEST(exactly_full_pages_have_no_empty_one_after_them)
{
	sim_begin(NULL);
	sim_settings("{\"page_size\":1}");
	sim_pool_path("p0", path);
	sim_do(201, "PUT", path, SIM_GPU_POOL);
	json_t *page = sim_expect(200, "GET", SIM_POOLS "?" SIM_VERSION, NULL);
	ck_assert_ptr_null(json_object_get(page, "nextLink"));
	json_decref(page);
	sim_end();
}
END_TEST

START_TEST(a_stopped_cluster_shows_its_pools_stopped_and_takes_none)
{
	sim_begin(NULL);
	sim_pool_path("ws1", path);
	sim_do(201, "PUT", path, SIM_GPU_POOL);
	sim_do(200, "PUT", "/_sim/cluster", "{\"powerState\":\"Stopped\"}");
	json_t *pool = sim_expect(200, "GET", path, NULL);
	ck_assert_str_eq(json_text_at(pool, "", "properties", "powerState", "code", NULL), "Stopped");
	json_decref(pool);
	json_t *cluster = sim_expect(200, "GET", SIM_CLUSTER "?" SIM_VERSION, NULL);
	ck_assert_str_eq(json_text_at(cluster, "", "properties", "powerState", "code", NULL), "Stopped");
	ck_assert_str_eq(json_text_at(cluster, "", "properties", "agentPoolProfiles", "#0", "name", NULL), "ws1");
	json_decref(cluster);
	sim_pool_path("ws2", path);
	ck_assert_str_eq(sim_refusal(409, "PUT", path, NULL, SIM_GPU_POOL), "OperationNotAllowed");
	sim_settings("{\"stopped_status\":400}");
	sim_refusal(400, "PUT", path, NULL, SIM_GPU_POOL);
	sim_do(200, "PUT", "/_sim/cluster", "{\"powerState\":\"Running\"}");
	sim_do(201, "PUT", path, SIM_GPU_POOL);
	sim_do(400, "PUT", "/_sim/cluster", "{\"powerState\":\"Asleep\"}");
	sim_end();
}
END_TEST

START_TEST(pools_of_others_come_and_go_through_the_control_interface)
{
	sim_begin(NULL);
	sim_do(200, "PUT", "/_sim/pools/system", "{\"properties\":{\"vmSize\":\"Standard_D2s_v3\",\"mode\":\"System\"}}");
	sim_do(200, "PUT", "/_sim/pools/plain", NULL);
	json_t *state = sim_expect(200, "GET", "/_sim/state", NULL);
	ck_assert(json_is_true(json_at(state, "pools", "system", "foreign", NULL)));
	ck_assert_int_eq(json_int_at(state, 0, "pool_count", NULL), 2);
	json_decref(state);
	sim_pool_path("system", path);
	ck_assert_str_eq(sim_refusal(412, "PUT", path, "If-None-Match: *\r\n", SIM_GPU_POOL), "PreconditionFailed");
	sim_do(200, "POST", "/_sim/pools/system", "{\"properties\":{\"provisioningState\":\"Upgrading\",\"nodeImageVersion\":\"new\",\"maxPods\":null,\"powerState\":{\"code\":\"Stopped\"}}}");
	json_t *pool = sim_expect(200, "GET", path, NULL);
	ck_assert_str_eq(json_text_at(pool, "", "properties", "provisioningState", NULL), "Upgrading");
	ck_assert_str_eq(json_text_at(pool, "", "properties", "nodeImageVersion", NULL), "new");
	ck_assert_str_eq(json_text_at(pool, "", "properties", "powerState", "code", NULL), "Stopped");
	ck_assert_ptr_null(json_at(pool, "properties", "maxPods", NULL));
	json_decref(pool);
	sim_do(404, "POST", "/_sim/pools/none", "{\"properties\":{}}");
	sim_do(400, "POST", "/_sim/pools/system", "{}");
	sim_do(200, "DELETE", "/_sim/pools/system", NULL);
	sim_do(404, "DELETE", "/_sim/pools/system", NULL);
	sim_do(400, "PUT", "/_sim/pools/Bad_name", NULL);
	sim_do(400, "PUT", "/_sim/pools/x", "{\"properties\":{\"vmSize\":\"nonsense\"}}");
	sim_do(404, "GET", "/_sim/nothing", NULL);
	sim_do(400, "PUT", "/_sim/settings", NULL);
	sim_end();
}
END_TEST

START_TEST(the_etag_changes_with_the_pool_and_guards_it)
{
	char etag[64], header[100];
	sim_begin(NULL);
	sim_pool_path("ws1", path);
	sim_do(201, "PUT", path, SIM_GPU_POOL);
	struct sim_answer a = sim_ask("GET", path, NULL);
	snprintf(etag, sizeof etag, "%s", sim_header(&a, "ETag"));
	ck_assert_uint_eq(strlen(etag), 38);
	ck_assert_ptr_nonnull(strstr(etag, json_text_at(a.body, "-", "properties", "eTag", NULL)));
	sim_answer_done(&a);
	snprintf(header, sizeof header, "If-Match: %s\r\n", etag);
	a = sim_ask_with("PUT", path, header, SIM_GPU_POOL);
	ck_assert_int_eq(a.status, 200);
	sim_answer_done(&a);
	ck_assert_str_eq(sim_refusal(412, "PUT", path, header, SIM_GPU_POOL), "EtagMismatch");
	ck_assert_str_eq(sim_refusal(412, "DELETE", path, header, NULL), "EtagMismatch");
	sim_pool_path("ws2", path);
	sim_refusal(412, "PUT", path, "If-Match: *\r\n", SIM_GPU_POOL);
	sim_settings("{\"conditions_since\":\"2024-09-01\"}"); /* older versions of the API take the headers for nothing */
	a = sim_ask_with("PUT", path, "If-Match: *\r\n", SIM_GPU_POOL);
	ck_assert_int_eq(a.status, 201);
	sim_answer_done(&a);
	sim_refusal(412, "PUT", SIM_POOLS "/ws2?api-version=2024-09-01", "If-None-Match: *\r\n", SIM_GPU_POOL);
	sim_end();
}
END_TEST

START_TEST(headers_name_the_request_and_what_is_left_of_the_budget)
{
	sim_begin(NULL);
	struct sim_answer a = sim_ask_with("GET", SIM_POOLS "?" SIM_VERSION, "x-ms-client-request-id: mine\r\nx-ms-return-client-request-id: true\r\nx-ms-correlation-request-id: c-1\r\n", NULL);
	ck_assert_uint_eq(strlen(sim_header(&a, "x-ms-request-id")), 36);
	ck_assert_str_eq(sim_header(&a, "x-ms-client-request-id"), "mine");
	ck_assert_str_eq(sim_header(&a, "x-ms-correlation-request-id"), "c-1");
	ck_assert_str_eq(sim_header(&a, "x-ms-ratelimit-remaining-subscription-reads"), "249");
	sim_answer_done(&a);
	sim_end();
}
END_TEST

START_TEST(a_lost_answer_leaves_what_was_done)
{
	sim_begin(NULL);
	sim_do(200, "POST", "/_sim/script", "[{\"match\":{\"method\":\"PUT\"},\"action\":\"drop\"},{\"match\":{\"method\":\"PUT\"},\"action\":\"drop_after\"},"
	       "{\"match\":{\"method\":\"GET\",\"path\":\"agentpools/ws1\"},\"action\":\"malformed\"}]");
	sim_pool_path("ws1", path);
	struct sim_answer a = sim_ask("PUT", path, SIM_GPU_POOL);
	ck_assert_int_eq(a.status, 0);
	sim_answer_done(&a);
	ck_assert_str_eq(sim_pool_state("ws1"), "");
	a = sim_ask("PUT", path, SIM_GPU_POOL);
	ck_assert_int_eq(a.status, 0);
	sim_answer_done(&a);
	ck_assert_str_eq(sim_pool_state("ws1"), "Succeeded");
	a = sim_ask("GET", path, NULL);
	ck_assert_int_eq(a.status, 200);
	ck_assert_ptr_null(a.body);
	ck_assert_str_ne(a.text, "");
	sim_answer_done(&a);
	sim_do(200, "GET", path, NULL);
	sim_end();
}
END_TEST

START_TEST(scripts_reply_after_and_as_often_as_they_say)
{
	sim_begin(NULL);
	sim_do(200, "POST", "/_sim/script", "{\"match\":{\"path\":\"/agentPools\"},\"after\":1,\"times\":2,\"status\":503,\"headers\":{\"Retry-After\":\"3\"},\"text\":\"busy\"}");
	sim_do(200, "GET", SIM_POOLS "?" SIM_VERSION, NULL);
	struct sim_answer a = sim_ask("GET", SIM_POOLS "?" SIM_VERSION, NULL);
	ck_assert_int_eq(a.status, 503);
	ck_assert_str_eq(sim_header(&a, "Retry-After"), "3");
	ck_assert_str_eq(a.text, "busy");
	sim_answer_done(&a);
	json_t *left = sim_expect(200, "GET", "/_sim/script", NULL);
	ck_assert_int_eq(json_int_at(left, 0, "#0", "times", NULL), 1);
	json_decref(left);
	sim_do(503, "GET", SIM_POOLS "?" SIM_VERSION, NULL);
	sim_do(200, "GET", SIM_POOLS "?" SIM_VERSION, NULL);
	sim_do(200, "POST", "/_sim/script", "[{\"times\":-1,\"status\":500,\"body\":{\"error\":{\"code\":\"X\"}}}]");
	ck_assert_str_eq(sim_refusal(500, "GET", SIM_POOLS "?" SIM_VERSION, NULL, NULL), "X");
	sim_do(500, "GET", SIM_POOLS "?" SIM_VERSION, NULL);
	sim_do(200, "DELETE", "/_sim/script", NULL);
	sim_do(200, "GET", SIM_POOLS "?" SIM_VERSION, NULL);
	sim_end();
}
END_TEST

START_TEST(a_delayed_answer_does_not_hold_up_others_nor_the_end)
{
	sim_begin(NULL);
	sim_do(200, "POST", "/_sim/script", "{\"match\":{\"path\":\"agentPools/slow\"},\"delay_ms\":600000}");
	int fd = raw_connect(simulator_port(sim));
	raw_send(fd, "GET " SIM_POOLS "/slow?" SIM_VERSION " HTTP/1.1\r\nHost: x\r\n\r\n");
	sim_do(200, "GET", SIM_POOLS "?" SIM_VERSION, NULL);
	sim_end(); /* joins the thread that waits */
	close(fd);
}
END_TEST

START_TEST(calls_are_counted_by_class_and_pool_and_logged)
{
	sim_begin(NULL);
	sim_pool_path("ws1", path);
	sim_do(201, "PUT", path, SIM_GPU_POOL);
	sim_do(200, "GET", path, NULL);
	sim_do(200, "GET", SIM_POOLS "?" SIM_VERSION, NULL);
	json_t *state = sim_expect(200, "GET", "/_sim/state", NULL), *calls = json_object_get(state, "calls");
	ck_assert_int_eq(json_int_at(calls, 0, "arm", NULL), 3);
	ck_assert_int_eq(json_int_at(calls, 0, "by_class", "pool_list", NULL), 1);
	ck_assert_int_eq(json_int_at(calls, 0, "by_pool", "ws1", "pool_put", NULL), 1);
	ck_assert_int_eq(json_int_at(calls, 0, "by_pool", "ws1", "pool_get", NULL), 1);
	json_decref(state);
	json_t *log = sim_expect(200, "GET", "/_sim/calls?since=1&pool=ws1", NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(log, "calls")), 1);
	ck_assert_str_eq(json_text_at(log, "", "calls", "#0", "method", NULL), "GET");
	ck_assert_int_eq(json_int_at(log, 0, "calls", "#0", "status", NULL), 200);
	json_decref(log);
	sim_do(200, "DELETE", "/_sim/calls", NULL);
	state = sim_expect(200, "GET", "/_sim/state", NULL);
	ck_assert_int_eq(json_int_at(state, -1, "calls", "total", NULL), 0);
	ck_assert_int_eq(json_int_at(state, -1, "budget", "arm_reads", "taken", NULL), 0);
	json_decref(state);
	sim_end();
}
END_TEST

START_TEST(names_that_are_no_text_are_refused_and_logged)
{
	sim_begin(NULL);
	ck_assert_str_eq(sim_refusal(404, "GET", SIM_POOLS "/%ff%fe?" SIM_VERSION, NULL, NULL), "NotFound");
	ck_assert_str_eq(sim_refusal(404, "GET", "/%ff?" SIM_VERSION, NULL, NULL), "InvalidResourceType");
	json_t *log = sim_expect(200, "GET", "/_sim/calls", NULL);
	ck_assert_int_eq(json_int_at(log, 0, "total", NULL), 2);
	json_decref(log);
	sim_do(200, "GET", "/_sim/state", NULL);
	sim_end();
}
END_TEST

START_TEST(with_tls_the_certificate_is_for_the_names_of_azure)
{
	char folder[] = "/tmp/kaito-sim-XXXXXX", ca[64], url[200];
	struct err err = ERR_INIT;
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(ca, sizeof ca, "%s/ca.pem", folder);
	ck_assert_int_eq(simulator_start(&sim, &(struct simulator_options){.tls = true, .ca_file = ca}, &err), 0);
	struct http_client *c = http_client_new(&(struct http_options){.reach = ADDRESS_REACH_PRIVATE, .ca_file = ca, .proxy = ""});
	static const char *const NAMES[] = {"127.0.0.1", "localhost", "management.azure.com", "login.microsoftonline.com", "example.com"};
	for (size_t i = 0; i < 5; i++) {
		struct http_response r = {0};
		snprintf(url, sizeof url, "https://127.0.0.1:%d/_sim/environment", simulator_port(sim));
		struct http_tls tls = {.server_name = i ? NAMES[i] : NULL};
		int rc = http_client_send(c, &(struct http_request){.method = "GET", .url = url, .once = true, .tls = &tls}, &r, &err);
		ck_assert_msg((rc == 0) == (i < 4), "%s: %s", NAMES[i], err.message);
		if (i == 0)
			ck_assert_ptr_nonnull(strstr(r.body.data, "\"SSL_CERT_FILE\":\"/tmp/kaito-sim-"));
		http_response_done(&r);
	}
	http_client_free(c);
	sim_end();
	ck_assert_int_eq(fd_remove_tree(folder, &err), 0);
}
END_TEST

START_TEST(it_describes_itself_in_one_line)
{
	sim_begin(NULL);
	char *line = simulator_describe(sim), *end = strchr(line, '\n');
	ck_assert_ptr_null(end);
	json_t *o = json_loads(line, 0, NULL);
	ck_assert_int_eq(json_int_at(o, 0, "port", NULL), simulator_port(sim));
	ck_assert_str_eq(json_text_at(o, "", "env", "AZURE_CLIENT_ID", NULL), SIM_CLIENT);
	ck_assert_str_eq(json_text_at(o, "", "env", "AZURE_RESOURCE_MANAGER_ENDPOINT", NULL), json_text_at(o, "-", "endpoint", NULL));
	json_decref(o);
	free(line);
	sim_end();
}
END_TEST

int main(void)
{
	CHECK_RUN("simulator", 60, a_pool_is_created_read_listed_and_deleted, paths_compare_without_case, a_list_comes_in_pages,
		  exactly_full_pages_have_no_empty_one_after_them, a_stopped_cluster_shows_its_pools_stopped_and_takes_none,
		  pools_of_others_come_and_go_through_the_control_interface, the_etag_changes_with_the_pool_and_guards_it,
		  headers_name_the_request_and_what_is_left_of_the_budget, a_lost_answer_leaves_what_was_done, scripts_reply_after_and_as_often_as_they_say,
		  a_delayed_answer_does_not_hold_up_others_nor_the_end, calls_are_counted_by_class_and_pool_and_logged, names_that_are_no_text_are_refused_and_logged,
		  with_tls_the_certificate_is_for_the_names_of_azure, it_describes_itself_in_one_line);
}

/* What is asked for, byte for byte: claims and pools as upstream was recorded to create them, names, and what caches keep. */
#include "check_main.h"

#include "base/mem.h"
#include "codec/json.h"
#include "kube/meta.h"
#include "provision/claim.h"
#include "provision/node.h"
#include "provision/pool.h"
#include "provision/report.h"
#include <string.h>

static const struct node_options AZURE = {"azure", "", "nodeclaim", "karpenter.azure.com", "AKSNodeClass", "v1beta1", "aksnodeclasses",
					  "[{\"name\":\"image-family-ubuntu\",\"default\":true},{\"name\":\"image-family-azure-linux\"}]"};

static const char *first_value(const json_t *spec, const char *key)
{
	const json_t *q;
	size_t i;
	json_array_foreach(json_object_get(spec, "requirements"), i, q)
		if (strcmp(json_text_at(q, "", "key", NULL), key) == 0)
			return json_text_at(q, "", "values", "#0", NULL);
	return "";
}

/* The user's labels: those that are not upstream's own. */
static json_t *user_labels(const json_t *labels)
{
	json_t *out = json_object(), *value;
	const char *key;
	json_object_foreach((json_t *)(uintptr_t)labels, key, value)
		if (strncmp(key, "kaito.sh/workspace", 18) != 0 && strncmp(key, "karpenter.", 10) != 0)
			json_object_set(out, key, value);
	return out;
}

static void check_claim(const json_t *golden)
{
	struct err err = ERR_INIT;
	const json_t *spec = json_object_get(golden, "spec");
	CLEANUP(json_decrefp) json_t *labels = user_labels(json_at(golden, "metadata", "labels", NULL)), *made = NULL, *wanted = json_deep_copy(golden);
	const char *storage = json_text_at(spec, "", "resources", "requests", "storage", NULL);
	struct node_request r = {.name = meta_label(golden, "kaito.sh/workspace"), .namespace_ = meta_label(golden, "kaito.sh/workspacenamespace"),
				 .match_labels = labels, .instance_type = first_value(spec, "node.kubernetes.io/instance-type"), .image_family = "",
				 .storage = strcmp(storage, "1Ti") == 0 ? "1024Gi" : storage, .gpu = true};
	ck_assert_msg(claim_build(claim_dialect_of(&AZURE), &AZURE, &r, meta_name(golden), &made, &err) == 0, "%s", err.message);
	json_object_del(wanted, "status"); /* both are dropped by the API server */
	json_object_del(json_object_get(wanted, "metadata"), "namespace");
	CLEANUP(buf_done) struct buf a = {0}, b = {0};
	json_print(made, JSON_PRINT_SORTED, &a);
	json_print(wanted, JSON_PRINT_SORTED, &b);
	ck_assert_str_eq(a.data, b.data);
}

static void check_pool(const json_t *golden)
{
	struct err err = ERR_INIT;
	const json_t *template_ = json_at(golden, "spec", "template", NULL);
	CLEANUP(json_decrefp) json_t *labels = user_labels(json_at(template_, "metadata", "labels", NULL)), *made = NULL, *wanted = json_deep_copy(golden);
	struct node_request r = {.name = meta_label(golden, LABEL_POOL_WORKSPACE), .namespace_ = meta_label(golden, LABEL_POOL_NAMESPACE), .match_labels = labels,
				 .instance_type = first_value(json_object_get(template_, "spec"), "node.kubernetes.io/instance-type"),
				 .node_class = json_text_at(template_, "", "spec", "nodeClassRef", "name", NULL)};
	char name[POOL_NAME];
	pool_name(&r, 0, name);
	int replicas = (int)json_int_at(golden, 0, "spec", "replicas", NULL);
	ck_assert_msg(pool_build(&AZURE, &r, name, replicas, &made, &err) == 0, "%s", err.message);
	json_object_del(wanted, "status");
	CLEANUP(buf_done) struct buf a = {0}, b = {0};
	json_print(made, JSON_PRINT_SORTED, &a);
	json_print(wanted, JSON_PRINT_SORTED, &b);
	ck_assert_str_eq(a.data, b.data);
}

START_TEST(claims_and_pools_equal_the_recorded_ones)
{
	struct err err = ERR_INIT;
	CLEANUP(json_decrefp) json_t *writes = NULL;
	ck_assert_msg(json_parse_file(&writes, source_path("tests/golden/provision/writes.json"), &err) == 0, "%s", err.message);
	ck_assert_uint_ge(json_array_size(writes), 10);
	const json_t *w;
	size_t i;
	json_array_foreach(writes, i, w)
		(strcmp(json_text_at(w, "", "resource", NULL), "nodepools") == 0 ? check_pool : check_claim)(json_object_get(w, "body"));
}
END_TEST

static const struct node_request PLAIN = {.name = "ws", .namespace_ = "ns", .uid = "u-1", .instance_type = "p4d.24xlarge", .storage = "100Gi", .image_family = "azurelinux",
					  .node_class = "", .inference_set = "", .gpu = true};

START_TEST(a_claim_follows_its_cloud)
{
	struct err err = ERR_INIT;
	struct node_options o = AZURE;
	o.cloud = "aws";
	CLEANUP(json_decrefp) json_t *claim = NULL;
	ck_assert_int_eq(claim_build(claim_dialect_of(&o), &o, &PLAIN, "x", &claim, &err), 0);
	ck_assert_str_eq(json_text_at(claim, "", "spec", "nodeClassRef", "kind", NULL), "EC2NodeClass");
	ck_assert_str_eq(json_text_at(claim, "", "spec", "requirements", "#3", "operator", NULL), "Gt");
	ck_assert_str_eq(meta_annotation(claim, "kaito.sh/node-image-family"), "azurelinux");
	json_decref(claim);
	struct node_request cpu = PLAIN;
	cpu.gpu = false; /* an instance without GPUs must be allowed to have none */
	ck_assert_int_eq(claim_build(claim_dialect_of(&o), &o, &cpu, "x", &claim, &err), 0);
	ck_assert_uint_eq(json_array_size(json_at(claim, "spec", "requirements", NULL)), 3);
	cpu.storage = "much";
	CLEANUP(json_decrefp) json_t *none = NULL;
	ck_assert_int_lt(claim_build(claim_dialect_of(&o), &o, &cpu, "x", &none, &err), 0);
	ck_assert_int_eq(err.kind, ERR_INVALID);
}
END_TEST

START_TEST(the_older_dialect_asks_for_machines)
{
	struct err err = ERR_INIT;
	struct node_options o = AZURE;
	o.api = "machine";
	CLEANUP(json_decrefp) json_t *machine = NULL;
	ck_assert_int_eq(claim_build(claim_dialect_of(&o), &o, &PLAIN, "wsx", &machine, &err), 0);
	ck_assert_str_eq(json_text_at(machine, "", "apiVersion", NULL), "karpenter.sh/v1alpha5");
	ck_assert_str_eq(json_text_at(machine, "", "kind", NULL), "Machine");
	ck_assert_str_eq(json_text_at(machine, "", "spec", "machineTemplateRef", "name", NULL), "default");
	ck_assert_str_eq(meta_label(machine, "karpenter.sh/provisioner-name"), "default");
	ck_assert_ptr_null(json_at(machine, "spec", "nodeClassRef", NULL));
}
END_TEST

START_TEST(names_depend_on_identity_slot_and_attempt_only)
{
	char a[IDENTITY_NAME], b[IDENTITY_NAME];
	struct node_request other = PLAIN;
	other.uid = "u-2";
	identity_claim_name(&PLAIN, 0, 0, a);
	identity_claim_name(&PLAIN, 0, 0, b);
	ck_assert_str_eq(a, b);
	ck_assert_uint_eq(strlen(a), 11);
	ck_assert_uint_eq(strspn(a + 2, "0123456789abcdef"), 9);
	ck_assert_int_eq(strncmp(a, "ws", 2), 0);
	identity_claim_name(&other, 0, 0, b);
	ck_assert_str_ne(a, b);
	identity_claim_name(&PLAIN, 1, 0, b);
	ck_assert_str_ne(a, b);
	identity_claim_name(&PLAIN, 0, 1, b);
	ck_assert_str_ne(a, b);
}
END_TEST

START_TEST(pool_names_are_cut_and_kept_apart)
{
	char a[POOL_NAME], b[POOL_NAME];
	struct node_request x = PLAIN, y = PLAIN;
	x.namespace_ = "a-b", x.name = "c";
	y.namespace_ = "a", y.name = "b-c";
	pool_name(&x, 0, a);
	pool_name(&y, 0, b);
	ck_assert_str_eq(a, "a-b-c");
	ck_assert_str_eq(b, "a-b-c");
	pool_name(&x, 1, a);
	pool_name(&y, 1, b);
	ck_assert_str_ne(a, b);
	x.name = "a-name-that-is-as-long-as-a-workspace-s-name-may-ever-be-on-earth";
	pool_name(&x, 0, a);
	ck_assert_uint_eq(strlen(a), 63);
	ck_assert_int_eq(a[53], '-');
}
END_TEST

START_TEST(pools_of_an_inference_set_start_with_a_closed_budget)
{
	struct err err = ERR_INIT;
	struct node_request r = PLAIN;
	r.inference_set = "set";
	r.node_class = "image-family-azure-linux";
	CLEANUP(json_decrefp) json_t *pool = NULL, *none = NULL;
	ck_assert_int_eq(pool_build(&AZURE, &r, "p", 2, &pool, &err), 0);
	ck_assert_str_eq(json_text_at(pool, "", "spec", "disruption", "budgets", "#0", "nodes", NULL), "0");
	ck_assert_str_eq(meta_label(pool, "karpenter.kaito.sh/inferenceset"), "set");
	ck_assert_str_eq(json_text_at(pool, "", "spec", "template", "spec", "nodeClassRef", "name", NULL), "image-family-azure-linux");
	r.node_class = "nobody";
	ck_assert_int_lt(pool_build(&AZURE, &r, "p", 2, &none, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, "nobody"));
}
END_TEST

START_TEST(the_node_cache_forgets_heartbeats)
{
	const char *const TEXT = "{\"metadata\":{\"name\":\"n\",\"labels\":{\"a\":\"b\"},\"annotations\":{\"x\":\"y\"}},\"spec\":{\"podCIDR\":\"10.0.0.0/24\",\"taints\":[]},"
				 "\"status\":{\"images\":[1,2,3],\"capacity\":{\"nvidia.com/gpu\":\"4\",\"pods\":\"110\"},\"conditions\":["
				 "{\"type\":\"Ready\",\"status\":\"True\",\"lastHeartbeatTime\":\"t\"},{\"type\":\"KernelDeadlock\",\"status\":\"False\"},"
				 "{\"type\":\"DiskPressure\",\"status\":\"True\"},{\"type\":\"PIDPressure\",\"status\":\"True\"}]}}";
	struct err err = ERR_INIT;
	CLEANUP(json_decrefp) json_t *node = NULL;
	ck_assert_int_eq(json_parse(&node, str_of(TEXT), "node", &err), 0);
	ck_assert(node_transform(node));
	CLEANUP(buf_done) struct buf text = {0}, pressure = {0};
	json_print(node, JSON_PRINT_SORTED, &text);
	ck_assert_str_eq(text.data, "{\"metadata\":{\"labels\":{\"a\":\"b\"},\"name\":\"n\"},\"status\":{\"capacity\":{\"nvidia.com/gpu\":\"4\"},\"conditions\":["
				    "{\"status\":\"True\",\"type\":\"Ready\"},{\"status\":\"True\",\"type\":\"DiskPressure\"},{\"status\":\"True\",\"type\":\"PIDPressure\"}]}}");
	ck_assert(node_ready(node) && node_own(node) && node_gpus(node) == 4);
	node_pressure(node, &pressure);
	ck_assert_str_eq(pressure.data, "n (DiskPressure, PIDPressure)");
}
END_TEST

START_TEST(caches_take_any_object)
{
	static const char *const TEXTS[] = {"{}", "{\"metadata\":[],\"status\":1}", "{\"metadata\":{\"labels\":{\"kaito.sh/workspace\":1}},\"status\":{\"conditions\":{}}}",
					    "{\"metadata\":{\"labels\":{\"kaito.sh/workspace\":\"w\"}},\"status\":{\"conditions\":[1,{\"type\":2}]}}"};
	for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
		struct err err = ERR_INIT;
		CLEANUP(json_decrefp) json_t *a = NULL, *b = NULL;
		ck_assert_int_eq(json_parse(&a, str_of(TEXTS[i]), "object", &err), 0);
		b = json_deep_copy(a);
		ck_assert(node_transform(a));
		ck_assert_int_eq(claim_transform(b), i == 3);
		ck_assert(!node_ready(a) && !claim_ready(b) && node_gpus(a) == 0);
	}
}
END_TEST

static void check_why(const char *conditions, const char *reason, const char *message)
{
	struct err err = ERR_INIT;
	CLEANUP(json_decrefp) json_t *list = NULL;
	ck_assert_int_eq(json_parse(&list, str_of(conditions), "conditions", &err), 0);
	CLEANUP(json_decrefp) json_t *claims = json_pack("[{s:{s:O}}]", "status", "conditions", list);
	struct node_report out = {0};
	ck_assert(!report_claims(&out, claim_dialect_of(&AZURE), claims, 1));
	ck_assert(!out.claims.true_);
	ck_assert_str_eq(out.claims.reason, reason);
	ck_assert_str_eq(out.claims.message, message);
}

START_TEST(the_first_step_that_fails_explains_a_claim)
{
	check_why("[]", "NodeClaimNotReady", "Ready NodeClaims are not enough");
	check_why("[{\"type\":\"Launched\",\"status\":\"Unknown\",\"reason\":\"AwaitingReconciliation\",\"message\":\"object is awaiting reconciliation\"}]",
		  "NodeClaimNotReady", "Ready NodeClaims are not enough");
	check_why("[{\"type\":\"Registered\",\"status\":\"Unknown\",\"reason\":\"NodeNotFound\",\"message\":\"later\"},"
		  "{\"type\":\"Launched\",\"status\":\"False\",\"reason\":\"InsufficientCapacity\",\"message\":\"no quota\"}]",
		  "InsufficientCapacity", "no quota");
	check_why("[{\"type\":\"Launched\",\"status\":\"True\",\"reason\":\"Launched\"},{\"type\":\"Registered\",\"status\":\"Unknown\",\"reason\":\"not a reason\","
		  "\"message\":\"node is not there\"}]",
		  "NodeClaimNotReady", "node is not there");
}
END_TEST

START_TEST(long_messages_are_cut_between_characters)
{
	char text[600] = "[{\"type\":\"Launched\",\"status\":\"False\",\"reason\":\"LaunchFailed\",\"message\":\"", wanted[300] = "";
	for (int i = 0; i < 85; i++) { /* 255 bytes, then one more character of three */
		memcpy(text + strlen(text), "\xe2\x82\xac", 4);
		memcpy(wanted + strlen(wanted), "\xe2\x82\xac", 4);
	}
	memcpy(text + strlen(text), "\xe2\x82\xac\"}]", 7);
	check_why(text, "LaunchFailed", wanted);
}
END_TEST

int main(void)
{
	CHECK_RUN("provision objects", 20, claims_and_pools_equal_the_recorded_ones, a_claim_follows_its_cloud, the_older_dialect_asks_for_machines,
		  names_depend_on_identity_slot_and_attempt_only, pool_names_are_cut_and_kept_apart, pools_of_an_inference_set_start_with_a_closed_budget,
		  the_node_cache_forgets_heartbeats, caches_take_any_object, the_first_step_that_fails_explains_a_claim, long_messages_are_cut_between_characters);
}

/* What the caches keep, taints, and looking things up. */
#include "check_main.h"
#include "fixture.h"

#include "base/mem.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <string.h>

static struct nodes *n;
static void setup(void) { n = fixture_new(); }
static void teardown(void) { fixture_free(n); }

static json_t *parse(const char *text)
{
	json_t *v = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(v);
	return v;
}

START_TEST(a_heartbeat_leaves_a_nodes_text_unchanged)
{
	setup();
	CLEANUP(json_decrefp) json_t *a = parse("{\"metadata\":{\"name\":\"n\",\"labels\":{\"agentpool\":\"a\"},\"managedFields\":[1]},\"spec\":{\"podCIDR\":\"1\",\"providerID\":\"x\"},"
						"\"status\":{\"images\":[1],\"nodeInfo\":{},\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"message\":\"m\","
						"\"lastHeartbeatTime\":\"1\",\"lastTransitionTime\":\"0\"}]}}");
	CLEANUP(json_decrefp) json_t *b = json_deep_copy(a);
	json_object_set_new(json_at(b, "status", "conditions", "#0", NULL), "lastHeartbeatTime", json_string("2"));
	ck_assert(NODES_CACHES[NODES_NODES].transform(a));
	ck_assert(NODES_CACHES[NODES_NODES].transform(b));
	ck_assert(json_equal(a, b));
	ck_assert_str_eq(json_text_at(a, "", "status", "conditions", "#0", "lastTransitionTime", NULL), "0");
	ck_assert_ptr_null(json_at(a, "status", "images", NULL));
	ck_assert_ptr_null(json_at(a, "spec", "podCIDR", NULL));
	teardown();
}
END_TEST

START_TEST(of_a_node_only_what_is_read_is_kept)
{
	setup();
	CLEANUP(json_decrefp) json_t *node = parse("{\"metadata\":{\"name\":\"n\",\"labels\":{\"agentpool\":\"a\",\"kubernetes.azure.com/agentpool\":\"a\",\"kubernetes.azure.com/role\":\"agent\","
						   "\"own\":\"x\",\"karpenter.sh/initialized\":\"true\"},\"annotations\":{\"csi.volume.kubernetes.io/nodeid\":\"1\",\"karpenter.sh/a\":\"2\"}},"
						   "\"status\":{\"capacity\":{\"cpu\":\"1\"},\"allocatable\":{\"cpu\":\"1\"},\"conditions\":[{\"type\":\"KernelDeadlock\"},{\"type\":\"Ready\"},"
						   "{\"type\":\"MemoryPressure\"},{\"type\":\"kubernetes.azure.com/NodeHealthy\"},{\"type\":\"PreemptionScheduled\"}]}}");
	ck_assert(NODES_CACHES[NODES_NODES].transform(node));
	CLEANUP(json_decrefp) json_t *kept = parse("{\"metadata\":{\"name\":\"n\",\"labels\":{\"agentpool\":\"a\",\"kubernetes.azure.com/agentpool\":\"a\",\"own\":\"x\","
						   "\"karpenter.sh/initialized\":\"true\"},\"annotations\":{\"karpenter.sh/a\":\"2\"}},\"status\":{\"allocatable\":{\"cpu\":\"1\"},"
						   "\"conditions\":[{\"type\":\"Ready\"},{\"type\":\"kubernetes.azure.com/NodeHealthy\"},{\"type\":\"PreemptionScheduled\"}]}}");
	ck_assert(json_equal(node, kept));
	teardown();
}
END_TEST

START_TEST(objects_of_others_are_dropped)
{
	setup();
	CLEANUP(json_decrefp) json_t *node = parse("{\"metadata\":{\"name\":\"n\",\"labels\":{\"a\":\"b\"}},\"spec\":{\"providerID\":\"x\"}}");
	ck_assert(!NODES_CACHES[NODES_NODES].transform(node));
	meta_set_label(node, LABEL_KAITO_WORKSPACE, "w");
	ck_assert(NODES_CACHES[NODES_NODES].transform(node));
	CLEANUP(json_decrefp) json_t *claim = parse("{\"metadata\":{\"name\":\"c\"},\"spec\":{\"nodeClassRef\":{\"group\":\"karpenter.azure.com\",\"kind\":\"AKSNodeClass\"}}}");
	ck_assert(!NODES_CACHES[NODES_CLAIMS].transform(claim));
	meta_set_label(claim, LABEL_KAITO_RAG_ENGINE, "r");
	ck_assert(NODES_CACHES[NODES_CLAIMS].transform(claim));
	teardown();
}
END_TEST

/* A Node of EC2 has no label that tells whose it is. */
START_TEST(a_node_that_waits_for_registration_is_seen_without_any_label)
{
	const struct { const char *node; bool kept; } ROWS[] = {
		{"{\"metadata\":{\"name\":\"n\"},\"spec\":{\"providerID\":\"aws:///us-east-1a/i-0123456789abcdef0\"}}", true},
		{"{\"metadata\":{\"name\":\"n\"},\"spec\":{\"providerID\":\"other://x\",\"taints\":[{\"key\":\"a\",\"effect\":\"NoSchedule\"},{\"key\":\"karpenter.sh/unregistered\",\"effect\":\"NoExecute\"}]}}", true},
		{"{\"metadata\":{\"name\":\"n\"},\"spec\":{\"providerID\":\"other://x\",\"taints\":[{\"key\":\"a\",\"effect\":\"NoSchedule\"}]}}", false},
	};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		CLEANUP(json_decrefp) json_t *node = parse(ROWS[i].node);
		ck_assert_int_eq(NODES_CACHES[NODES_NODES].transform(node), ROWS[i].kept);
	}
}
END_TEST

START_TEST(a_node_finds_its_claim_by_provider_id_by_owner_and_by_the_clouds_labels)
{
	setup();
	const struct dialect *d = NULL;
	fixture_claim(&DIALECT_NODE_CLAIM, "a", NULL);
	fixture_claim(&DIALECT_MACHINE, "m", NULL);
	json_object_set_new(fixture_get_claim(&DIALECT_NODE_CLAIM, "a"), "status", json_pack("{s:s}", "providerID", "FAKE:///A"));
	json_t *node = fixture_node("n", "a", true);
	json_object_del(json_at(node, "metadata", "labels", NULL), "agentpool");
	CLEANUP(json_decrefp) json_t *by_id = nodes_claim_of_node(n, node, &d);
	ck_assert_str_eq(meta_name(by_id), "a");
	ck_assert_ptr_eq(d, &DIALECT_NODE_CLAIM);

	CLEANUP(json_decrefp) json_t *owned = parse("{\"metadata\":{\"name\":\"o\",\"ownerReferences\":[{\"apiVersion\":\"karpenter.sh/v1alpha5\",\"kind\":\"Machine\",\"name\":\"m\"}]}}");
	json_object_set(json_at(owned, "metadata", "ownerReferences", "#0", NULL), "uid", json_at(fixture_get_claim(&DIALECT_MACHINE, "m"), "metadata", "uid", NULL));
	CLEANUP(json_decrefp) json_t *by_owner = nodes_claim_of_node(n, owned, &d);
	ck_assert_str_eq(meta_name(by_owner), "m");
	ck_assert_ptr_eq(d, &DIALECT_MACHINE);
	json_object_set_new(json_at(owned, "metadata", "ownerReferences", "#0", NULL), "uid", json_string("of one before"));
	ck_assert_ptr_null(nodes_claim_of_node(n, owned, &d));

	CLEANUP(json_decrefp) json_t *labelled = parse("{\"metadata\":{\"name\":\"l\",\"labels\":{\"agentpool\":\"m\"}}}");
	CLEANUP(json_decrefp) json_t *by_label = nodes_claim_of_node(n, labelled, &d);
	ck_assert_str_eq(meta_name(by_label), "m");
	CLEANUP(json_decrefp) json_t *second = parse("{\"metadata\":{\"name\":\"l\",\"labels\":{\"agentpool\":\"a\"}},\"spec\":{\"providerID\":\"fake:///b\"}}");
	ck_assert_ptr_null(nodes_claim_of_node(n, second, &d));
	teardown();
}
END_TEST

START_TEST(two_claims_with_one_provider_id_are_none)
{
	setup();
	const struct dialect *d = NULL;
	fixture_claim(&DIALECT_NODE_CLAIM, "a", NULL);
	fixture_claim(&DIALECT_MACHINE, "m", NULL);
	json_object_set_new(fixture_get_claim(&DIALECT_NODE_CLAIM, "a"), "status", json_pack("{s:s}", "providerID", "fake:///a"));
	json_object_set_new(fixture_get_claim(&DIALECT_MACHINE, "m"), "status", json_pack("{s:s}", "providerID", "fake:///a"));
	ck_assert_ptr_null(nodes_claim_of_node(n, fixture_node("n", "a", true), &d));
	teardown();
}
END_TEST

START_TEST(claims_are_found_by_pool_and_class_and_a_view_has_its_class)
{
	setup();
	struct err err = ERR_INIT;
	struct claim_view v;
	fixture_claim(&DIALECT_NODE_CLAIM, "a", "{\"nodeClassRef\":{\"group\":\"kaito.sh\",\"kind\":\"KaitoNodeClass\",\"name\":\"default\"}}");
	CLEANUP(json_decrefp) json_t *by_class = nodes_claims_by(n, &DIALECT_NODE_CLAIM, CLAIM_KEY_CLASS, "default"), *class = NULL;
	CLEANUP(json_decrefp) json_t *by_pool = nodes_claims_by(n, &DIALECT_NODE_CLAIM, CLAIM_KEY_POOL, "kaito");
	ck_assert_uint_eq(json_array_size(by_class), 1);
	ck_assert_uint_eq(json_array_size(by_pool), 1);
	ck_assert_int_eq(nodes_view(n, json_array_get(by_class, 0), &v, &class, &err), 0);
	ck_assert_ptr_null(v.node_class);
	claim_view_done(&v);
	fake_put(&KUBE_NODE_CLASSES, parse("{\"metadata\":{\"name\":\"default\"},\"spec\":{\"maxPods\":30}}"));
	ck_assert_int_eq(nodes_view(n, json_array_get(by_class, 0), &v, &class, &err), 0);
	ck_assert_int_eq(json_int_at(v.node_class, 0, "maxPods", NULL), 30);
	claim_view_done(&v);
	teardown();
}
END_TEST

START_TEST(a_disruption_deletes_once_and_is_counted)
{
	setup();
	struct err err = ERR_INIT;
	fixture_claim(&DIALECT_NODE_CLAIM, "a", NULL);
	json_t *claim = fixture_get_claim(&DIALECT_NODE_CLAIM, "a");
	json_object_set_new(json_object_get(claim, "metadata"), "finalizers", json_pack("[s]", FINALIZER_TERMINATION));
	ck_assert_int_eq(nodes_disrupt(n, &DIALECT_NODE_CLAIM, claim, "garbage_collected", &err), 0);
	ck_assert_int_eq(nodes_disrupt(n, &DIALECT_NODE_CLAIM, claim, "garbage_collected", &err), 0);
	ck_assert_uint_eq(fixture_writes("delete nodeclaims a"), 1);
	ck_assert_uint_eq(fixture_writes("event Warning GarbageCollected a: NodeClaim is deleted: garbage_collected"), 1);
	ck_assert(metrics_value(n->op.metrics, NODES_DISRUPTED, "reason=\"garbage_collected\",nodepool=\"kaito\",capacity_type=\"\"") == 1);
	CLEANUP(json_decrefp) json_t *other = json_deep_copy(claim);
	json_object_del(json_object_get(other, "metadata"), "deletionTimestamp");
	json_object_set_new(json_object_get(other, "metadata"), "uid", json_string("of another"));
	ck_assert_int_eq(nodes_disrupt(n, &DIALECT_NODE_CLAIM, other, "expired", &err), 0);
	ck_assert(metrics_value(n->op.metrics, NODES_DISRUPTED, "reason=\"expired\",nodepool=\"kaito\",capacity_type=\"\"") == 0);
	teardown();
}
END_TEST

START_TEST(taints_are_the_same_by_key_and_effect_and_tolerated_by_kubernetes_rules)
{
	CLEANUP(json_decrefp) json_t *into = parse("[{\"key\":\"a\",\"value\":\"1\",\"effect\":\"NoSchedule\"}]");
	CLEANUP(json_decrefp) json_t *from = parse("[{\"key\":\"a\",\"value\":\"2\",\"effect\":\"NoSchedule\"},{\"key\":\"a\",\"effect\":\"NoExecute\"},3]");
	taints_merge(into, from);
	ck_assert_uint_eq(json_array_size(into), 2);
	ck_assert_str_eq(json_text_at(into, "", "#0", "value", NULL), "1");
	ck_assert(taints_have(into, "a", "NoExecute"));
	static const struct { const char *toleration; bool tolerates; } ROWS[] = {
		{"{\"key\":\"k\",\"operator\":\"Exists\"}", true},
		{"{\"operator\":\"Exists\"}", true},
		{"{\"key\":\"k\",\"value\":\"v\"}", true},
		{"{\"key\":\"k\",\"operator\":\"Equal\",\"value\":\"v\",\"effect\":\"NoSchedule\"}", true},
		{"{\"key\":\"k\",\"operator\":\"Exists\",\"effect\":\"NoExecute\"}", false},
		{"{\"key\":\"k\",\"value\":\"w\"}", false},
		{"{\"value\":\"v\"}", false},
		{"{\"key\":\"j\",\"operator\":\"Exists\"}", false},
		{"{\"key\":\"k\",\"operator\":\"Near\",\"value\":\"v\"}", false},
	};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		CLEANUP(json_decrefp) json_t *pod = json_pack("{s:{s:[o]}}", "spec", "tolerations", parse(ROWS[i].toleration));
		ck_assert_msg(pod_tolerates(pod, "k", "v", "NoSchedule") == ROWS[i].tolerates, "%s", ROWS[i].toleration);
	}
}
END_TEST

START_TEST(durations)
{
	static const struct { const char *text; int64_t s; } ROWS[] = {{"30s", 30}, {"1h30m", 5400}, {"720h", 2592000}, {"", -1}, {"Never", -1}, {"5", -1}, {"5d", -1}, {"m", -1}, {"99999999999999h", -1}};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		int64_t s = -1;
		ck_assert_int_eq(nodes_duration_s(ROWS[i].text, &s), ROWS[i].s >= 0);
		ck_assert_int_eq(s, ROWS[i].s);
	}
}
END_TEST

static void ignore(void *list, const char *key) { (void)list; (void)key; }

START_TEST(claims_are_counted_by_state)
{
	setup();
	fixture_claim(&DIALECT_NODE_CLAIM, "a", NULL);
	fixture_claim(&DIALECT_MACHINE, "m", NULL);
	fake_set_condition(fixture_get_claim(&DIALECT_MACHINE, "m"), "MachineLaunched", "True", "", "");
	CLEANUP(buf_done) struct buf keys = {0};
	NODES_LIFECYCLE.keys(n, NODES_CLAIMS, fixture_get_claim(&DIALECT_NODE_CLAIM, "a"), ignore, &keys);
	nodes_collect(n);
	fixture_claim(&DIALECT_NODE_CLAIM, "b", NULL);
	nodes_collect(n); /* nobody heard of it yet */
	ck_assert(metrics_value(n->op.metrics, NODES_CLAIMS_GAUGE, "state=\"launching\"") == 1);
	ck_assert(metrics_value(n->op.metrics, NODES_CLAIMS_GAUGE, "state=\"registering\"") == 1);
	ck_assert(metrics_value(n->op.metrics, NODES_CLAIMS_GAUGE, "state=\"ready\"") == 0);
	teardown();
}
END_TEST

START_TEST(a_hold_ends_by_itself_and_grows_with_failures)
{
	static struct holdoff h;
	uint64_t inputs = 0;
	holdoff_set(&h, "u", 7, 1000);
	ck_assert_int_eq(holdoff_left(&h, "u", 400, &inputs), 600);
	ck_assert_uint_eq(inputs, 7);
	ck_assert_int_eq(holdoff_left(&h, "u", 1000, NULL), 0);
	holdoff_set(&h, "u", 7, HOLDOFF_NEVER);
	ck_assert_int_eq(holdoff_left(&h, "u", 400, NULL), HOLDOFF_NEVER);
	holdoff_forget(&h, "u");
	ck_assert_int_eq(holdoff_left(&h, "u", 400, NULL), 0);
	for (int i = 0; i < 12; i++) {
		int64_t whole = i < 6 ? (int64_t)1000 << i : 60000, delay = holdoff_fail(&h, "u", 7, 0);
		ck_assert_int_le(delay, whole);
		ck_assert_int_ge(delay, whole * 9 / 10);
		ck_assert_int_eq(holdoff_left(&h, "u", 0, NULL), delay);
	}
}
END_TEST

int main(void)
{
	CHECK_RUN("caches", 30, a_heartbeat_leaves_a_nodes_text_unchanged, of_a_node_only_what_is_read_is_kept, objects_of_others_are_dropped, a_node_that_waits_for_registration_is_seen_without_any_label,
		  a_node_finds_its_claim_by_provider_id_by_owner_and_by_the_clouds_labels, two_claims_with_one_provider_id_are_none,
		  claims_are_found_by_pool_and_class_and_a_view_has_its_class, a_disruption_deletes_once_and_is_counted,
		  taints_are_the_same_by_key_and_effect_and_tolerated_by_kubernetes_rules, durations, claims_are_counted_by_state,
		  a_hold_ends_by_itself_and_grows_with_failures);
}

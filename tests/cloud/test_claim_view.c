/* What is read out of a NodeClaim or Machine: lists in the order given, narrowed by every operator; contradictions are named. */
#include "check_main.h"

#include "cloud/claim_view.h"
#include "codec/json.h"
#include "kube/meta.h"

static json_t *claim;
static struct claim_view v;
static struct err err;

static json_t *parse(const char *text)
{
	json_t *out = NULL;
	ck_assert_msg(json_parse(&out, str_of(text), "test", &err) == 0, "%s", err.message);
	return out;
}

static void drop(void)
{
	claim_view_done(&v);
	json_decref(claim);
	claim = NULL;
}

/* A requirement is "key Operator value value"; they are separated by ";". */
static json_t *requirements_of(const char *text)
{
	json_t *list = json_array();
	char copy[1024], *rest = copy, *one;
	snprintf(copy, sizeof copy, "%s", text);
	while ((one = strsep(&rest, ";")) && one[0]) {
		const char *key = strsep(&one, " "), *operator = strsep(&one, " ");
		json_t *values = json_array();
		for (const char *value; (value = strsep(&one, " "));)
			json_array_append_new(values, json_string(value));
		json_array_append_new(list, json_pack("{s:s,s:s,s:o}", "key", key, "operator", operator, "values", values));
	}
	return list;
}

static int view_of(const char *version, const char *kind, const char *requirements)
{
	drop();
	claim = json_pack("{s:s,s:s,s:{s:s,s:s,s:s},s:{s:o}}", "apiVersion", version, "kind", kind, "metadata", "name", "ws1", "uid", "u1", "creationTimestamp",
			  "2026-11-24T08:00:00Z", "spec", "requirements", requirements_of(requirements));
	return claim_view_init(&v, claim, &err);
}

static void view(const char *requirements)
{
	ck_assert_msg(view_of("karpenter.sh/v1", "NodeClaim", requirements) == 0, "%s", err.message);
}

static void check_list(const char *const *list, size_t n, const char *wanted)
{
	char text[512] = "";
	for (size_t i = 0; i < n; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", list[i]);
	ck_assert_str_eq(text, wanted);
}

#define TYPE LABEL_INSTANCE_TYPE
#define SKU "karpenter.azure.com/sku-name"
#define ZONE LABEL_ZONE
#define CAPACITY LABEL_CAPACITY_TYPE

START_TEST(instance_types_keep_their_order_and_narrow)
{
	static const struct { const char *requirements, *types; } ROWS[] = {
		{"", ""},
		{TYPE " In b a c", "b a c"},
		{TYPE " In b a b B", "b a"},
		{SKU " In b a", "b a"},
		{TYPE " In b a c;" SKU " In C B", "b c"},
		{TYPE " In b a c;" TYPE " NotIn a", "b c"},
		{TYPE " In b a;" TYPE " Exists", "b a"},
		{TYPE " In 4 8 x 16;" TYPE " Gt 4", "8 16"},
		{TYPE " In 4 8 x 16;" TYPE " Lt 16", "4 8"},
		{TYPE " In 4 8 16;" TYPE " Gte 8;" TYPE " Lte 8", "8"},
		{TYPE " NotIn a", ""},
		{"example.com/unknown In z;" TYPE " In a", "a"},
	};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		view(ROWS[i].requirements);
		check_list(v.instance_types, v.n_instance_types, ROWS[i].types);
	}
	drop();
}
END_TEST

START_TEST(zones_are_the_claims_unless_it_is_regional)
{
	view(ZONE " In eastus-2 eastus-1");
	check_list(v.zones, v.n_zones, "eastus-2 eastus-1");
	ck_assert(!v.regional);
	view(ZONE " In eastus-2 eastus-1;karpenter.azure.com/placement-scope In regional");
	check_list(v.zones, v.n_zones, "");
	ck_assert(v.regional);
	view("karpenter.azure.com/placement-scope In zonal regional;" ZONE " In eastus-2");
	check_list(v.zones, v.n_zones, "eastus-2");
	view(ZONE " DoesNotExist");
	ck_assert(v.regional);
	view(ZONE " NotIn eastus-1");
	ck_assert_uint_eq(v.n_zones, 0);
	ck_assert(!claim_view_allows(&v, ZONE, "eastus-1") && claim_view_allows(&v, ZONE, "eastus-2") && claim_view_allows(&v, "example.com/x", "y"));
	drop();
}
END_TEST

START_TEST(spot_is_used_only_when_asked_for)
{
	static const struct { const char *requirements; bool spot, on_demand; } ROWS[] = {
		{"", false, true},
		{CAPACITY " In spot", true, false},
		{CAPACITY " In on-demand", false, true},
		{CAPACITY " In on-demand spot", true, true},
		{CAPACITY " In reserved on-demand", false, true},
		{CAPACITY " Exists", false, true},
		{CAPACITY " NotIn spot", false, true},
		{CAPACITY " NotIn on-demand", true, false},
	};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		view(ROWS[i].requirements);
		ck_assert_msg(v.spot == ROWS[i].spot && v.on_demand == ROWS[i].on_demand, "%s", ROWS[i].requirements);
	}
	drop();
}
END_TEST

START_TEST(system_and_architecture_have_defaults)
{
	view("");
	ck_assert_str_eq(v.os, "linux");
	ck_assert_str_eq(v.arch, "amd64");
	view("kubernetes.io/os In windows linux;kubernetes.io/arch NotIn amd64");
	ck_assert_str_eq(v.os, "windows");
	ck_assert_str_eq(v.arch, "arm64");
	drop();
}
END_TEST

START_TEST(contradictions_are_named)
{
	static const struct { const char *requirements, *named; } ROWS[] = {
		{TYPE " In a;" TYPE " In b", TYPE},
		{TYPE " In a;" SKU " NotIn A", TYPE},
		{TYPE " DoesNotExist", TYPE},
		{ZONE " In a;" ZONE " NotIn a", ZONE},
		{ZONE " In a;" ZONE " DoesNotExist", ZONE},
		{CAPACITY " In reserved", CAPACITY},
		{CAPACITY " In spot;" CAPACITY " NotIn spot", CAPACITY},
		{"kubernetes.io/os In linux;kubernetes.io/os In windows", "kubernetes.io/os"},
		{"kubernetes.io/arch NotIn amd64 arm64", "kubernetes.io/arch"},
		{TYPE " Near a", "Near"},
	};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		ck_assert_msg(view_of("karpenter.sh/v1", "NodeClaim", ROWS[i].requirements) == -1, "%s", ROWS[i].requirements);
		ck_assert_int_eq(err.kind, ERR_INVALID);
		ck_assert_msg(strstr(err.message, ROWS[i].named) != NULL, "%s", err.message);
	}
	drop();
}
END_TEST

static int view_with_values(size_t requirements, size_t values)
{
	drop();
	json_t *list = json_array();
	for (size_t i = 0; i < requirements; i++) {
		json_t *texts = json_array();
		for (size_t k = 0; i == 0 && k < values; k++)
			json_array_append_new(texts, json_sprintf("t%zu", k));
		json_array_append_new(list, json_pack("{s:s,s:s,s:o}", "key", i == 0 ? TYPE : "example.com/x", "operator", i == 0 ? "In" : "Exists", "values", texts));
	}
	claim = json_pack("{s:s,s:s,s:{s:s},s:{s:o}}", "apiVersion", "karpenter.sh/v1", "kind", "NodeClaim", "metadata", "name", "ws1", "spec", "requirements", list);
	return claim_view_init(&v, claim, &err);
}

START_TEST(requirements_have_a_ceiling)
{
	ck_assert_int_eq(view_with_values(100, 1000), 0);
	ck_assert_uint_eq(v.n_instance_types, 1000);
	ck_assert_int_eq(view_with_values(101, 1), -1);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
	ck_assert_int_eq(view_with_values(1, 1001), -1);
	drop();
}
END_TEST

START_TEST(both_dialects_are_read_and_nothing_else)
{
	view(TYPE " In a");
	ck_assert_ptr_eq(v.dialect, &DIALECT_NODE_CLAIM);
	ck_assert_str_eq(v.name, "ws1");
	ck_assert_str_eq(v.uid, "u1");
	ck_assert_int_eq(v.created_s, 1795507200);
	ck_assert_int_eq(view_of("karpenter.sh/v1alpha5", "Machine", TYPE " In a"), 0);
	ck_assert_ptr_eq(v.dialect, &DIALECT_MACHINE);
	ck_assert_int_eq(view_of("karpenter.sh/v1", "NodePool", ""), -1);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	ck_assert_int_eq(view_of("v1", "Node", ""), -1);
	ck_assert_ptr_eq(dialect_find("machine"), &DIALECT_MACHINE);
	ck_assert_ptr_null(dialect_find("node"));
	drop();
}
END_TEST

START_TEST(the_rest_of_a_claim_is_borrowed)
{
	claim = parse("{\"apiVersion\":\"karpenter.sh/v1\",\"kind\":\"NodeClaim\",\"metadata\":{\"name\":\"ws1\",\"labels\":{\"kaito.sh/workspace\":\"w\"},"
		      "\"annotations\":{\"kaito.sh/node-image-family\":\"azurelinux\",\"kaito.sh/cloud-operation\":\"{}\"}},"
		      "\"spec\":{\"nodeClassRef\":{\"group\":\"kaito.sh\",\"kind\":\"KaitoNodeClass\",\"name\":\"default\"},"
		      "\"resources\":{\"requests\":{\"storage\":\"120Gi\"}},\"taints\":[{\"key\":\"sku\"}],\"startupTaints\":[{\"key\":\"s\"}]}}");
	ck_assert_int_eq(claim_view_init(&v, claim, &err), 0);
	ck_assert_int_eq(v.storage_bytes, (int64_t)120 << 30);
	ck_assert_str_eq(v.image_family, "azurelinux");
	ck_assert_str_eq(v.memo, "{}");
	ck_assert_str_eq(v.class_name, "default");
	ck_assert_str_eq(v.class_group, "kaito.sh");
	ck_assert_uint_eq(json_array_size(v.taints), 1);
	ck_assert_uint_eq(json_array_size(v.startup_taints), 1);
	json_object_set_new(json_at(claim, "spec", "resources", "requests", NULL), "storage", json_string("much"));
	claim_view_done(&v);
	ck_assert_int_eq(claim_view_init(&v, claim, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "storage"));
	drop();
}
END_TEST

START_TEST(single_values_become_labels_where_nodes_may_carry_them)
{
	view("example.com/team In a;example.com/two In a b;example.com/not NotIn a;" TYPE " In a;kubernetes.io/os In linux;karpenter.sh/nodepool In kaito;"
	     "kubernetes.azure.com/mode In user;node-restriction.kubernetes.io/x In y;" SKU " In a;example.com/bad In -x;plain In p;kubernetes.io/hostname In h");
	json_t *labels = claim_view_requirement_labels(&v), *wanted = json_pack("{s:s,s:s,s:s,s:s}", "example.com/team", "a", "node-restriction.kubernetes.io/x", "y", SKU, "a", "plain", "p");
	char *text = json_dumps(labels, JSON_SORT_KEYS);
	ck_assert_msg(json_equal(labels, wanted), "%s", text);
	free(text);
	json_decref(labels);
	json_decref(wanted);
	drop();
}
END_TEST

START_TEST(managed_claims_and_nodes_are_told_by_class_or_label)
{
	static const struct { const char *object; bool claim, node; } ROWS[] = {
		{"{\"spec\":{\"nodeClassRef\":{\"group\":\"kaito.sh\",\"kind\":\"KaitoNodeClass\"}}}", true, false},
		{"{\"spec\":{\"nodeClassRef\":{\"group\":\"karpenter.azure.com\",\"kind\":\"AKSNodeClass\"}}}", false, false},
		{"{\"metadata\":{\"labels\":{\"kaito.sh/workspace\":\"w\"}},\"spec\":{\"nodeClassRef\":{\"group\":\"karpenter.azure.com\",\"kind\":\"AKSNodeClass\"}}}", true, true},
		{"{\"metadata\":{\"labels\":{\"kaito.sh/ragengine\":\"w\"}}}", true, true},
		{"{\"metadata\":{\"labels\":{\"kaito.sh/kaitonodeclass\":\"default\"}}}", false, true},
		{"{}", false, false},
	};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		json_t *object = parse(ROWS[i].object);
		ck_assert_msg(claim_managed(object) == ROWS[i].claim && claim_managed_node(object) == ROWS[i].node, "%s", ROWS[i].object);
		json_decref(object);
	}
}
END_TEST

START_TEST(times_are_read)
{
	ck_assert_int_eq(claim_view_time("1970-01-01T00:01:00Z"), 60);
	ck_assert_int_eq(claim_view_time("1970-01-01T00:01:00.5Z"), 60);
	ck_assert_int_eq(claim_view_time("1970-01-01"), 0);
	ck_assert_int_eq(claim_view_time(NULL), 0);
}
END_TEST

int main(void)
{
	CHECK_RUN("claim_view", 20, instance_types_keep_their_order_and_narrow, zones_are_the_claims_unless_it_is_regional, spot_is_used_only_when_asked_for,
		  system_and_architecture_have_defaults, contradictions_are_named, requirements_have_a_ceiling, both_dialects_are_read_and_nothing_else,
		  the_rest_of_a_claim_is_borrowed, single_values_become_labels_where_nodes_may_carry_them, managed_claims_and_nodes_are_told_by_class_or_label,
		  times_are_read);
}

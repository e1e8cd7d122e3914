/* test_agent_pool.c: names, the body that is sent (as gpu-provisioner sends it, and what a node class adds), reading pools back, whose they
 * are, and pools in providerIDs. */
#include "azure/agent_pool.h"
#include "catalog/class_field.h"
#include "check_main.h"
#include "codec/json.h"
#include "kube/meta.h"

#define UID "11111111-2222-3333-4444-555555555555"
static json_t *claim_object, *class_object;
static struct claim_view claim;
static struct err err;

static json_t *json(const char *text)
{
	json_t *out = NULL;
	struct err e = ERR_INIT;
	ck_assert_msg(json_parse(&out, str_of(text), "test", &e) == 0, "%s", e.message);
	return out;
}

static void clear(void)
{
	claim_view_done(&claim);
	json_decref(claim_object);
	json_decref(class_object);
	claim = (struct claim_view){0};
	claim_object = class_object = NULL;
	err = ERR_INIT;
}

/* A claim as the Workspace controller makes it; `more` goes into its spec, `labels` and `annotations` into its metadata. */
static void make(const char *name, const char *labels, const char *annotations, const char *more)
{
	clear();
	CLEANUP(mem_freep) char *text = mem_printf(
		"{\"apiVersion\":\"karpenter.sh/v1\",\"kind\":\"NodeClaim\",\"metadata\":{\"name\":\"%s\",\"uid\":\"" UID "\",\"creationTimestamp\":\"2026-11-24T08:05:09Z\","
		"\"labels\":{\"karpenter.sh/nodepool\":\"kaito\",\"kaito.sh/workspace\":\"phi\",\"kaito.sh/workspacenamespace\":\"default\"%s},"
		"\"annotations\":{\"karpenter.sh/do-not-disrupt\":\"true\"%s}},"
		"\"spec\":{\"nodeClassRef\":{\"group\":\"kaito.sh\",\"kind\":\"KaitoNodeClass\",\"name\":\"default\"},\"requirements\":["
		"{\"key\":\"node.kubernetes.io/instance-type\",\"operator\":\"In\",\"values\":[\"Standard_NC24ads_A100_v4\"]},"
		"{\"key\":\"kubernetes.io/os\",\"operator\":\"In\",\"values\":[\"linux\"]}],"
		"\"taints\":[{\"key\":\"sku\",\"value\":\"gpu\",\"effect\":\"NoSchedule\"}]%s}}", name, labels, annotations, more);
	claim_object = json(text);
	ck_assert_msg(claim_view_init(&claim, claim_object, &err) == 0, "%s", err.message);
}
#define STORAGE ",\"resources\":{\"requests\":{\"storage\":\"1024Gi\"}}"

static void use_class(const char *spec)
{
	json_decref(class_object);
	claim.node_class = class_object = json(spec);
}

static json_t *body(bool spot, const char *zone, const char *api_version)
{
	json_t *out = NULL;
	char pool[POOL_NAME_MAX + 1];
	struct offering offering = {"Standard_NC24ads_A100_v4", zone, spot};
	agent_pool_name(&claim, pool);
	ck_assert_msg(agent_pool_body(&claim, &offering, pool, api_version, &out, &err) == 0, "%s", err.message);
	json_t *properties = json_incref(json_object_get(out, "properties"));
	ck_assert_uint_eq(json_object_size(out), 1);
	json_decref(out);
	return properties;
}

static void refused(const char *zone, const char *api_version, const char *why)
{
	json_t *out = NULL;
	struct offering offering = {"Standard_NC24ads_A100_v4", zone, true};
	err = ERR_INIT;
	ck_assert_int_eq(agent_pool_body(&claim, &offering, "pool", api_version, &out, &err), -1);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	ck_assert_msg(strstr(err.message, why) && !out, "'%s' is not in: %s", why, err.message);
}

static void same(const json_t *got, const char *want_text)
{
	json_t *want = json(want_text);
	CLEANUP(buf_done) struct buf text = {0};
	json_print(got, JSON_PRINT_SORTED, &text);
	ck_assert_msg(json_equal(got, want), "%s\nis not\n%s", text.data, want_text);
	json_decref(want);
}

/* --- names ----------------------------------------------------------------------------------------------------- */

START_TEST(names_follow_the_rule_of_aks)
{
	static const struct { const char *name; bool valid; } NAMES[] = {
		{"a", true}, {"ws0123456789", true}, {"abcdefghijkl", true}, {"abcdefghijklm", false}, {"", false}, {"1a", false}, {"aA", false},
		{"a-b", false}, {"a.b", false}, {"A", false}, {"\xc3\xa9", false}, {"a ", false},
	};
	for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
		ck_assert_msg(agent_pool_name_valid(NAMES[i].name) == NAMES[i].valid, "%s", NAMES[i].name);
	ck_assert(!agent_pool_name_valid(NULL));
}
END_TEST

START_TEST(long_claim_names_get_a_pool_name_of_their_own)
{
	char a[POOL_NAME_MAX + 1], b[POOL_NAME_MAX + 1], again[POOL_NAME_MAX + 1];
	make("ws0123456789", "", "", STORAGE);
	agent_pool_name(&claim, a);
	ck_assert_str_eq(a, "ws0123456789");
	make("default-workspace-phi-x7k2p", "", "", STORAGE);
	agent_pool_name(&claim, a);
	agent_pool_name(&claim, again);
	make("default-workspace-phi-x7k2q", "", "", STORAGE);
	agent_pool_name(&claim, b);
	ck_assert(agent_pool_name_valid(a) && agent_pool_name_valid(b) && a[0] == 'k' && strlen(a) == POOL_NAME_MAX);
	ck_assert_str_ne(a, b);
	ck_assert_str_eq(a, again);
	ck_assert_str_eq(a, "ka6c02df382a"); /* for ever: a restart after an upgrade must find its pools */
}
END_TEST

/* --- the body -------------------------------------------------------------------------------------------------- */

START_TEST(body_is_that_of_gpu_provisioner)
{
	make("ws0123456789", "", ",\"kaito.sh/node-image-family\":\"ubuntu\"", STORAGE);
	CLEANUP(json_decrefp) json_t *p = body(false, "", NULL);
	same(p, "{\"nodeLabels\":{\"karpenter.sh/nodepool\":\"kaito\",\"kaito.sh/workspace\":\"phi\",\"kaito.sh/workspacenamespace\":\"default\","
		"\"kaito.sh/machine-type\":\"gpu\",\"kaito.sh/creation-timestamp\":\"2026-11-24T08-05-09Z\"},"
		"\"nodeTaints\":[\"sku=gpu:NoSchedule\"],\"type\":\"VirtualMachineScaleSets\",\"vmSize\":\"Standard_NC24ads_A100_v4\",\"osType\":\"Linux\",\"osSKU\":\"Ubuntu\","
		"\"count\":1,\"osDiskSizeGB\":1024,\"mode\":\"User\",\"enableNodePublicIP\":false,"
		"\"tags\":{\"kaito-nodeclaim\":\"ws0123456789\",\"kaito-nodeclaim-uid\":\"" UID "\"}}");
}
END_TEST

START_TEST(body_of_a_machine_has_the_labels_of_its_dialect)
{
	clear();
	claim_object = json("{\"apiVersion\":\"karpenter.sh/v1alpha5\",\"kind\":\"Machine\",\"metadata\":{\"name\":\"machine1\",\"uid\":\"u\",\"creationTimestamp\":\"2026-11-24T08:05:09Z\","
			    "\"labels\":{\"kaito.sh/workspace\":\"phi\"}},\"spec\":{\"machineTemplateRef\":{\"name\":\"default\"},\"requirements\":["
			    "{\"key\":\"node.kubernetes.io/instance-type\",\"operator\":\"In\",\"values\":[\"Standard_NC6s_v3\"]}]" STORAGE "}}");
	ck_assert_msg(claim_view_init(&claim, claim_object, &err) == 0, "%s", err.message);
	CLEANUP(json_decrefp) json_t *p = body(false, "", NULL);
	ck_assert_str_eq(json_text_at(p, "", "nodeLabels", "karpenter.sh/provisioner-name", NULL), "default");
	ck_assert_ptr_null(json_at(p, "nodeLabels", "karpenter.sh/nodepool", NULL));
	ck_assert_uint_eq(json_array_size(json_object_get(p, "nodeTaints")), 0);
}
END_TEST

START_TEST(labels_that_aks_refuses_stay_on_the_claim)
{
	static const struct { const char *key; bool sent; } LABELS[] = {
		{"kubernetes.azure.com/mode", false}, {"x.kubernetes.azure.com/y", false}, {"kubernetes.io/hostname", false}, {"topology.kubernetes.io/zone", false},
		{"node-role.kubernetes.io/gpu", false}, {"node-restriction.kubernetes.io/a", false}, {"k8s.io/a", false}, {"sigs.k8s.io/a", false}, {"agentpool", false},
		{"accelerator", false}, {"karpenter.sh/capacity-type", true}, {"node.kubernetes.io/instance-type", true}, {"kubelet.kubernetes.io/a", true},
		{"notkubernetes.io/a", true}, {"apps", true}, {"example.com/team", true}, {"kubernetes.io.example.com/a", true},
	};
	CLEANUP(buf_done) struct buf labels = {0};
	for (size_t i = 0; i < sizeof LABELS / sizeof LABELS[0]; i++)
		buf_printf(&labels, ",\"%s\":\"v\"", LABELS[i].key);
	make("ws0123456789", labels.data, "", STORAGE);
	CLEANUP(json_decrefp) json_t *p = body(false, "", NULL);
	for (size_t i = 0; i < sizeof LABELS / sizeof LABELS[0]; i++)
		ck_assert_msg((json_at(p, "nodeLabels", LABELS[i].key, NULL) != NULL) == LABELS[i].sent, "%s", LABELS[i].key);
}
END_TEST

START_TEST(the_claims_name_is_a_label_when_the_pool_has_another)
{
	make("default-workspace-phi-x7k2p", "", "", STORAGE);
	CLEANUP(json_decrefp) json_t *p = body(false, "", NULL);
	ck_assert_str_eq(json_text_at(p, "", "nodeLabels", LABEL_CLAIM_NAME, NULL), "default-workspace-phi-x7k2p");
	ck_assert_str_eq(json_text_at(p, "", "tags", TAG_CLAIM, NULL), "default-workspace-phi-x7k2p");
	make("a123456789.123456789.123456789.123456789.123456789.123456789.123", "", "", STORAGE); /* 64: no value of a label */
	CLEANUP(json_decrefp) json_t *q = body(false, "", NULL);
	ck_assert_ptr_null(json_at(q, "nodeLabels", LABEL_CLAIM_NAME, NULL));
	ck_assert_str_eq(json_text_at(q, "", "tags", TAG_CLAIM, NULL), claim.name);
}
END_TEST

START_TEST(startup_taints_go_where_they_can_be_removed_from)
{
	make("ws1", "", "", STORAGE ",\"startupTaints\":[{\"key\":\"example.com/init\",\"effect\":\"NoExecute\"},{\"key\":\"boot\",\"value\":\"v\",\"effect\":\"NoSchedule\"},"
				   "{\"key\":\"boot\",\"value\":\"v\",\"effect\":\"NoSchedule\"},{\"key\":\"x\"},7]");
	static const struct { const char *api_version; bool sent; } VERSIONS[] = {
		{NULL, false}, {"2024-01-01", false}, {"2024-09-02-preview", false}, {"2025-10-01", false}, {"2025-10-02-preview", true}};
	for (size_t i = 0; i < sizeof VERSIONS / sizeof VERSIONS[0]; i++) {
		CLEANUP(json_decrefp) json_t *p = body(false, "", VERSIONS[i].api_version);
		same(json_object_get(p, "nodeTaints"), "[\"sku=gpu:NoSchedule\"]");
		if (VERSIONS[i].sent)
			same(json_object_get(p, "nodeInitializationTaints"), "[\"example.com/init=:NoExecute\",\"boot=v:NoSchedule\"]");
		else
			ck_assert_ptr_null(json_object_get(p, "nodeInitializationTaints"));
	}
}
END_TEST

START_TEST(machine_type_is_by_catalogue_then_by_letter)
{
	static const struct { const char *size, *type; } SIZES[] = {
		{"Standard_NC24ads_A100_v4", "gpu"}, {"standard_nc24ads_a100_v4", "gpu"}, {"Standard_D8s_v5", "cpu"}, {"Standard_NC8ads_X999_v9", "gpu"},
		{"standard_nd1_v9", "gpu"}, {"Standard_NP10s", "cpu"}, {"Standard_B2ms", "cpu"}, {"Standard_", "cpu"},
	};
	make("ws1", "", "", STORAGE);
	for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
		json_t *out = NULL;
		struct offering offering = {SIZES[i].size, NULL, false};
		ck_assert_int_eq(agent_pool_body(&claim, &offering, "ws1", NULL, &out, &err), 0);
		ck_assert_str_eq(json_text_at(out, "", "properties", "nodeLabels", LABEL_MACHINE_TYPE, NULL), SIZES[i].type);
		ck_assert_str_eq(json_text_at(out, "", "properties", "vmSize", NULL), SIZES[i].size);
		json_decref(out);
	}
	json_t *out = NULL;
	struct offering renamed = {"Standard_ND96asr_A100_v4", NULL, false}; /* upstream's spelling */
	ck_assert_int_eq(agent_pool_body(&claim, &renamed, "ws1", NULL, &out, &err), 0);
	ck_assert_str_eq(json_text_at(out, "", "properties", "vmSize", NULL), "Standard_ND96asr_v4");
	json_decref(out);
}
END_TEST

START_TEST(image_family_is_the_claims_then_the_classes)
{
	static const struct { const char *annotation, *class, *sku; } FAMILIES[] = {
		{"", NULL, "Ubuntu"}, {"ubuntu", NULL, "Ubuntu"}, {"AzureLinux", NULL, "AzureLinux"}, {"azurelinux", "Ubuntu", "AzureLinux"}, {"plan9", NULL, "Ubuntu"},
		{"", "AzureLinux", "AzureLinux"}, {"ubuntu", "AzureLinux", "Ubuntu"}, {"ubuntu", "Ubuntu2204", "Ubuntu2204"}, {"plan9", "AzureLinux", "AzureLinux"},
	};
	for (size_t i = 0; i < sizeof FAMILIES / sizeof FAMILIES[0]; i++) {
		CLEANUP(mem_freep) char *annotation = mem_printf(",\"kaito.sh/node-image-family\":\"%s\"", FAMILIES[i].annotation);
		CLEANUP(mem_freep) char *spec = mem_printf("{\"imageFamily\":\"%s\"}", FAMILIES[i].class ? FAMILIES[i].class : "");
		make("ws1", "", FAMILIES[i].annotation[0] ? annotation : "", STORAGE);
		if (FAMILIES[i].class)
			use_class(spec);
		CLEANUP(json_decrefp) json_t *p = body(false, "", "2025-10-01");
		ck_assert_msg(strcmp(json_text_at(p, "", "osSKU", NULL), FAMILIES[i].sku) == 0, "%zu: %s", i, json_text_at(p, "", "osSKU", NULL));
	}
}
END_TEST

START_TEST(disk_is_the_larger_of_claim_and_class)
{
	static const struct { const char *storage, *class; int64_t gib; } DISKS[] = {
		{"1Gi", NULL, 1}, {"1536Mi", NULL, 1}, {"100G", NULL, 93}, {"2048Gi", NULL, 2048}, {"100Gi", "{\"osDiskSizeGB\":300}", 300}, {"500Gi", "{\"osDiskSizeGB\":300}", 500},
		{"0", "{\"osDiskSizeGB\":128}", 128},
	};
	for (size_t i = 0; i < sizeof DISKS / sizeof DISKS[0]; i++) {
		CLEANUP(mem_freep) char *resources = mem_printf(",\"resources\":{\"requests\":{\"storage\":\"%s\"}}", DISKS[i].storage);
		make("ws1", "", "", resources);
		if (DISKS[i].class)
			use_class(DISKS[i].class);
		CLEANUP(json_decrefp) json_t *p = body(false, "", NULL);
		ck_assert_int_eq(json_int_at(p, 0, "osDiskSizeGB", NULL), DISKS[i].gib);
	}
	make("ws1", "", "", "");
	refused("", NULL, "spec.resources.requests.storage");
	make("ws1", "", "", ",\"resources\":{\"requests\":{\"storage\":\"1023Mi\"}}");
	refused("", NULL, "spec.resources.requests.storage");
	make("ws1", "", "", ",\"resources\":{\"requests\":{\"storage\":\"2049Gi\"}}");
	refused("", NULL, "2048Gi");
	make("ws1", "", "", ",\"resources\":{\"requests\":{\"storage\":\"1e18\"}}");
	refused("", NULL, "2048Gi");
}
END_TEST

START_TEST(zones_are_numbers)
{
	make("ws1", "", "", STORAGE);
	CLEANUP(json_decrefp) json_t *a = body(false, "eastus-2", NULL);
	same(json_object_get(a, "availabilityZones"), "[\"2\"]");
	CLEANUP(json_decrefp) json_t *b = body(false, "3", NULL);
	same(json_object_get(b, "availabilityZones"), "[\"3\"]");
	CLEANUP(json_decrefp) json_t *c = body(false, "eastus-0", NULL);
	ck_assert_ptr_null(json_object_get(c, "availabilityZones"));
	use_class("{\"zones\":[\"1\",\"3\"]}");
	CLEANUP(json_decrefp) json_t *d = body(false, "", NULL);
	same(json_object_get(d, "availabilityZones"), "[\"1\",\"3\"]");
	CLEANUP(json_decrefp) json_t *e = body(false, "eastus-3", NULL);
	same(json_object_get(e, "availabilityZones"), "[\"3\"]");
	refused("eastus-2", NULL, "spec.zones");
	refused("us-east-1a", NULL, "'us-east-1a'");
	refused("12", NULL, "'12'");
	claim.regional = true;
	CLEANUP(json_decrefp) json_t *f = body(false, "", NULL);
	ck_assert_ptr_null(json_object_get(f, "availabilityZones"));
}
END_TEST

START_TEST(spot_pools_are_deleted_on_eviction)
{
	make("ws1", "", "", STORAGE);
	CLEANUP(json_decrefp) json_t *a = body(true, "", NULL);
	ck_assert_str_eq(json_text_at(a, "", "scaleSetPriority", NULL), "Spot");
	ck_assert_str_eq(json_text_at(a, "", "scaleSetEvictionPolicy", NULL), "Delete");
	ck_assert_double_eq(json_number_value(json_object_get(a, "spotMaxPrice")), -1);
	use_class("{\"spotMaxPrice\":\"1.25\"}");
	CLEANUP(json_decrefp) json_t *b = body(true, "", NULL);
	ck_assert_double_eq(json_number_value(json_object_get(b, "spotMaxPrice")), 1.25);
	CLEANUP(json_decrefp) json_t *c = body(false, "", NULL);
	ck_assert(!json_object_get(c, "scaleSetPriority") && !json_object_get(c, "spotMaxPrice"));
}
END_TEST

#define RG "/subscriptions/s/resourceGroups/rg/providers/Microsoft."
START_TEST(class_fields_reach_their_properties)
{
	make("ws1", "", "", STORAGE);
	use_class("{\"vnetSubnetID\":\"" RG "Network/virtualNetworks/v/subnets/n\",\"podSubnetID\":\"" RG "network/virtualnetworks/v/subnets/p\",\"tags\":{\"team\":\"ml\",\"KAITO-nodeclaim\":\"forged\"},"
		  "\"osDiskType\":\"Ephemeral\",\"maxPods\":110,\"gpuDriver\":\"None\",\"gpuInstanceProfile\":\"MIG3g\",\"kubeletDiskType\":\"Temporary\","
		  "\"capacityReservationGroupID\":\"" RG "Compute/capacityReservationGroups/c\",\"proximityPlacementGroupID\":\"" RG "Compute/proximityPlacementGroups/g\","
		  "\"enableEncryptionAtHost\":true,\"imageFamily\":null,\"unknown\":{\"of\":\"another version\"}}");
	CLEANUP(json_decrefp) json_t *p = body(false, "", "2025-05-01");
	ck_assert_str_eq(json_text_at(p, "", "vnetSubnetID", NULL), RG "Network/virtualNetworks/v/subnets/n");
	ck_assert_str_eq(json_text_at(p, "", "podSubnetID", NULL), RG "network/virtualnetworks/v/subnets/p");
	same(json_object_get(p, "tags"), "{\"team\":\"ml\",\"kaito-nodeclaim\":\"ws1\",\"kaito-nodeclaim-uid\":\"" UID "\"}");
	ck_assert_str_eq(json_text_at(p, "", "osDiskType", NULL), "Ephemeral");
	ck_assert_int_eq(json_int_at(p, 0, "maxPods", NULL), 110);
	same(json_object_get(p, "gpuProfile"), "{\"driver\":\"None\"}");
	ck_assert_str_eq(json_text_at(p, "", "gpuInstanceProfile", NULL), "MIG3g");
	ck_assert_str_eq(json_text_at(p, "", "kubeletDiskType", NULL), "Temporary");
	ck_assert_str_eq(json_text_at(p, "", "capacityReservationGroupID", NULL), RG "Compute/capacityReservationGroups/c");
	ck_assert_str_eq(json_text_at(p, "", "proximityPlacementGroupID", NULL), RG "Compute/proximityPlacementGroups/g");
	ck_assert(json_is_true(json_object_get(p, "enableEncryptionAtHost")));
	ck_assert_ptr_null(json_object_get(p, "unknown"));
	refused("", "2024-01-01", "spec.gpuDriver needs api-version 2025-02-01");
	ck_assert_uint_eq(json_object_size(json_object_get(class_object, "tags")), 2); /* the class itself is not changed */
}
END_TEST

START_TEST(only_fields_of_the_kind_count)
{
	make("ws1", "", "", STORAGE);
	use_class("{\"maxPods\":50,\"osDiskType\":7,\"gpuDriver\":\"None\"}");
	claim.class_kind = "AKSNodeClass";
	CLEANUP(json_decrefp) json_t *p = body(false, "", NULL);
	ck_assert_int_eq(json_int_at(p, 0, "maxPods", NULL), 50);
	ck_assert(!json_object_get(p, "osDiskType") && !json_object_get(p, "gpuProfile"));
}
END_TEST

START_TEST(fields_out_of_range_are_named)
{
	static const struct { const char *spec, *why; } BAD[] = {
		{"{\"maxPods\":9}", "spec.maxPods must be 10 to 250, is 9"}, {"{\"maxPods\":251}", "spec.maxPods"}, {"{\"maxPods\":\"50\"}", "spec.maxPods"},
		{"{\"osDiskSizeGB\":29}", "spec.osDiskSizeGB"}, {"{\"osDiskSizeGB\":2049}", "spec.osDiskSizeGB"}, {"{\"osDiskType\":\"managed\"}", "Managed Ephemeral"},
		{"{\"osDiskType\":\"\"}", "spec.osDiskType"}, {"{\"imageFamily\":\"Windows\"}", "spec.imageFamily"}, {"{\"zones\":[\"1\",\"2\",\"3\",\"4\"]}", "spec.zones"},
		{"{\"zones\":[\"a\"]}", "spec.zones"}, {"{\"zones\":\"1\"}", "spec.zones"}, {"{\"zones\":[1]}", "spec.zones"}, {"{\"tags\":{\"a/b\":\"c\"}}", "spec.tags"},
		{"{\"tags\":{\"a\":1}}", "spec.tags"}, {"{\"tags\":[]}", "spec.tags"}, {"{\"vnetSubnetID\":\"/subscriptions/s\"}", "spec.vnetSubnetID"},
		{"{\"vnetSubnetID\":\"" RG "Compute/virtualNetworks/v/subnets/n\"}", "spec.vnetSubnetID"}, {"{\"spotMaxPrice\":\"-2\"}", "spec.spotMaxPrice"},
		{"{\"spotMaxPrice\":0.5}", "spec.spotMaxPrice"}, {"{\"spotMaxPrice\":\"0.123456\"}", "spec.spotMaxPrice"}, {"{\"enableEncryptionAtHost\":\"true\"}", "spec.enableEncryptionAtHost"},
		{"{\"gpuInstanceProfile\":\"MIG5g\"}", "spec.gpuInstanceProfile"}, {"{\"imageFamily\":\"Ubuntu2404\"}", "2025-10-01"}, {"[]", "must be an object"},
	};
	make("ws1", "", "", STORAGE);
	for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
		use_class(BAD[i].spec);
		refused("", "2025-05-01", BAD[i].why);
		ck_assert_int_eq(agent_pool_check_class(class_object, "KaitoNodeClass", "2025-05-01", &err), -1);
	}
	ck_assert_int_eq(agent_pool_check_class(NULL, "KaitoNodeClass", NULL, &err), 0);
	use_class("{\"maxPods\":10,\"osDiskSizeGB\":2048,\"zones\":[],\"tags\":{},\"spotMaxPrice\":\"0.12345\"}");
	ck_assert_int_eq(agent_pool_check_class(class_object, "KaitoNodeClass", NULL, &err), 0);
}
END_TEST

START_TEST(tags_leave_room_for_ours)
{
	CLEANUP(buf_done) struct buf spec = {0};
	make("ws1", "", "", STORAGE);
	for (size_t n = 48; n <= 49; n++) {
		buf_clear(&spec);
		buf_puts(&spec, "{\"tags\":{");
		for (size_t i = 0; i < n; i++)
			buf_printf(&spec, "%s\"t%zu\":\"v\"", i ? "," : "", i);
		buf_puts(&spec, "}}");
		use_class(spec.data);
		ck_assert_int_eq(agent_pool_check_class(class_object, "", NULL, &err), n == 48 ? 0 : -1);
	}
}
END_TEST

START_TEST(what_cannot_be_asked_for_is_refused)
{
	json_t *out = NULL;
	make("ws1", "", "", STORAGE);
	ck_assert_int_eq(agent_pool_body(&claim, &(struct offering){"", "", false}, "ws1", NULL, &out, &err), -1);
	ck_assert(strstr(err.message, "instance type"));
	ck_assert_int_eq(agent_pool_body(&claim, &(struct offering){NULL, NULL, false}, "ws1", NULL, &out, &err), -1);
	ck_assert_int_eq(agent_pool_body(&claim, &(struct offering){"Standard_NC6s_v3", NULL, false}, "ws-1", NULL, &out, &err), -1);
	ck_assert(strstr(err.message, "'ws-1'"));
	claim.os = "windows";
	refused("", NULL, "windows");
}
END_TEST

/* --- reading --------------------------------------------------------------------------------------------------- */

START_TEST(states_are_understood)
{
	static const struct { const char *state, *power; enum instance_state instance; } STATES[] = {
		{"Succeeded", "Running", INSTANCE_RUNNING}, {"succeeded", "", INSTANCE_RUNNING}, {"Creating", "Running", INSTANCE_CREATING}, {"Updating", "", INSTANCE_CREATING},
		{"Scaling", "", INSTANCE_CREATING}, {"SomethingNew", "", INSTANCE_CREATING}, {"", "", INSTANCE_CREATING}, {"Starting", "Stopped", INSTANCE_STOPPED},
		{"Succeeded", "Stopped", INSTANCE_STOPPED}, {"Failed", "stopped", INSTANCE_STOPPED}, {"Stopping", "Running", INSTANCE_STOPPED}, {"Failed", "Running", INSTANCE_FAILED},
		{"Canceled", "", INSTANCE_FAILED}, {"Deleting", "Running", INSTANCE_DELETING}, {"deleting", "Stopped", INSTANCE_DELETING}, {"UpgradingAndDeleting", "", INSTANCE_DELETING},
	};
	for (size_t i = 0; i < sizeof STATES / sizeof STATES[0]; i++) {
		struct agent_pool p;
		CLEANUP(json_decrefp) json_t *pool = json_pack("{s:s,s:{s:s,s:{s:s}}}", "name", "a", "properties", "provisioningState", STATES[i].state, "powerState", "code", STATES[i].power);
		ck_assert(agent_pool_read(&p, pool));
		ck_assert_msg(p.instance == STATES[i].instance, "%s %s", STATES[i].state, STATES[i].power);
	}
}
END_TEST

START_TEST(missing_and_odd_members_are_tolerated)
{
	static const char *const POOLS[] = {
		"{\"name\":\"a\"}", "{\"name\":\"a\",\"properties\":null}", "{\"name\":\"a\",\"properties\":[]}",
		"{\"name\":\"a\",\"properties\":{\"provisioningState\":null,\"powerState\":null,\"nodeLabels\":null,\"tags\":null,\"vmSize\":7,\"scaleSetPriority\":{}}}",
		"{\"name\":\"a\",\"properties\":{\"powerState\":\"Stopped\",\"nodeLabels\":[],\"tags\":\"x\",\"nodeImageVersion\":null}}",
		"{\"name\":\"a\",\"properties\":{\"tags\":{\"kaito-nodeclaim\":null,\"kaito-nodeclaim-uid\":3},\"nodeLabels\":{\"kaito.sh/workspace\":1}}}",
	};
	struct agent_pool p;
	for (size_t i = 0; i < sizeof POOLS / sizeof POOLS[0]; i++) {
		CLEANUP(json_decrefp) json_t *pool = json(POOLS[i]);
		ck_assert(agent_pool_read(&p, pool));
		ck_assert(!p.ours && p.instance == INSTANCE_CREATING && p.created_s == 0 && !p.spot);
		ck_assert(p.state && p.vm_size && p.image_version && p.etag && p.claim && p.claim_uid && p.claim[0] == 0);
	}
	static const char *const NONE[] = {"{}", "[]", "{\"name\":\"\"}", "{\"name\":null}", "{\"name\":3}", "7", "{\"name\":\"c/\"}"};
	for (size_t i = 0; i < sizeof NONE / sizeof NONE[0]; i++) {
		CLEANUP(json_decrefp) json_t *pool = json(NONE[i]);
		ck_assert(!agent_pool_read(&p, pool));
	}
	ck_assert(!agent_pool_read(&p, NULL));
}
END_TEST

START_TEST(what_is_sent_is_read_back_as_the_claims)
{
	struct agent_pool p;
	make("default-workspace-phi-x7k2p", "", "", STORAGE);
	char name[POOL_NAME_MAX + 1];
	agent_pool_name(&claim, name);
	CLEANUP(json_decrefp) json_t *pool = json_pack("{s:s,s:o}", "name", name, "properties", body(true, "", NULL));
	ck_assert(agent_pool_read(&p, pool) && p.ours && p.spot);
	ck_assert_str_eq(p.claim, claim.name);
	ck_assert_str_eq(p.claim_uid, UID);
	ck_assert_int_eq(p.created_s, claim.created_s);
	ck_assert(agent_pool_is_of(&p, &claim));
	claim.uid = "another life of the same name";
	ck_assert(!agent_pool_is_of(&p, &claim));
	/* Somebody replaced the tags: the labels still tell. */
	claim.uid = UID;
	json_object_del(json_object_get(pool, "properties"), "tags");
	ck_assert(agent_pool_read(&p, pool) && p.ours && p.claim_uid[0] == 0);
	ck_assert_str_eq(p.claim, claim.name);
	ck_assert(agent_pool_is_of(&p, &claim));
}
END_TEST

static json_t *original(const char *label, const char *pool_label, const char *created)
{
	return json_pack("{s:s,s:{s:s,s:s,s:s,s:{s:s,s:s,s:s}}}", "name", "ws1", "properties", "provisioningState", "Succeeded", "vmSize", "Standard_NC6s_v3", "nodeImageVersion",
			 "AKSUbuntu-2204", "nodeLabels", label, "phi", pool_label, "kaito", LABEL_CREATION_TIMESTAMP, created);
}

START_TEST(pools_of_the_original_are_adopted)
{
	static const struct { const char *label, *pool_label, *created; bool ours, mine; } POOLS[] = {
		{"kaito.sh/workspace", "karpenter.sh/nodepool", "2026-11-24T08-05-09Z", true, true}, {"kaito.sh/ragengine", "karpenter.sh/nodepool", "2026-11-24T08-05-09Z", true, true},
		{"kaito.sh/workspace", "karpenter.sh/provisioner-name", "2026-11-24T08-05-09Z", true, true}, {"kaito.sh/workspace", "karpenter.sh/nodepool", "2026-11-24T08-05-10Z", true, false},
		{"kaito.sh/workspace", "karpenter.sh/nodepool", "2026-11-24T08:05:09Z", false, false}, {"kaito.sh/workspace", "karpenter.sh/nodepool", "", false, false},
		{"kaito.sh/workspace", "karpenter.sh/nodepool", "2026-11-24T08-05-9Zx", false, false}, {"kaito.sh/workspace", "team", "2026-11-24T08-05-09Z", false, false},
		{"team", "karpenter.sh/nodepool", "2026-11-24T08-05-09Z", false, false},
	};
	make("ws1", "", "", STORAGE);
	for (size_t i = 0; i < sizeof POOLS / sizeof POOLS[0]; i++) {
		struct agent_pool p;
		CLEANUP(json_decrefp) json_t *pool = original(POOLS[i].label, POOLS[i].pool_label, POOLS[i].created);
		ck_assert(agent_pool_read(&p, pool));
		ck_assert_msg(p.ours == POOLS[i].ours && agent_pool_is_of(&p, &claim) == POOLS[i].mine, "%zu", i);
		ck_assert_str_eq(p.claim, POOLS[i].ours ? "ws1" : "");
	}
	make("ws2", "", "", STORAGE);
	struct agent_pool p;
	CLEANUP(json_decrefp) json_t *pool = original("kaito.sh/workspace", "karpenter.sh/nodepool", "2026-11-24T08-05-09Z");
	ck_assert(agent_pool_read(&p, pool) && p.ours && !agent_pool_is_of(&p, &claim));
}
END_TEST

START_TEST(names_of_tags_and_pools_come_in_several_spellings)
{
	struct agent_pool p;
	CLEANUP(json_decrefp) json_t *pool = json("{\"name\":\"cluster/ws1\",\"etag\":\"outer\",\"properties\":{\"eTag\":\"\",\"scaleSetPriority\":\"spot\",\"availabilityZones\":[\"1\"],"
						  "\"tags\":{\"Kaito-NodeClaim\":\"ws1\",\"KAITO-NODECLAIM-UID\":\"u\"}}}");
	ck_assert(agent_pool_read(&p, pool) && p.ours && p.spot);
	ck_assert_str_eq(p.name, "ws1");
	ck_assert_str_eq(p.etag, "outer");
	ck_assert_str_eq(p.claim_uid, "u");
	ck_assert_uint_eq(json_array_size(p.zones), 1);
}
END_TEST

/* --- providerID ------------------------------------------------------------------------------------------------ */

START_TEST(pools_are_found_in_provider_ids)
{
	static const struct { const char *id, *pool; } IDS[] = {
#define SUB "azure:///subscriptions/0-1/resourceGroups/MC_rg_c_eastus/providers/Microsoft.Compute/"
		{SUB "virtualMachineScaleSets/aks-ws0123456789-12345678-vmss/virtualMachines/0", "ws0123456789"},
		{"AZURE:///SUBSCRIPTIONS/0-1/RESOURCEGROUPS/MC_RG/PROVIDERS/MICROSOFT.COMPUTE/VIRTUALMACHINESCALESETS/AKS-WS1-1-VMSS/VIRTUALMACHINES/12", "ws1"},
		{"azure:///subscriptions/0-1/resourcegroups/mc_rg/providers/microsoft.compute/virtualmachinescalesets/aks-ws1-1-vmss/virtualmachines/aks-ws1-1-vmss000000", "ws1"},
		{SUB "virtualMachines/aks-ws1-12345678-0", "ws1"},
		{SUB "virtualMachines/aks-ws1-12345678-vmss", NULL},
		{SUB "virtualMachineScaleSets/aks-ws1-12345678-0/virtualMachines/0", NULL},
		{SUB "virtualMachineScaleSets/aks-ws1-12345678-vmss/virtualMachines/", NULL},
		{SUB "virtualMachineScaleSets/aks-ws1-12345678-vmss/virtualMachines/0/", NULL},
		{SUB "virtualMachineScaleSets/aks-ws1-12345678-vmss/virtualMachines/0/x", NULL},
		{SUB "virtualMachineScaleSets/aks-ws1-12345678-vmss", NULL},
		{SUB "virtualMachineScaleSets/aks-ws1--vmss/virtualMachines/0", NULL},
		{SUB "virtualMachineScaleSets/aks-ws1-12a-vmss/virtualMachines/0", NULL},
		{SUB "virtualMachineScaleSets/aks--12-vmss/virtualMachines/0", NULL},
		{SUB "virtualMachineScaleSets/aks-0ws-12-vmss/virtualMachines/0", NULL},
		{SUB "virtualMachineScaleSets/aks-abcdefghijklm-12-vmss/virtualMachines/0", NULL},
		{SUB "virtualMachineScaleSets/aks-ws1-12-vmssx/virtualMachines/0", NULL},
		{SUB "virtualMachineScaleSets/eks-ws1-12-vmss/virtualMachines/0", NULL},
		{SUB "virtualMachineScaleSets/aks/virtualMachines/0", NULL},
		{SUB "disks/aks-ws1-12345678-0", NULL},
		{"azure:///subscriptions//resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/aks-ws1-1-0", NULL},
		{"azure://subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/aks-ws1-1-0", NULL},
		{"aws:///us-east-1a/i-0123456789", NULL}, {"kind://docker/kind/kind-worker", NULL}, {"azure://", NULL}, {"azure:", NULL}, {"", NULL}, {"/", NULL},
	};
	for (size_t i = 0; i < sizeof IDS / sizeof IDS[0]; i++) {
		char pool[POOL_NAME_MAX + 1] = "untouched";
		ck_assert_msg(agent_pool_of_provider_id(IDS[i].id, pool) == (IDS[i].pool != NULL), "%s", IDS[i].id);
		ck_assert_str_eq(pool, IDS[i].pool ? IDS[i].pool : "untouched");
	}
	char pool[POOL_NAME_MAX + 1];
	ck_assert(!agent_pool_of_provider_id(NULL, pool));
	/* Every proper beginning of a valid one is another form. */
	size_t n = strlen(IDS[0].id);
	for (size_t cut = 0; cut < n - 1; cut++) {
		CLEANUP(mem_freep) char *part = mem_strndup(IDS[0].id, cut);
		ck_assert_msg(!agent_pool_of_provider_id(part, pool), "%s", part);
	}
}
END_TEST

int main(void)
{
	CHECK_RUN("agent_pool", 20, names_follow_the_rule_of_aks, long_claim_names_get_a_pool_name_of_their_own, body_is_that_of_gpu_provisioner,
		  body_of_a_machine_has_the_labels_of_its_dialect, labels_that_aks_refuses_stay_on_the_claim, the_claims_name_is_a_label_when_the_pool_has_another,
		  startup_taints_go_where_they_can_be_removed_from, machine_type_is_by_catalogue_then_by_letter, image_family_is_the_claims_then_the_classes, disk_is_the_larger_of_claim_and_class,
		  zones_are_numbers, spot_pools_are_deleted_on_eviction, class_fields_reach_their_properties, only_fields_of_the_kind_count, fields_out_of_range_are_named,
		  tags_leave_room_for_ours, what_cannot_be_asked_for_is_refused, states_are_understood, missing_and_odd_members_are_tolerated,
		  what_is_sent_is_read_back_as_the_claims, pools_of_the_original_are_adopted, names_of_tags_and_pools_come_in_several_spellings, pools_are_found_in_provider_ids);
}

/* agent_pool_body.c: see agent_pool.h; here what is sent: the body of the PUT. The node class's fields go in first, by their rows
 * (catalog/class_field.h), then what the claim asks for, then what makes the pool ours. */
#include "azure/agent_pool.h"

#include "azure/aks_machine.h"
#include "azure/arm.h"
#include "catalog/class_field.h"
#include "catalog/sku.h"
#include "kube/meta.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define DISK_GIB_MAX 2048 /* of an agent pool's operating system disk */

/* --- node class ------------------------------------------------------------------------------------------------ */

/* Values that came later than their field. */
static const struct value_since { const char *field, *value, *since; } LATER_VALUES[] = {
	{"imageFamily", "Ubuntu2204", "2025-04-01"},
	{"imageFamily", "Ubuntu2404", "2025-10-01"},
};

static bool older(const char *api_version, const char *since) { return strncmp(api_version, since, 10) < 0; }

static const char *since_of(const struct class_field *f, const json_t *value)
{
	for (size_t i = 0; i < sizeof LATER_VALUES / sizeof LATER_VALUES[0]; i++)
		if (strcmp(f->name, LATER_VALUES[i].field) == 0 && json_is_string(value) && strcmp(json_string_value(value), LATER_VALUES[i].value) == 0)
			return LATER_VALUES[i].since;
	return f->since;
}

static const json_t *given(const json_t *spec, const char *name)
{
	const json_t *value = json_object_get(spec, name);
	return json_is_null(value) ? NULL : value;
}

int agent_pool_check_class(const json_t *spec, const char *class_kind, const char *api_version, struct err *err)
{
	unsigned kind = class_field_kind(class_kind);
	api_version = api_version ? api_version : ARM_API_VERSION;
	if (spec && !json_is_object(spec))
		return err_set(err, ERR_INVALID, "the node class's spec must be an object");
	if (class_field_check_all(spec, kind, err) < 0)
		return -1;
	for (size_t i = 0; i < CLASS_FIELD_COUNT; i++) {
		const struct class_field *f = &CLASS_FIELDS[i];
		const json_t *value = (f->kinds & kind) ? given(spec, f->name) : NULL;
		const char *since = value ? since_of(f, value) : NULL;
		if (since && older(api_version, since))
			return err_set(err, ERR_INVALID, "spec.%s needs api-version %s or later; this provisioner uses %.30s (--arm-api-version)", f->name, since, api_version);
	}
	return 0;
}

static json_t *as_property(const struct class_field *f, const json_t *value)
{
	double number = 0;
	if (f->type == CLASS_DECIMAL && str_to_f64(str_of(json_string_value(value)), &number))
		return json_real(number);
	return json_deep_copy(value);
}

/* "gpuProfile.driver": an object inside. */
static void set_property(json_t *properties, const char *path, json_t *value)
{
	char outer[64];
	const char *dot = strchr(path, '.');
	if (!dot) {
		json_object_set_new(properties, path, value);
		return;
	}
	snprintf(outer, sizeof outer, "%.*s", (int)(dot - path), path);
	json_object_set_new(properties, outer, json_pack("{s:o}", dot + 1, value));
}

static void put_class(json_t *properties, const struct claim_view *claim)
{
	unsigned kind = class_field_kind(claim->class_kind);
	for (size_t i = 0; i < CLASS_FIELD_COUNT; i++) {
		const struct class_field *f = &CLASS_FIELDS[i];
		const json_t *value = (f->kinds & kind) ? given(claim->node_class, f->name) : NULL;
		if (value)
			set_property(properties, f->property, as_property(f, value));
	}
}

/* --- labels and taints ----------------------------------------------------------------------------------------- */

static bool under(const char *key, size_t len, const char *domain)
{
	size_t n = strlen(domain);
	return len >= n && memcmp(key + len - n, domain, n) == 0 && (len == n || key[len - n - 1] == '.');
}

/* AKS refuses labels of its own, and of the Kubernetes domains all but two prefixes and a short list (of which it sets the values itself);
 * such labels reach the Node through its claim. */
static bool label_accepted(const char *key)
{
	static const char *const OWN[] = {"agentpool", "storageprofile", "storagetier", "accelerator"};
	static const char *const PREFIXES[] = {"node.kubernetes.io", "kubelet.kubernetes.io"};
	const char *slash = strchr(key, '/');
	size_t n = slash ? (size_t)(slash - key) : 0;
	for (size_t i = 0; i < sizeof OWN / sizeof OWN[0]; i++)
		if (strcmp(key, OWN[i]) == 0)
			return false;
	for (size_t i = 0; i < sizeof PREFIXES / sizeof PREFIXES[0]; i++)
		if (n && under(key, n, PREFIXES[i]))
			return true;
	return !n || (!under(key, n, "kubernetes.azure.com") && !under(key, n, "kubernetes.io") && !under(key, n, "k8s.io"));
}

/* Catalogued machines are known; of others the letter N says GPU, but for NP, which has FPGAs. */
static bool has_gpu(const char *vm_size)
{
	const struct sku *sku = sku_find("azure", vm_size);
	if (sku)
		return sku->gpus > 0;
	return strncasecmp(vm_size, "Standard_N", 10) == 0 && tolower((unsigned char)vm_size[10]) != 'p';
}

static json_t *node_labels(const struct claim_view *claim, const char *vm_size, const char *pool)
{
	char created[32] = "";
	struct tm tm;
	time_t at = (time_t)claim->created_s;
	json_t *labels = json_pack("{s:s}", claim->dialect->pool_label, claim->dialect->pool_default);
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)claim->labels, key, value)
		if (json_is_string(value) && label_accepted(key))
			json_object_set(labels, key, value);
	if (gmtime_r(&at, &tm))
		strftime(created, sizeof created, "%Y-%m-%dT%H-%M-%SZ", &tm);
	json_object_set_new(labels, LABEL_MACHINE_TYPE, json_string(has_gpu(vm_size) ? "gpu" : "cpu"));
	json_object_set_new(labels, LABEL_CREATION_TIMESTAMP, json_string(created));
	if (strcmp(pool, claim->name) != 0 && strlen(claim->name) <= 63)
		json_object_set_new(labels, LABEL_CLAIM_NAME, json_string(claim->name));
	return labels;
}

static bool listed(const json_t *texts, const char *text)
{
	for (size_t i = 0; i < json_array_size(texts); i++)
		if (strcmp(json_string_value(json_array_get(texts, i)), text) == 0)
			return true;
	return false;
}

static void add_taints(json_t *out, const json_t *taints)
{
	for (size_t i = 0; i < json_array_size(taints); i++) {
		const json_t *t = json_array_get(taints, i);
		const char *key = json_text_at(t, "", "key", NULL), *effect = json_text_at(t, "", "effect", NULL);
		CLEANUP(mem_freep) char *text = mem_printf("%s=%s:%s", key, json_text_at(t, "", "value", NULL), effect);
		if (key[0] && effect[0] && !listed(out, text))
			json_array_append_new(out, json_string(text));
	}
}

/* --- what the claim asks for ----------------------------------------------------------------------------------- */

/* The claim's annotation; a release of its family that the class names is more exact. */
static const char *os_sku(const struct claim_view *claim, const char *of_class)
{
	const char *family = claim->image_family ? claim->image_family : "";
	if (strcasecmp(family, "azurelinux") == 0)
		return "AzureLinux";
	if (!of_class || (strcasecmp(family, "ubuntu") == 0 && strncmp(of_class, "Ubuntu", 6) != 0))
		return "Ubuntu";
	return of_class;
}

/* The larger of what the claim and the class want. */
static int put_disk(json_t *properties, const struct claim_view *claim, struct err *err)
{
	int64_t gib = claim->storage_bytes >> 30, of_class = json_integer_value(json_object_get(properties, "osDiskSizeGB"));
	if (gib < of_class)
		gib = of_class;
	if (gib <= 0)
		return err_set(err, ERR_INVALID, "the claim asks for no storage: set spec.resources.requests.storage (at least 1Gi) or the node class's osDiskSizeGB");
	if (gib > DISK_GIB_MAX)
		return err_set(err, ERR_INVALID, "spec.resources.requests.storage asks for %lldGi; the disk of an agent pool's node has at most %dGi", (long long)gib, DISK_GIB_MAX);
	json_object_set_new(properties, "osDiskSizeGB", json_integer(gib));
	return 0;
}

/* "1" or "eastus-1" -> "1"; "0" and "eastus-0" are machines outside any zone. */
static int put_zones(json_t *properties, const struct claim_view *claim, const char *zone, struct err *err)
{
	const json_t *of_class = json_object_get(properties, "availabilityZones");
	const char *dash = zone ? strrchr(zone, '-') : NULL, *number = dash ? dash + 1 : zone ? zone : "";
	bool none = strcmp(number, "0") == 0;
	if (number[0] && (number[1] || !isdigit((unsigned char)number[0])))
		return err_set(err, ERR_INVALID, "zone '%.60s' is not one of azure's (1, eastus-1)", zone);
	if (claim->regional || none || json_array_size(of_class) == 0)
		json_object_del(properties, "availabilityZones");
	else if (number[0] && !listed(of_class, number))
		return err_set(err, ERR_INVALID, "zone '%.60s' of the claim is not among spec.zones of its node class", zone);
	if (number[0] && !none && !claim->regional)
		json_object_set_new(properties, "availabilityZones", json_pack("[s]", number));
	return 0;
}

static void put_capacity_type(json_t *properties, bool spot)
{
	if (!spot) {
		json_object_del(properties, "spotMaxPrice");
		return;
	}
	json_object_set_new(properties, "scaleSetPriority", json_string("Spot"));
	json_object_set_new(properties, "scaleSetEvictionPolicy", json_string("Delete"));
	if (!json_object_get(properties, "spotMaxPrice"))
		json_object_set_new(properties, "spotMaxPrice", json_real(-1));
}

static void put_ownership(json_t *properties, const struct claim_view *claim)
{
	json_t *tags = json_object_get(properties, "tags");
	if (!tags)
		json_object_set_new(properties, "tags", tags = json_object());
	const char *key;
	json_t *value;
	void *next;
	json_object_foreach_safe(tags, next, key, value)
		if (strcasecmp(key, TAG_CLAIM) == 0 || strcasecmp(key, TAG_CLAIM_UID) == 0)
			json_object_del(tags, key);
	json_object_set_new(tags, TAG_CLAIM, json_string(claim->name));
	json_object_set_new(tags, TAG_CLAIM_UID, json_string(claim->uid ? claim->uid : ""));
}

/* AKS lets nobody but itself remove a taint of nodeTaints from a Node, so that a startup taint there would keep it from ever being
 * initialized. Taints for the start have a property of their own, in preview versions; with others they are set when the Node is registered. */
static void put_taints(json_t *properties, const struct claim_view *claim, const char *api_version)
{
	json_t *taints = json_array(), *startup = json_array();
	add_taints(taints, claim->taints);
	add_taints(startup, claim->startup_taints);
	json_object_set_new(properties, "nodeTaints", taints);
	if (json_array_size(startup) > 0 && strstr(api_version, "-preview") && !older(api_version, "2025-01-01"))
		json_object_set(properties, "nodeInitializationTaints", startup);
	json_decref(startup);
}

static void put_fixed(json_t *properties, const struct claim_view *claim, const char *vm_size, const char *pool)
{
	const char *sku = os_sku(claim, json_string_value(json_object_get(properties, "osSKU")));
	json_object_set_new(properties, "osSKU", json_string(sku));
	json_object_set_new(properties, "nodeLabels", node_labels(claim, vm_size, pool));
	json_object_set_new(properties, "type", json_string("VirtualMachineScaleSets"));
	json_object_set_new(properties, "mode", json_string("User"));
	json_object_set_new(properties, "vmSize", json_string(sku_cloud_name(vm_size)));
	json_object_set_new(properties, "osType", json_string("Linux"));
	json_object_set_new(properties, "count", json_integer(1));
	json_object_set_new(properties, "enableNodePublicIP", json_false());
}

static int check_claim(const struct claim_view *claim, const struct offering *offering, const char *pool, struct err *err)
{
	if (!aks_machine_unit_valid(pool))
		return err_set(err, ERR_INVALID, "'%.60s' is no name for an agent pool: 1 to 12 lower-case letters and digits, a letter first", pool);
	if (!offering->instance_type || !offering->instance_type[0])
		return err_set(err, ERR_INVALID, "the claim has no requirement for instance type (node.kubernetes.io/instance-type)");
	if (claim->os && claim->os[0] && strcmp(claim->os, "linux") != 0)
		return err_set(err, ERR_INVALID, "the claim asks for kubernetes.io/os '%.40s'; agent pools are made for linux only", claim->os);
	return 0;
}

int agent_pool_body(const struct claim_view *claim, const struct offering *offering, const char *pool, const char *api_version, json_t **out, struct err *err)
{
	if (check_claim(claim, offering, pool, err) < 0)
		return -1;
	if (agent_pool_check_class(claim->node_class, claim->class_kind, api_version, err) < 0)
		return err_wrap(err, "node class '%.63s'", claim->class_name ? claim->class_name : "");
	CLEANUP(json_decrefp) json_t *properties = json_object();
	put_class(properties, claim);
	if (put_disk(properties, claim, err) < 0 || put_zones(properties, claim, offering->zone, err) < 0)
		return -1;
	put_capacity_type(properties, offering->spot);
	put_fixed(properties, claim, offering->instance_type, pool);
	put_taints(properties, claim, api_version ? api_version : ARM_API_VERSION);
	put_ownership(properties, claim);
	*out = json_pack("{s:O}", "properties", properties);
	return 0;
}

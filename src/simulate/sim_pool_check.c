/* sim_pool_check.c: what AKS refuses in the body of an agent pool: one check a row, each with the service's code and wording where it is
 * known. To add one: a function and a row. */
#include "simulate/sim.h"

#include "kube/meta.h"
#include <string.h>
#include <strings.h>

struct check { const struct simulator *s; const char *name; const json_t *props; const struct sim_pool *old; struct sim_failure *f; };

static bool refuse(const struct check *c, const char *code, const char *field, const char *text)
{
	sim_errors_set(c->f, 400, code, "The value of parameter agentPoolProfile.%s is invalid. Error details: %s.", field, text);
	return false;
}

/* --- Kubernetes syntax --------------------------------------------------------------------------------------------------- */

static bool is_alnum(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static bool is_name(str s, const char *inner, size_t max)
{
	if (s.len == 0 || s.len > max || !is_alnum(s.data[0]) || !is_alnum(s.data[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.data[i]) && !strchr(inner, s.data[i]))
			return false;
	return true;
}

static bool is_label_key(str s)
{
	size_t slash = str_find(s, '/', 0);
	if (slash == s.len)
		return is_name(s, "-_.", 63);
	return is_name(str_sub(s, 0, slash), "-.", 253) && is_name(str_sub(s, slash + 1, s.len), "-_.", 63);
}

static bool is_label_value(str s) { return s.len == 0 || is_name(s, "-_.", 63); }

static bool in_domain(str prefix, const char *domain)
{
	str d = str_of(domain);
	return str_eq(prefix, d) || (str_ends(prefix, d) && prefix.data[prefix.len - d.len - 1] == '.');
}

/* Prefixes that AKS keeps for itself, and those of Kubernetes that a kubelet may not set on its own Node. */
static bool is_reserved(str key)
{
	static const char *const OWN[] = {"kubernetes.azure.com/scalesetpriority", "kubernetes.io/arch", "kubernetes.io/hostname", "kubernetes.io/os",
		"beta.kubernetes.io/arch", "beta.kubernetes.io/instance-type", "beta.kubernetes.io/os", "topology.kubernetes.io/region",
		"topology.kubernetes.io/zone"};
	str prefix = str_sub(key, 0, str_find(key, '/', 0));
	for (size_t i = 0; i < sizeof OWN / sizeof OWN[0]; i++)
		if (str_eqz(key, OWN[i]))
			return false;
	if (prefix.len == key.len || in_domain(prefix, "node.kubernetes.io") || in_domain(prefix, "kubelet.kubernetes.io"))
		return false;
	return in_domain(prefix, "kubernetes.azure.com") || in_domain(prefix, "kubernetes.io") || in_domain(prefix, "k8s.io");
}

/* --- the checks ------------------------------------------------------------------------------------------------------------ */

static bool check_count(const struct check *c)
{
	const json_t *v = json_object_get(c->props, "count");
	if (!v || json_is_null(v) || (json_is_integer(v) && json_integer_value(v) >= 0 && json_integer_value(v) <= LIMIT_SIMULATOR_NODES))
		return true;
	return refuse(c, "InvalidParameter", "count", "it must be a number from 0 to 1000");
}

static bool check_machines(const struct check *c)
{
	int64_t more = json_int_at(c->props, 1, "count", NULL) - (c->old ? c->old->count : 0);
	if (c->s->machines + more <= LIMIT_SIMULATOR_MACHINES)
		return true;
	sim_errors_set(c->f, 400, "NodesLimitExceeded", "The simulated cluster would have more than %d nodes.", LIMIT_SIMULATOR_MACHINES);
	return false;
}

static bool check_size(const struct check *c)
{
	const char *size = json_text_at(c->props, NULL, "vmSize", NULL);
	bool empty = strcasecmp(json_text_at(c->props, "", "mode", NULL), "Machines") == 0; /* each machine has its own */
	if (!size && (c->old || empty))
		return true;
	if (!size || !size[0])
		return refuse(c, "InvalidParameter", "vmSize", "it is required");
	if (sku_find("azure", size) && strcmp(sku_cloud_name(size), size) == 0)
		return true;
	sim_errors_set(c->f, 400, "BadRequest", "The VM size of AgentPoolProfile:%s is not allowed in your subscription in location '%s'. Requested size: '%.80s'.",
		       c->name, c->s->location, size);
	return false;
}

static bool check_disk(const struct check *c)
{
	const json_t *v = json_object_get(c->props, "osDiskSizeGB");
	int64_t gb = json_integer_value(v);
	if (!v || json_is_null(v) || (json_is_integer(v) && (gb == 0 || (gb >= 30 && gb <= 2048))))
		return true;
	return refuse(c, "InvalidParameter", "osDiskSizeGB", "it must be 0 or a number from 30 to 2048");
}

static bool check_label(const struct check *c, str key, const json_t *value)
{
	if (!is_label_key(key))
		return refuse(c, "InvalidParameter", "nodeLabels", "a key is not a valid Kubernetes label key");
	if (!json_is_string(value) || !is_label_value((str){json_string_value(value), json_string_length(value)}))
		return refuse(c, "InvalidParameter", "nodeLabels", "a value is not a valid Kubernetes label value");
	if (!is_reserved(key))
		return true;
	sim_errors_set(c->f, 400, "InvalidParameter", "The label key '%.*s' of agent pool %s is not allowed: its prefix is reserved for the service.", STR_FMT(key), c->name);
	return false;
}

static bool check_labels(const struct check *c)
{
	json_t *labels = json_object_get(c->props, "nodeLabels"), *value;
	const char *key;
	if (!labels || json_is_null(labels))
		return true;
	if (!json_is_object(labels))
		return refuse(c, "InvalidParameter", "nodeLabels", "it must be an object of strings");
	json_object_foreach(labels, key, value)
		if (!check_label(c, str_of(key), value))
			return false;
	return true;
}

/* key[=value]:Effect */
static bool is_taint(str t)
{
	size_t colon = str_find(t, ':', 0), equals = str_find(t, '=', 0);
	str effect = colon < t.len ? str_sub(t, colon + 1, t.len) : STR("");
	if (!str_eqz(effect, "NoSchedule") && !str_eqz(effect, "PreferNoSchedule") && !str_eqz(effect, "NoExecute"))
		return false;
	str key = str_sub(t, 0, equals < colon ? equals : colon);
	return is_label_key(key) && (equals >= colon || is_label_value(str_sub(t, equals + 1, colon)));
}

static bool check_taints(const struct check *c)
{
	json_t *taints = json_object_get(c->props, "nodeTaints"), *taint;
	size_t i;
	if (!taints || json_is_null(taints))
		return true;
	if (!json_is_array(taints))
		return refuse(c, "InvalidParameter", "nodeTaints", "it must be an array of strings");
	json_array_foreach(taints, i, taint)
		if (!json_is_string(taint) || !is_taint((str){json_string_value(taint), json_string_length(taint)}))
			return refuse(c, "InvalidParameter", "nodeTaints", "a taint must be key=value:Effect with the effect NoSchedule, PreferNoSchedule or NoExecute");
	return true;
}

static const struct { const char *field, *words; } ENUMS[] = {
	{"gpuInstanceProfile", "MIG1g|MIG2g|MIG3g|MIG4g|MIG7g"},
	{"kubeletDiskType", "OS|Temporary"},
	{"mode", "System|User|Machines"},
	{"osDiskType", "Ephemeral|Managed"},
	{"osSKU", "AzureLinux|CBLMariner|Ubuntu|Ubuntu2204|Ubuntu2404|Windows2019|Windows2022"},
	{"osType", "Linux|Windows"},
	{"scaleDownMode", "Delete|Deallocate"},
	{"scaleSetEvictionPolicy", "Delete|Deallocate"},
	{"scaleSetPriority", "Regular|Spot"},
	{"type", "VirtualMachineScaleSets|AvailabilitySet|VirtualMachines"},
};

static bool is_word(const char *words, const char *word)
{
	size_t len = strlen(word);
	for (const char *p = words; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
		if (len && strncasecmp(p, word, len) == 0 && (p[len] == '|' || p[len] == 0))
			return true;
	return false;
}

static bool check_words(const struct check *c)
{
	for (size_t i = 0; i < sizeof ENUMS / sizeof ENUMS[0]; i++) {
		const json_t *v = json_object_get(c->props, ENUMS[i].field);
		if (v && !json_is_null(v) && (!json_is_string(v) || !is_word(ENUMS[i].words, json_string_value(v))))
			return refuse(c, "InvalidParameter", ENUMS[i].field, ENUMS[i].words);
	}
	return true;
}

static bool check_zones(const struct check *c)
{
	json_t *zones = json_object_get(c->props, "availabilityZones"), *zone;
	size_t i;
	if (!zones || json_is_null(zones))
		return true;
	json_array_foreach(zones, i, zone)
		if (!json_is_string(zone) || !is_word("1|2|3", json_string_value(zone)))
			return refuse(c, "AvailabilityZoneNotSupported", "availabilityZones", "the zones of the location are 1, 2 and 3");
	return json_is_array(zones) || refuse(c, "InvalidParameter", "availabilityZones", "it must be an array of strings");
}

static bool check_spot(const struct check *c)
{
	bool spot = strcmp(json_text_at(c->props, "", "scaleSetPriority", NULL), "Spot") == 0;
	if (spot && strcmp(json_text_at(c->props, "", "mode", NULL), "System") == 0)
		return refuse(c, "InvalidParameter", "scaleSetPriority", "a System pool cannot be Spot");
	if (!spot && json_is_string(json_object_get(c->props, "scaleSetEvictionPolicy")))
		return refuse(c, "InvalidParameter", "scaleSetEvictionPolicy", "it is for Spot pools only");
	return true;
}

/* What cannot be changed once the pool exists. */
static bool check_fixed(const struct check *c)
{
	static const char *const FIXED[] = {"vmSize", "osDiskSizeGB", "osDiskType", "osType", "scaleSetPriority", "availabilityZones", "gpuInstanceProfile"};
	for (size_t i = 0; c->old && i < sizeof FIXED / sizeof FIXED[0]; i++) {
		const json_t *was = json_at(c->old->body, "properties", FIXED[i], NULL), *now = json_object_get(c->props, FIXED[i]);
		bool same = json_equal((json_t *)(uintptr_t)was, (json_t *)(uintptr_t)now) ||
			(json_is_string(was) && json_is_string(now) && strcasecmp(json_string_value(was), json_string_value(now)) == 0);
		if (!now || json_is_null(now) || same || (json_is_integer(now) && json_integer_value(now) == 0))
			continue;
		sim_errors_set(c->f, 400, "PropertyChangeNotAllowed", "Changing property 'properties.%s' is not allowed.", FIXED[i]);
		return false;
	}
	return true;
}

static bool (*const CHECKS[])(const struct check *c) = {
	check_count, check_machines, check_size, check_disk, check_labels, check_taints, check_words, check_zones, check_spot, check_fixed,
};

bool sim_pool_check_body(const struct simulator *s, const char *name, const json_t *body, const struct sim_pool *old, struct sim_failure *f)
{
	struct check c = {s, name, json_object_get(body, "properties"), old, f};
	if (!json_is_object(c.props)) {
		sim_errors_set(f, 400, "InvalidRequestContent", "The request content was invalid and could not be deserialized: 'properties' is required.");
		return false;
	}
	for (size_t i = 0; i < sizeof CHECKS / sizeof CHECKS[0]; i++)
		if (!CHECKS[i](&c))
			return false;
	return true;
}

bool sim_pool_check_name(const char *name)
{
	size_t n = strlen(name);
	if (n == 0 || n > SIM_POOL_NAME_MAX || name[0] < 'a' || name[0] > 'z')
		return false;
	for (size_t i = 1; i < n; i++)
		if (!(name[i] >= 'a' && name[i] <= 'z') && !(name[i] >= '0' && name[i] <= '9'))
			return false;
	return true;
}

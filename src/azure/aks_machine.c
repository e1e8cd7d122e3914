/* aks_machine.c: see aks_machine.h. */
#include "azure/aks_machine.h"

#include "base/mem.h"
#include "codec/digest.h"
#include "kube/meta.h"
#include <string.h>

const char *aks_machine_version(const char *api_version)
{
	return api_version && strncmp(api_version, AKS_MACHINE_API_VERSION, 10) > 0 ? api_version : AKS_MACHINE_API_VERSION;
}

/* --- names ------------------------------------------------------------------------------------------------------- */

static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

bool aks_machine_is(const char *unit) { return strchr(unit, '/') != NULL; }

const char *aks_machine_pool_of(const char *unit, char pool[POOL_NAME_MAX + 1])
{
	snprintf(pool, POOL_NAME_MAX + 1, "%.*s", (int)strcspn(unit, "/"), unit);
	return pool;
}

const char *aks_machine_name_of(const char *unit) { return unit + strcspn(unit, "/") + 1; }

static bool name_valid(const char *name)
{
	size_t n = strlen(name);
	return n > 0 && n <= AKS_MACHINE_NAME_MAX && name[0] >= 'a' && name[0] <= 'z' && name[n - 1] != '-' && strspn(name, LETTERS) == n;
}

bool aks_machine_unit_valid(const char *unit)
{
	char pool[POOL_NAME_MAX + 1];
	const char *slash = unit ? strchr(unit, '/') : NULL;
	if (!slash)
		return agent_pool_name_valid(unit);
	if (slash - unit > POOL_NAME_MAX)
		return false;
	snprintf(pool, sizeof pool, "%.*s", (int)(slash - unit), unit);
	return agent_pool_name_valid(pool) && name_valid(slash + 1);
}

void aks_machine_unit(const struct claim_view *claim, const char *pool, char unit[UNIT_NAME_MAX + 1])
{
	char text[DIGEST_TEXT];
	if (name_valid(claim->name)) {
		snprintf(unit, UNIT_NAME_MAX + 1, "%.12s/%.34s", pool, claim->name);
		return;
	}
	digest_of(claim->name, strlen(claim->name), text);
	snprintf(unit, UNIT_NAME_MAX + 1, "%.12s/k%.19s", pool, digest_hex(text));
}

/* --- the two shapes ---------------------------------------------------------------------------------------------- */

/* Where a property of an agent pool is in a machine's properties. machine NULL: a machine has no such thing and needs none. To add one: a row. */
static const struct place { const char *pool, *machine; } PLACES[] = {
	{"count", NULL},
	{"enableEncryptionAtHost", "security.enableEncryptionAtHost"},
	{"enableNodePublicIP", "network.enableNodePublicIP"},
	{"gpuInstanceProfile", "hardware.gpuInstanceProfile"},
	{"gpuProfile", "hardware.gpuProfile"},
	{"kubeletDiskType", "kubernetes.kubeletDiskType"},
	{"maxPods", "kubernetes.maxPods"},
	{"mode", "mode"},
	{"nodeInitializationTaints", "kubernetes.nodeInitializationTaints"},
	{"nodeLabels", "kubernetes.nodeLabels"},
	{"nodeTaints", "kubernetes.nodeTaints"},
	{"osDiskSizeGB", "operatingSystem.osDiskSizeGB"},
	{"osDiskType", "operatingSystem.osDiskType"},
	{"osSKU", "operatingSystem.osSKU"},
	{"osType", "operatingSystem.osType"},
	{"podSubnetID", "network.podSubnetID"},
	{"scaleSetEvictionPolicy", "evictionPolicy"},
	{"scaleSetPriority", "priority"},
	{"tags", "tags"},
	{"type", NULL},
	{"vmSize", "hardware.vmSize"},
	{"vnetSubnetID", "network.vnetSubnetID"},
};
enum { PLACE_COUNT = sizeof PLACES / sizeof PLACES[0] };

static const struct place *place_of(const char *property)
{
	for (size_t i = 0; i < PLACE_COUNT; i++)
		if (strcmp(PLACES[i].pool, property) == 0)
			return &PLACES[i];
	return NULL;
}

/* "hardware.vmSize": the group's name and what is behind it. */
static const char *split(const char *path, char group[32])
{
	const char *dot = strchr(path, '.');
	snprintf(group, 32, "%.*s", dot ? (int)(dot - path) : 0, path);
	return dot ? dot + 1 : path;
}

static void put_at(json_t *properties, const char *path, json_t *value)
{
	char group[32];
	const char *last = split(path, group);
	json_t *in = group[0] ? json_object_get(properties, group) : properties;
	if (!in)
		json_object_set_new(properties, group, in = json_object());
	json_object_set(in, last, value);
}

static json_t *get_at(const json_t *properties, const char *path)
{
	char group[32];
	const char *last = split(path, group);
	return json_object_get(group[0] ? json_object_get(properties, group) : properties, last);
}

/* A price of -1 is what a machine without one has. */
static bool says_nothing(const char *property, const json_t *value) { return strcmp(property, "spotMaxPrice") == 0 && json_number_value(value) < 0; }

int aks_machine_body(const json_t *pool_body, json_t **out, struct err *err)
{
	CLEANUP(json_decrefp) json_t *properties = json_object(), *zones = NULL;
	const char *key;
	json_t *value;
	json_object_foreach(json_object_get(pool_body, "properties"), key, value) {
		const struct place *p = place_of(key);
		if (strcmp(key, "availabilityZones") == 0)
			zones = json_incref(value);
		else if (p && p->machine)
			put_at(properties, p->machine, value);
		else if (!p && !says_nothing(key, value))
			return err_set(err, ERR_INVALID, "a machine cannot have the node class's %.60s: leave it out, or start the provisioner with --azure-instances pools", key);
	}
	*out = json_pack("{s:O}", "properties", properties);
	if (zones)
		json_object_set(*out, "zones", zones);
	return 0;
}

json_t *aks_machine_as_pool(const json_t *machine, const char *pool)
{
	static const char *const SAME[] = {"eTag", "nodeImageVersion", "provisioningState", "resourceId", "status", NULL};
	const char *name = json_text_at(machine, "", "name", NULL), *slash = strrchr(name, '/');
	const json_t *theirs = json_object_get(machine, "properties");
	name = slash ? slash + 1 : name; /* "cluster/pool/machine", as templates name it */
	if (!name_valid(name) || !json_is_object(theirs))
		return NULL;
	CLEANUP(json_decrefp) json_t *properties = json_object();
	for (size_t i = 0; i < PLACE_COUNT; i++)
		if (PLACES[i].machine && get_at(theirs, PLACES[i].machine))
			json_object_set(properties, PLACES[i].pool, get_at(theirs, PLACES[i].machine));
	for (size_t i = 0; SAME[i]; i++)
		if (json_object_get(theirs, SAME[i]))
			json_object_set(properties, SAME[i], json_object_get(theirs, SAME[i]));
	if (json_object_get(machine, "zones"))
		json_object_set(properties, "availabilityZones", json_object_get(machine, "zones"));
	return json_pack("{s:o,s:b,s:O}", "name", json_sprintf("%.12s/%s", pool, name), "machine", 1, "properties", properties);
}

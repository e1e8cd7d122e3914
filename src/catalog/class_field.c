/* class_field.c: the fields of node classes and the check of a value against its row. See class_field.h. */
#include "catalog/class_field.h"

#include "base/str.h"
#include <regex.h>
#include <string.h>

/* Ids of Azure resources are compared without regard to case; these are the letters that people write differently. */
#define ID_HEAD "^/[sS]ubscriptions/[^/]+/[rR]esource[gG]roups/[^/]+/[pP]roviders/[mM]icrosoft\\."
#define SUBNET ID_HEAD "[nN]etwork/[vV]irtual[nN]etworks/[^/]+/[sS]ubnets/[^/]+$"
#define RESERVATION ID_HEAD "[cC]ompute/[cC]apacity[rR]eservation[gG]roups/[^/]+$"
#define PLACEMENT ID_HEAD "[cC]ompute/[pP]roximity[pP]lacement[gG]roups/[^/]+$"

/* Sorted by name. Ranges are those of the agent pool API; of the 50 tags of a resource two are ours. */
const struct class_field CLASS_FIELDS[] = {
	{"capacityReservationGroupID", CLASS_TEXT, CLASS_KAITO, .max_length = 1024, .pattern = RESERVATION, .property = "capacityReservationGroupID",
	 .help = "Capacity reservation group that the VMs are taken from."},
	{"enableEncryptionAtHost", CLASS_BOOLEAN, CLASS_KAITO, .property = "enableEncryptionAtHost", .help = "Encrypts temporary disks and caches on the VM's host."},
	{"gpuDriver", CLASS_TEXT, CLASS_KAITO, .choices = "Install None", .property = "gpuProfile.driver", .since = "2025-02-01",
	 .help = "Whether AKS installs the GPU driver; None leaves it to the GPU operator."},
	{"gpuInstanceProfile", CLASS_TEXT, CLASS_KAITO, .choices = "MIG1g MIG2g MIG3g MIG4g MIG7g", .property = "gpuInstanceProfile",
	 .help = "Size of the slices that GPUs are divided into."},
	{"imageFamily", CLASS_TEXT, CLASS_KAITO | CLASS_AKS, .choices = "Ubuntu Ubuntu2204 Ubuntu2404 AzureLinux", .property = "osSKU",
	 .help = "Operating system of the nodes, unless the claim's annotation kaito.sh/node-image-family names one."},
	{"kubeletDiskType", CLASS_TEXT, CLASS_KAITO, .choices = "OS Temporary", .property = "kubeletDiskType", .help = "Disk of images, logs and emptyDir volumes."},
	{"maxPods", CLASS_INTEGER, CLASS_KAITO | CLASS_AKS, .min = 10, .max = 250, .property = "maxPods", .help = "Pods that fit on one node."},
	{"osDiskSizeGB", CLASS_INTEGER, CLASS_KAITO | CLASS_AKS, .min = 30, .max = 2048, .property = "osDiskSizeGB",
	 .help = "Size of the operating system's disk; a claim that asks for more storage gets more."},
	{"osDiskType", CLASS_TEXT, CLASS_KAITO, .choices = "Managed Ephemeral", .property = "osDiskType", .help = "Where the operating system's disk is kept."},
	{"podSubnetID", CLASS_TEXT, CLASS_KAITO, .max_length = 1024, .pattern = SUBNET, .property = "podSubnetID", .help = "Subnet of the pods' addresses."},
	{"proximityPlacementGroupID", CLASS_TEXT, CLASS_KAITO, .max_length = 1024, .pattern = PLACEMENT, .property = "proximityPlacementGroupID",
	 .help = "Group that keeps the VMs near each other."},
	{"spotMaxPrice", CLASS_DECIMAL, CLASS_KAITO, .max_length = 16, .pattern = "^(-1|[0-9]{1,6}(\\.[0-9]{1,5})?)$", .property = "spotMaxPrice",
	 .help = "Most US dollars an hour for a spot VM; -1, the default, is the price on demand."},
	{"tags", CLASS_MAP, CLASS_KAITO | CLASS_AKS, .max_length = 256, .max_items = 48, .property = "tags", .help = "Tags of the pool and its resources."},
	{"vnetSubnetID", CLASS_TEXT, CLASS_KAITO | CLASS_AKS, .max_length = 1024, .pattern = SUBNET, .property = "vnetSubnetID",
	 .help = "Subnet of the nodes; the cluster's default when not given."},
	{"zones", CLASS_TEXTS, CLASS_KAITO, .max_length = 2, .max_items = 3, .pattern = "^[1-9]$", .property = "availabilityZones",
	 .help = "Availability zones (1, 2, 3) for claims that name none; without any the service chooses."},
};
const size_t CLASS_FIELD_COUNT = sizeof CLASS_FIELDS / sizeof CLASS_FIELDS[0];

unsigned class_field_kind(const char *kind) { return kind && strcmp(kind, "AKSNodeClass") == 0 ? CLASS_AKS : CLASS_KAITO; }

static bool is_choice(const char *choices, str value)
{
	for (size_t from = 0, end; from < strlen(choices); from = end + 1) {
		end = str_find(str_of(choices), ' ', from);
		if (str_eq(str_sub(str_of(choices), from, end), value))
			return true;
	}
	return false;
}

static bool matches(const char *pattern, const char *text)
{
	regex_t compiled;
	if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	bool matched = regexec(&compiled, text, 0, NULL, 0) == 0;
	regfree(&compiled);
	return matched;
}

static int check_text(const struct class_field *f, const json_t *value, struct err *err)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);
	if (!text || strlen(text) != len)
		return err_set(err, ERR_INVALID, "spec.%s must be text", f->name);
	if (f->max_length && len > f->max_length)
		return err_set(err, ERR_INVALID, "spec.%s has %zu characters; at most %u are allowed", f->name, len, f->max_length);
	if (f->choices && !is_choice(f->choices, (str){text, len}))
		return err_set(err, ERR_INVALID, "spec.%s is '%.40s'; it must be one of: %s", f->name, text, f->choices);
	if (f->pattern && !matches(f->pattern, text))
		return err_set(err, ERR_INVALID, "spec.%s is '%.80s', which does not match %.100s", f->name, text, f->pattern);
	return 0;
}

static int check_integer(const struct class_field *f, const json_t *value, struct err *err)
{
	if (!json_is_integer(value))
		return err_set(err, ERR_INVALID, "spec.%s must be a whole number", f->name);
	int64_t n = json_integer_value(value);
	if (n < f->min || n > f->max)
		return err_set(err, ERR_INVALID, "spec.%s must be %lld to %lld, is %lld", f->name, (long long)f->min, (long long)f->max, (long long)n);
	return 0;
}

static int check_boolean(const struct class_field *f, const json_t *value, struct err *err)
{
	return json_is_boolean(value) ? 0 : err_set(err, ERR_INVALID, "spec.%s must be true or false", f->name);
}

static int check_texts(const struct class_field *f, const json_t *value, struct err *err)
{
	if (!json_is_array(value) || json_array_size(value) > f->max_items)
		return err_set(err, ERR_INVALID, "spec.%s must be a list of at most %u texts", f->name, f->max_items);
	for (size_t i = 0; i < json_array_size(value); i++)
		if (check_text(f, json_array_get(value, i), err) < 0)
			return -1;
	return 0;
}

static int check_map(const struct class_field *f, const json_t *value, struct err *err)
{
	if (!json_is_object(value) || json_object_size(value) > f->max_items)
		return err_set(err, ERR_INVALID, "spec.%s must map at most %u keys to texts", f->name, f->max_items);
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)(uintptr_t)value, key, v) {
		if (key[0] == 0 || strlen(key) > 512 || strpbrk(key, "<>%&\\?/"))
			return err_set(err, ERR_INVALID, "spec.%s has the key '%.60s'; a key has 1 to 512 characters, none of <>%%&\\?/", f->name, key);
		if (check_text(f, v, err) < 0)
			return -1;
	}
	return 0;
}

int class_field_check(const struct class_field *f, const json_t *value, struct err *err)
{
	static int (*const CHECKS[])(const struct class_field *, const json_t *, struct err *) = {
		[CLASS_TEXT] = check_text, [CLASS_TEXTS] = check_texts, [CLASS_INTEGER] = check_integer,
		[CLASS_BOOLEAN] = check_boolean, [CLASS_DECIMAL] = check_text, [CLASS_MAP] = check_map,
	};
	return !value || json_is_null(value) ? 0 : CHECKS[f->type](f, value, err);
}

int class_field_check_all(const json_t *spec, unsigned kind, struct err *err)
{
	for (size_t i = 0; i < CLASS_FIELD_COUNT; i++)
		if ((CLASS_FIELDS[i].kinds & kind) && class_field_check(&CLASS_FIELDS[i], json_object_get(spec, CLASS_FIELDS[i].name), err) < 0)
			return -1;
	return 0;
}

/* agent_pool.c: see agent_pool.h; here what is read: names, a pool's JSON, whose it is, and the pool in a Node's providerID. */
#include "azure/agent_pool.h"

#include "azure/aks_machine.h"
#include "codec/digest.h"
#include "kube/meta.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* --- names ----------------------------------------------------------------------------------------------------- */

bool agent_pool_name_valid(const char *name)
{
	size_t n = name ? strlen(name) : 0;
	if (n == 0 || n > POOL_NAME_MAX || name[0] < 'a' || name[0] > 'z')
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789") == n;
}

void agent_pool_name(const struct claim_view *claim, char out[POOL_NAME_MAX + 1])
{
	char text[DIGEST_TEXT];
	if (agent_pool_name_valid(claim->name)) {
		snprintf(out, POOL_NAME_MAX + 1, "%s", claim->name);
		return;
	}
	digest_of(claim->name, strlen(claim->name), text);
	snprintf(out, POOL_NAME_MAX + 1, "k%.11s", digest_hex(text));
}

/* --- a pool's JSON --------------------------------------------------------------------------------------------- */

/* Names of tags keep no case on their way through ARM. */
static const char *tag(const json_t *tags, const char *name)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)tags, key, value)
		if (strcasecmp(key, name) == 0)
			return json_string_value(value) ? json_string_value(value) : "";
	return "";
}

static const char *label(const json_t *labels, const char *key) { return json_text_at(labels, "", key, NULL); }

/* "2026-11-24T08-00-00Z", as the original writes it: no colons in labels. */
static int64_t creation_of(const char *text)
{
	struct tm tm = {0};
	const char *end = strlen(text) == 20 ? strptime(text, "%Y-%m-%dT%H-%M-%SZ", &tm) : NULL;
	return end && *end == 0 ? (int64_t)timegm(&tm) : 0;
}

/* The original knows its pools by these labels alone; the second is that of the Machine dialect. */
static bool labels_of_ours(const json_t *labels)
{
	bool kaito = json_is_string(json_object_get(labels, LABEL_KAITO_WORKSPACE)) || json_is_string(json_object_get(labels, LABEL_KAITO_RAG_ENGINE));
	bool pool = json_is_string(json_object_get(labels, DIALECT_NODE_CLAIM.pool_label)) || json_is_string(json_object_get(labels, DIALECT_MACHINE.pool_label));
	return kaito && pool && creation_of(label(labels, LABEL_CREATION_TIMESTAMP)) != 0;
}

/* Most specific first: who stopped a cluster on purpose has pools that are neither failed nor missing. */
static enum instance_state instance_of(const char *state, const char *power)
{
	if (strcasestr(state, "deleting"))
		return INSTANCE_DELETING;
	if (strcasecmp(power, "Stopped") == 0 || strcasecmp(state, "Stopping") == 0)
		return INSTANCE_STOPPED;
	if (strcasecmp(state, "Failed") == 0 || strcasecmp(state, "Canceled") == 0 || strcasecmp(state, "Cancelled") == 0)
		return INSTANCE_FAILED;
	return strcasecmp(state, "Succeeded") == 0 ? INSTANCE_RUNNING : INSTANCE_CREATING;
}

static const char *first_of(const char *a, const char *b) { return a[0] ? a : b; }

static void read_owner(struct agent_pool *p, const json_t *tags)
{
	p->claim = tag(tags, TAG_CLAIM);
	p->claim_uid = tag(tags, TAG_CLAIM_UID);
	p->ours = p->claim[0] && p->claim_uid[0];
	if (p->ours)
		return;
	p->claim_uid = "";
	p->ours = labels_of_ours(p->labels);
	p->claim = p->ours ? first_of(label(p->labels, LABEL_CLAIM_NAME), p->name) : "";
}

bool agent_pool_read(struct agent_pool *p, const json_t *pool)
{
	const char *name = json_text_at(pool, "", "name", NULL), *slash = strrchr(name, '/');
	bool machine = json_is_true(json_object_get(pool, "machine")); /* aks_machine_as_pool */
	name = slash && !machine ? slash + 1 : name; /* "cluster/pool", as templates name it */
	if (!name[0])
		return false;
	const json_t *properties = json_object_get(pool, "properties");
	*p = (struct agent_pool){
		.name = name, .state = label(properties, "provisioningState"), .vm_size = label(properties, "vmSize"),
		.image_version = label(properties, "nodeImageVersion"), .etag = first_of(label(properties, "eTag"), label(pool, "etag")),
		.spot = strcasecmp(label(properties, "scaleSetPriority"), "Spot") == 0,
		.machine = machine, .resource_id = label(properties, "resourceId"),
		.labels = json_object_get(properties, "nodeLabels"), .zones = json_object_get(properties, "availabilityZones"),
	};
	p->instance = instance_of(p->state, json_text_at(properties, "", "powerState", "code", NULL));
	p->created_s = creation_of(label(p->labels, LABEL_CREATION_TIMESTAMP));
	p->holds_machines = !machine && tag(json_object_get(properties, "tags"), TAG_MACHINES)[0];
	read_owner(p, json_object_get(properties, "tags"));
	return true;
}

bool agent_pool_mode_machines(const json_t *pool) { return strcasecmp(json_text_at(pool, "", "properties", "mode", NULL), "Machines") == 0; }

bool agent_pool_is_of(const struct agent_pool *p, const struct claim_view *claim)
{
	if (!p->ours)
		return false;
	if (p->claim_uid[0])
		return claim->uid && strcmp(p->claim_uid, claim->uid) == 0;
	return strcmp(p->claim, claim->name) == 0 && p->created_s != 0 && p->created_s == claim->created_s;
}

/* --- providerID ------------------------------------------------------------------------------------------------ */

/* The next element of a path "/a/b/c": not empty, without the slash. */
static bool next_element(str *path, str *element)
{
	if (path->len < 2 || path->data[0] != '/')
		return false;
	size_t end = str_find(*path, '/', 1);
	*element = str_sub(*path, 1, end);
	*path = str_sub(*path, end, path->len);
	return element->len > 0;
}

static bool same(str a, const char *b) { return a.len == strlen(b) && strncasecmp(a.data, b, a.len) == 0; }

/* Walks "/word/…" where "*" in the pattern stands for any one element, the last of which goes to *found. */
static bool match_path(str path, const char *const *pattern, size_t n, str *found)
{
	str element;
	for (size_t i = 0; i < n; i++) {
		if (!next_element(&path, &element))
			return false;
		if (strcmp(pattern[i], "@") == 0)
			*found = element;
		else if (strcmp(pattern[i], "*") != 0 && !same(element, pattern[i]))
			return false;
	}
	return path.len == 0;
}

static bool all_digits(str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!isdigit((unsigned char)s.data[i]))
			return false;
	return s.len > 0;
}

/* "aks-<pool>-<digits>-<tail>" */
static bool pool_of_machine(str name, bool scale_set, char pool[POOL_NAME_MAX + 1])
{
	size_t a = str_find(name, '-', 0);
	size_t b = a < name.len ? str_find(name, '-', a + 1) : name.len, c = b < name.len ? str_find(name, '-', b + 1) : name.len;
	if (c >= name.len || b - a - 1 > POOL_NAME_MAX || !same(str_sub(name, 0, a), "aks") || !all_digits(str_sub(name, b + 1, c)))
		return false;
	str tail = str_sub(name, c + 1, name.len);
	if (scale_set ? !same(tail, "vmss") : !all_digits(tail))
		return false;
	char read[POOL_NAME_MAX + 1] = {0};
	for (size_t i = a + 1; i < b; i++)
		read[i - a - 1] = (char)tolower((unsigned char)name.data[i]);
	if (!agent_pool_name_valid(read))
		return false;
	memcpy(pool, read, sizeof read);
	return true;
}

static const char SCHEME[] = "azure://";
static const char *const SCALE_SET[] = {"subscriptions", "*", "resourceGroups", "*", "providers", "Microsoft.Compute", "virtualMachineScaleSets", "@", "virtualMachines", "*"};
static const char *const MACHINE[] = {"subscriptions", "*", "resourceGroups", "*", "providers", "Microsoft.Compute", "virtualMachines", "@"};

char *agent_pool_provider_id(const char *resource_id) { return mem_printf("%s%s", SCHEME, resource_id); }

/* Without its scheme; empty for another. */
static str path_of(const char *provider_id)
{
	bool ours = provider_id && strncasecmp(provider_id, SCHEME, sizeof SCHEME - 1) == 0;
	return ours ? str_of(provider_id + sizeof SCHEME - 1) : STR("");
}

bool agent_pool_of_provider_id(const char *provider_id, char pool[POOL_NAME_MAX + 1])
{
	str path = path_of(provider_id), name;
	if (match_path(path, SCALE_SET, sizeof SCALE_SET / sizeof SCALE_SET[0], &name))
		return pool_of_machine(name, true, pool);
	return match_path(path, MACHINE, sizeof MACHINE / sizeof MACHINE[0], &name) && pool_of_machine(name, false, pool);
}

/* "aks-<pool>-<machine>-<digits>-vm"; the machine's own name may have dashes. */
static bool unit_of_vm(str name, char unit[UNIT_NAME_MAX + 1])
{
	static const char END[] = "-vm";
	char read[UNIT_NAME_MAX + 1] = {0};
	size_t a = str_find(name, '-', 0), b = a < name.len ? str_find(name, '-', a + 1) : name.len, end = name.len > sizeof END ? name.len - (sizeof END - 1) : 0, digits = end;
	while (digits > 0 && isdigit((unsigned char)name.data[digits - 1]))
		digits--;
	if (b + 2 >= digits || digits == end || name.data[digits - 1] != '-' || !same(str_sub(name, 0, a), "aks") || !same(str_sub(name, end, name.len), END) ||
	    digits - a - 2 > UNIT_NAME_MAX)
		return false;
	for (size_t i = a + 1; i < digits - 1; i++)
		read[i - a - 1] = i == b ? '/' : (char)tolower((unsigned char)name.data[i]);
	if (!aks_machine_unit_valid(read))
		return false;
	memcpy(unit, read, sizeof read);
	return true;
}

bool agent_pool_unit_of_provider_id(const char *provider_id, char unit[UNIT_NAME_MAX + 1])
{
	char pool[POOL_NAME_MAX + 1];
	str name;
	if (agent_pool_of_provider_id(provider_id, pool)) {
		snprintf(unit, UNIT_NAME_MAX + 1, "%s", pool);
		return true;
	}
	return match_path(path_of(provider_id), MACHINE, sizeof MACHINE / sizeof MACHINE[0], &name) && unit_of_vm(name, unit);
}

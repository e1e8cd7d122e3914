/* sim_usages.c: cores in use against the quotas of the settings, by VM family as Microsoft.Compute names it, over all families ("cores") and
 * for spot machines ("lowPriorityCores"). Without a quota in the settings a family has a large one. */
#include "simulate/sim.h"

#include "kube/meta.h"
#include <stdio.h>
#include <strings.h>

#define AMPLE 100000
/* Patterns of VM sizes ('*': any text) and their families; the first that fits. To add one: a row above those that it is a part of. */
static const struct { const char *size, *family, *shown; } FAMILIES[] = {
	{"Standard_NC*ads_A100_v4", "StandardNCADSA100v4Family", "Standard NCADS_A100_v4 Family vCPUs"},
	{"Standard_NCC*ads_H100_v5", "StandardNCCads2023Family", "Standard NCCads2023 Family vCPUs"},
	{"Standard_NC*_H100_v5", "StandardNCadsH100v5Family", "Standard NCadsH100v5 Family vCPUs"},
	{"Standard_NC*_T4_v3", "Standard NCASv3_T4 Family", "Standard NCASv3_T4 Family vCPUs"},
	{"Standard_NC*s_v2", "standardNCSv2Family", "Standard NCSv2 Family vCPUs"},
	{"Standard_NC*s_v3", "standardNCSv3Family", "Standard NCSv3 Family vCPUs"},
	{"Standard_NC*", "standardNCFamily", "Standard NC Family vCPUs"},
	{"Standard_ND*amsr_A100_v4", "Standard NDAMSv4_A100Family", "Standard NDAMSv4_A100Family vCPUs"},
	{"Standard_ND*asr_A100_v4", "Standard NDASv4_A100 Family", "Standard NDASv4_A100 Family vCPUs"},
	{"Standard_ND*_H100_v5", "standardNDSH100v5Family", "Standard NDSH100v5 Family vCPUs"},
	{"Standard_ND*_H200_v5", "standardNDISRH200V5Family", "Standard NDISRH200V5 Family vCPUs"},
	{"Standard_ND*rs_v2", "standardNDSv2Family", "Standard NDSv2 Family vCPUs"},
	{"Standard_ND*", "standardNDSFamily", "Standard NDS Family vCPUs"},
	{"Standard_NG*", "StandardNGADSV620v1Family", "Standard NGADSV620v1 Family vCPUs"},
	{"Standard_NV*_A10_v5", "StandardNVADSA10v5Family", "Standard NVADSA10v5 Family vCPUs"},
	{"Standard_NV*s_v3", "standardNVSv3Family", "Standard NVSv3 Family vCPUs"},
	{"Standard_NV*", "standardNVFamily", "Standard NV Family vCPUs"},
	{"Standard_D*as_v5", "standardDASv5Family", "Standard DASv5 Family vCPUs"},
	{"Standard_D*s_v3", "standardDSv3Family", "Standard DSv3 Family vCPUs"},
	{"Standard_D*s_v4", "standardDSv4Family", "Standard DSv4 Family vCPUs"},
	{"Standard_D*s_v5", "standardDSv5Family", "Standard DSv5 Family vCPUs"},
	{"Standard_E*s_v3", "standardESv3Family", "Standard ESv3 Family vCPUs"},
	{"Standard_E*s_v5", "standardESv5Family", "Standard ESv5 Family vCPUs"},
	{"Standard_F*s_v2", "standardFSv2Family", "Standard FSv2 Family vCPUs"},
};
enum { FAMILY_COUNT = sizeof FAMILIES / sizeof FAMILIES[0] };

static bool fits(const char *pattern, const char *size)
{
	const char *star = strchr(pattern, '*');
	size_t head = (size_t)(star - pattern), tail = strlen(star + 1), len = strlen(size);
	return len > head + tail && strncasecmp(pattern, size, head) == 0 && strcasecmp(size + len - tail, star + 1) == 0;
}

static int family_of(const char *size)
{
	for (int i = 0; i < FAMILY_COUNT; i++)
		if (fits(FAMILIES[i].size, size))
			return i;
	return -1;
}

struct used { int64_t families[FAMILY_COUNT], cores, spot; };

static int64_t cores_of(const json_t *body, int *family, bool *spot)
{
	const char *size = json_text_at(body, "", "properties", "vmSize", NULL);
	const struct sku *sku = sku_find("azure", size);
	*family = family_of(size);
	*spot = strcmp(json_text_at(body, "", "properties", "scaleSetPriority", NULL), "Spot") == 0;
	return sku ? sku->cpus * json_int_at(body, 1, "properties", "count", NULL) : 0;
}

static void count(const struct simulator *s, struct used *u)
{
	struct map_entry e;
	for (size_t i = 0; map_next(&s->pools, &i, &e);) {
		const struct sim_pool *p = e.value;
		int family;
		bool spot;
		int64_t cores = sim_pools_running(s, p) && p->state != SIM_POOL_FAILED ? cores_of(p->body, &family, &spot) : 0;
		if (cores == 0)
			continue;
		if (spot) {
			u->spot += cores;
			continue;
		}
		u->cores += cores;
		if (family >= 0)
			u->families[family] += cores;
	}
}

static int64_t limit_of(const struct simulator *s, const char *name)
{
	const json_t *v = json_object_get(s->settings.quotas, name);
	return v ? json_integer_value(v) : AMPLE;
}

static void put_row(const struct simulator *s, json_t *rows, const char *name, const char *shown, int64_t used)
{
	json_array_append_new(rows, json_pack("{s:s, s:I, s:I, s:{s:s, s:s}}", "unit", "Count", "currentValue", (json_int_t)used, "limit", (json_int_t)limit_of(s, name),
		"name", "value", name, "localizedValue", shown));
}

void sim_usages_get(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	struct used u = {0};
	json_t *rows = json_array();
	if (strcasecmp(q->parts[1], s->location) != 0) {
		json_decref(rows);
		sim_errors_answer(s, r, 400, "NoRegisteredProviderFound", "No registered resource provider found for location '%.60s'.", q->parts[1]);
		return;
	}
	count(s, &u);
	put_row(s, rows, "cores", "Total Regional vCPUs", u.cores);
	put_row(s, rows, "lowPriorityCores", "Total Regional Spot vCPUs", u.spot);
	for (int i = 0; i < FAMILY_COUNT; i++)
		put_row(s, rows, FAMILIES[i].family, FAMILIES[i].shown, u.families[i]);
	sim_reply_json(r, 200, json_pack("{s:o}", "value", rows));
}

static bool refuse(const struct simulator *s, struct sim_failure *f, const char *name, int64_t wanted, int64_t left)
{
	sim_errors_set(f, 400, "ErrCode_InsufficientVCPUQuota", "Insufficient vcpu quota requested %lld, remaining %lld for family %s for region %s.", (long long)wanted,
		       (long long)(left > 0 ? left : 0), name, s->location);
	return false;
}

bool sim_usages_allow(struct simulator *s, const json_t *body, struct sim_failure *f)
{
	struct used u = {0};
	int family;
	bool spot;
	int64_t cores = cores_of(body, &family, &spot);
	if (json_object_size(s->settings.quotas) == 0)
		return true;
	count(s, &u);
	if (spot)
		return u.spot + cores <= limit_of(s, "lowPriorityCores") || refuse(s, f, "lowPriorityCores", cores, limit_of(s, "lowPriorityCores") - u.spot);
	if (u.cores + cores > limit_of(s, "cores"))
		return refuse(s, f, "cores", cores, limit_of(s, "cores") - u.cores);
	if (family >= 0 && u.families[family] + cores > limit_of(s, FAMILIES[family].family))
		return refuse(s, f, FAMILIES[family].family, cores, limit_of(s, FAMILIES[family].family) - u.families[family]);
	return true;
}

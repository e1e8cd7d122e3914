/* quota.c: see quota.h. Counters are kept by their lower-case name without blanks, as Azure spells one family several ways. */
#include "azure/quota.h"

#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"
#include "catalog/sku.h"
#include "kube/meta.h"
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_BYTES 96
#define VCPUS_MAX ((int64_t)1 << 40) /* what a counter may say; more is no count */
#define SPOT_COUNTER "lowPriorityCores"
#define REGION_COUNTER "cores"

/* --- families -------------------------------------------------------------------------------------------------- */

/* "#" stands for digits. To add a family: its rows; the test holds that every machine of the catalogue has one. */
static const struct family { const char *machines, *counter; } FAMILIES[] = {
	{"Standard_NC#", "standardNCFamily"},
	{"Standard_NC#r", "standardNCFamily"},
	{"Standard_NC#s_v2", "standardNCSv2Family"},
	{"Standard_NC#rs_v2", "standardNCSv2Family"},
	{"Standard_NC#s_v3", "standardNCSv3Family"},
	{"Standard_NC#rs_v3", "standardNCSv3Family"},
	{"Standard_NC#as_T#_v3", "StandardNCASv3_T4Family"},
	{"Standard_NC#ads_A10_v4", "StandardNCADSA10v4Family"},
	{"Standard_NC#ads_A100_v4", "StandardNCADSA100v4Family"},
	{"Standard_NC#ads_H100_v5", "StandardNCadsH100v5Family"},
	{"Standard_NC#adis_H100_v5", "StandardNCadsH100v5Family"},
	{"Standard_NCC#ads_H100_v5", "StandardNCCads2023Family"},
	{"Standard_ND#s", "standardNDSFamily"},
	{"Standard_ND#rs", "standardNDSFamily"},
	{"Standard_ND#rs_v2", "standardNDSv2Family"},
	{"Standard_ND#asr_v4", "StandardNDASv4_A100Family"},
	{"Standard_ND#asr_A100_v4", "StandardNDASv4_A100Family"},
	{"Standard_ND#amsr_A100_v4", "standardNDAMSv4_A100Family"},
	{"Standard_ND#isr_H100_v5", "standardNDSH100v5Family"},
	{"Standard_ND#isr_H200_v5", "standardNDISRH200V5Family"},
	{"Standard_ND#isr_MI300X_v5", "standardNDISv5MI300XFamily"},
	{"Standard_NG#ads_V620_v1", "StandardNGADSV620v1Family"},
	{"Standard_NG#adms_V620_v1", "StandardNGADSV620v1Family"},
	{"Standard_NV#", "standardNVFamily"},
	{"Standard_NV#s_v3", "standardNVSv3Family"},
	{"Standard_NV#as_v4", "standardNVSv4Family"},
	{"Standard_NV#ads_A10_v5", "StandardNVADSA10v5Family"},
	{"Standard_NV#adms_A10_v5", "StandardNVADSA10v5Family"},
	{"Standard_D#s_v3", "standardDSv3Family"},
	{"Standard_D#s_v4", "standardDSv4Family"},
	{"Standard_D#s_v5", "standardDSv5Family"},
	{"Standard_D#as_v5", "standardDASv5Family"},
	{"Standard_E#s_v3", "standardESv3Family"},
	{"Standard_E#s_v5", "standardESv5Family"},
	{"Standard_F#s_v2", "standardFSv2Family"},
};

static bool fits(const char *pattern, const char *name)
{
	for (; *pattern; pattern++) {
		if (*pattern == '#') {
			if (!isdigit((unsigned char)*name))
				return false;
			while (isdigit((unsigned char)*name))
				name++;
		} else if (tolower((unsigned char)*pattern) != tolower((unsigned char)*name++)) {
			return false;
		}
	}
	return *name == 0;
}

const char *quota_family(const char *instance_type)
{
	for (size_t i = 0; i < sizeof FAMILIES / sizeof FAMILIES[0]; i++)
		if (fits(FAMILIES[i].machines, instance_type))
			return FAMILIES[i].counter;
	return NULL;
}

/* --- counters -------------------------------------------------------------------------------------------------- */

struct counter { int64_t used, limit; };
struct quota {
	pthread_mutex_t mu;
	struct map counters, coming;  /* name -> struct counter; `coming`: the pages of a reading so far */
	size_t pages;
	int64_t read_ms, reading_ms;  /* -1: never, none */
	bool shortage;                /* found in these counters */
};

struct quota *quota_new(void)
{
	struct quota *q = mem_alloc(sizeof *q);
	pthread_mutex_init(&q->mu, NULL);
	q->counters.free_value = q->coming.free_value = free;
	q->read_ms = q->reading_ms = -1;
	return q;
}

void quota_free(struct quota *q)
{
	if (!q)
		return;
	map_done(&q->counters);
	map_done(&q->coming);
	pthread_mutex_destroy(&q->mu);
	free(q);
}

static void put_element(struct buf *path, const char *element)
{
	for (; element && *element; element++)
		buf_printf(path, isalnum((unsigned char)*element) || strchr("-._", *element) ? "%c" : "%%%02X", (unsigned char)*element);
}

char *quota_path(const struct azure_environment *e)
{
	struct buf path = {0};
	buf_puts(&path, "/subscriptions/");
	put_element(&path, e->subscription);
	buf_puts(&path, "/providers/Microsoft.Compute/locations/");
	put_element(&path, e->location);
	buf_puts(&path, "/usages");
	return buf_take(&path);
}

static bool due(const struct quota *q, int64_t now_ms)
{
	if (q->reading_ms >= 0 && now_ms - q->reading_ms < QUOTA_READING_MS)
		return false;
	return q->read_ms < 0 || now_ms - q->read_ms >= (q->shortage ? QUOTA_SHORT_AGE_MS : QUOTA_AGE_MS);
}

bool quota_due(struct quota *q, int64_t now_ms)
{
	pthread_mutex_lock(&q->mu);
	bool yes = due(q, now_ms);
	if (yes) {
		q->reading_ms = now_ms;
		map_done(&q->coming);
		q->coming.free_value = free;
		q->pages = 0;
	}
	pthread_mutex_unlock(&q->mu);
	return yes;
}

void quota_failed(struct quota *q, int64_t now_ms)
{
	pthread_mutex_lock(&q->mu);
	q->reading_ms = now_ms;
	pthread_mutex_unlock(&q->mu);
}

static str normal(const char *name, char out[NAME_MAX_BYTES])
{
	size_t n = 0;
	for (; *name && n < NAME_MAX_BYTES - 1; name++)
		if (*name != ' ')
			out[n++] = (char)tolower((unsigned char)*name);
	return (str){out, n};
}

static struct counter *counter(struct quota *q, const char *name)
{
	char key[NAME_MAX_BYTES];
	return name ? map_get(&q->counters, normal(name, key)) : NULL;
}

/* {name: {value}, currentValue, limit}; what is not so is passed over. */
static void keep(struct quota *q, const json_t *usage)
{
	char key[NAME_MAX_BYTES];
	const char *name = json_text_at(usage, "", "name", "value", NULL);
	int64_t used = json_int_at(usage, INT64_MIN, "currentValue", NULL), limit = json_int_at(usage, INT64_MIN, "limit", NULL);
	if (!name[0] || used < 0 || used > VCPUS_MAX || limit < -1 || limit > VCPUS_MAX)
		return;
	struct counter *c = mem_alloc(sizeof *c);
	*c = (struct counter){used, limit};
	map_put(&q->coming, normal(name, key), c);
}

static void swap_in(struct quota *q, int64_t now_ms)
{
	map_done(&q->counters);
	q->counters = q->coming;
	q->coming = (struct map){.free_value = free};
	q->pages = 0;
	q->read_ms = now_ms;
	q->reading_ms = -1;
	q->shortage = false;
}

int quota_feed(struct quota *q, const json_t *page, int64_t now_ms, const char **next, struct err *err)
{
	const json_t *values = json_object_get(page, "value");
	if (!json_is_array(values))
		return err_set(err, ERR_PROTOCOL, "azure's answer about quota has no list of values");
	const char *link = json_text_at(page, "", "nextLink", NULL);
	pthread_mutex_lock(&q->mu);
	bool fits_in = q->coming.count + json_array_size(values) <= LIMIT_QUOTA_COUNTERS && ++q->pages <= LIMIT_QUOTA_PAGES;
	for (size_t i = 0; fits_in && i < json_array_size(values); i++)
		keep(q, json_array_get(values, i));
	if (fits_in && !link[0])
		swap_in(q, now_ms);
	pthread_mutex_unlock(&q->mu);
	if (!fits_in)
		return err_set(err, ERR_LIMIT, "azure's answer about quota has more than %d counters or %d pages", LIMIT_QUOTA_COUNTERS, LIMIT_QUOTA_PAGES);
	*next = link[0] ? link : NULL;
	return 0;
}

/* --- verdicts -------------------------------------------------------------------------------------------------- */

static int64_t vcpus(const char *instance_type)
{
	const struct sku *sku = sku_find("azure", instance_type);
	return sku ? sku->cpus : 0;
}

/* The row that ARM's refusal of the same kind has: quota, with that scope. */
static const struct failure_row *row_of(enum failure_scope scope)
{
	size_t i = 0;
	while (i + 1 < FAILURE_COUNT && !(FAILURES[i].cooldown_s && FAILURES[i].scope == scope && strcmp(FAILURES[i].reason, "SubscriptionQuotaReached") == 0))
		i++;
	return &FAILURES[i];
}

/* A limit below 0 is none. */
static bool is_short(const struct counter *c, int64_t need) { return c->limit >= 0 && c->limit - c->used < need; }

static void describe(struct failure *out, enum failure_scope scope, const char *name, const struct counter *c, int64_t need, const char *location)
{
	int64_t left = c->limit > c->used ? c->limit - c->used : 0;
	out->row = row_of(scope);
	out->cooldown_s = c->limit == 0 ? 3600 : out->row->cooldown_s;
	snprintf(out->message, sizeof out->message, "%s: %s needs %lld vCPUs, %lld of %lld left in %.60s; %s", out->row->reason, name, (long long)need,
		 (long long)left, (long long)c->limit, location, out->row->remedy);
}

/* Spot machines count against one counter of their own; others against their family's and the region's. */
static enum quota_verdict check(struct quota *q, const char *instance_type, int64_t need, bool spot, const char *location, struct failure *out)
{
	const struct { enum failure_scope scope; const char *name; } asked[] = {
		{SCOPE_FAMILY, spot ? NULL : quota_family(instance_type)}, {SCOPE_REGION, spot ? NULL : REGION_COUNTER}, {SCOPE_SPOT, spot ? SPOT_COUNTER : NULL}};
	size_t known = 0;
	for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
		const struct counter *c = counter(q, asked[i].name);
		if (c && is_short(c, need)) {
			describe(out, asked[i].scope, asked[i].name, c, need, location);
			return QUOTA_SHORT;
		}
		known += c != NULL;
	}
	return known == (spot ? 1 : 2) ? QUOTA_ENOUGH : QUOTA_UNKNOWN;
}

enum quota_verdict quota_check(struct quota *q, const char *instance_type, bool spot, const char *location, int64_t now_ms, struct failure *out)
{
	enum quota_verdict verdict = QUOTA_UNKNOWN;
	int64_t need = vcpus(instance_type);
	pthread_mutex_lock(&q->mu);
	if (need > 0 && q->read_ms >= 0 && now_ms - q->read_ms < QUOTA_AGE_MS)
		verdict = check(q, instance_type, need, spot, location, out);
	q->shortage = q->shortage || verdict == QUOTA_SHORT;
	pthread_mutex_unlock(&q->mu);
	return verdict;
}

static void add(struct quota *q, const char *name, int64_t n)
{
	struct counter *c = counter(q, name);
	if (c)
		c->used += n;
}

void quota_take(struct quota *q, const char *instance_type, bool spot)
{
	int64_t n = vcpus(instance_type);
	pthread_mutex_lock(&q->mu);
	add(q, spot ? SPOT_COUNTER : quota_family(instance_type), n);
	if (!spot)
		add(q, REGION_COUNTER, n);
	pthread_mutex_unlock(&q->mu);
}

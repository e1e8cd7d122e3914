/* offerings.c: see offerings.h. A short list: an entry lives hours, and a cluster meets few refusals; ended entries go when the list is
 * written to. Past the ceiling the entry that ends first makes room, which costs one more request some day. */
#include "cloud/offerings.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct entry { char type[96], zone[64], capacity[16], reason[65]; int64_t ends_ms; };
struct offerings {
	pthread_mutex_t mu; /* guards all */
	struct entry entries[LIMIT_COOLED_OFFERINGS];
	size_t n;
	struct map told; /* reason -> char *, as many as there are reasons in a cloud's table */
};

struct offerings *offerings_new(void)
{
	struct offerings *o = mem_alloc(sizeof *o);
	o->told.free_value = free;
	pthread_mutex_init(&o->mu, NULL);
	return o;
}

void offerings_free(struct offerings *o)
{
	if (!o)
		return;
	pthread_mutex_destroy(&o->mu);
	map_done(&o->told);
	free(o);
}

static void drop_ended(struct offerings *o, int64_t now)
{
	size_t kept = 0;
	for (size_t i = 0; i < o->n; i++)
		if (o->entries[i].ends_ms > now)
			o->entries[kept++] = o->entries[i];
	o->n = kept;
}

static bool same(const struct entry *a, const struct entry *b)
{
	return strcasecmp(a->type, b->type) == 0 && strcasecmp(a->zone, b->zone) == 0 && strcmp(a->capacity, b->capacity) == 0;
}

/* The entry of the same offering, a free one, or the one that ends first. */
static struct entry *place(struct offerings *o, const struct entry *e)
{
	struct entry *first = &o->entries[0];
	for (size_t i = 0; i < o->n; i++) {
		if (same(&o->entries[i], e))
			return &o->entries[i];
		if (o->entries[i].ends_ms < first->ends_ms)
			first = &o->entries[i];
	}
	return o->n < LIMIT_COOLED_OFFERINGS ? &o->entries[o->n++] : first;
}

void offerings_block(struct offerings *o, const char *instance_type, const char *zone, const char *capacity_type, int64_t for_s, const char *reason)
{
	int64_t now = clock_now_ms();
	struct entry e = {.ends_ms = now + for_s * 1000};
	snprintf(e.type, sizeof e.type, "%s", instance_type);
	snprintf(e.zone, sizeof e.zone, "%s", zone);
	snprintf(e.capacity, sizeof e.capacity, "%s", capacity_type);
	snprintf(e.reason, sizeof e.reason, "%s", reason);
	pthread_mutex_lock(&o->mu);
	drop_ended(o, now);
	struct entry *at = place(o, &e);
	if (!same(at, &e) || at->ends_ms < e.ends_ms)
		*at = e;
	pthread_mutex_unlock(&o->mu);
}

static bool covers(const struct entry *e, const char *type, const char *family, const char *zone, const char *capacity)
{
	bool of_family = strncmp(e->type, "family:", 7) == 0;
	bool its_type = !e->type[0] || (of_family ? strcasecmp(e->type + 7, family) == 0 : strcasecmp(e->type, type) == 0);
	return its_type && (!e->zone[0] || strcasecmp(e->zone, zone) == 0) && (!e->capacity[0] || strcmp(e->capacity, capacity) == 0);
}

bool offerings_blocked(struct offerings *o, const char *instance_type, const char *family, const char *zone, const char *capacity_type, char reason[65],
		       int64_t *ends_s)
{
	int64_t now = clock_now_ms();
	const struct entry *longest = NULL;
	pthread_mutex_lock(&o->mu);
	for (size_t i = 0; i < o->n; i++) {
		const struct entry *e = &o->entries[i];
		if (e->ends_ms > now && covers(e, instance_type, family, zone, capacity_type) && (!longest || longest->ends_ms < e->ends_ms))
			longest = e;
	}
	if (longest && reason)
		snprintf(reason, 65, "%s", longest->reason);
	if (longest && ends_s)
		*ends_s = clock_wall_s() + (longest->ends_ms - now + 999) / 1000;
	pthread_mutex_unlock(&o->mu);
	return longest != NULL;
}

void offerings_tell(struct offerings *o, const char *reason, const char *message)
{
	pthread_mutex_lock(&o->mu);
	map_put(&o->told, str_of(reason), mem_strdup(message));
	pthread_mutex_unlock(&o->mu);
}

void offerings_told(struct offerings *o, const char *reason, char *out, size_t size)
{
	pthread_mutex_lock(&o->mu);
	const char *message = map_get(&o->told, str_of(reason));
	size_t n = message ? strlen(message) : 0;
	if (n >= size)
		for (n = size - 1; n > 0 && ((unsigned char)message[n] & 0xc0) == 0x80;)
			n--;
	if (n)
		memcpy(out, message, n);
	out[n] = 0;
	pthread_mutex_unlock(&o->mu);
}

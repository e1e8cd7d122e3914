/* claim_slots.c: see claim_slots.h. */
#include "cloud/claim_slots.h"

#include "base/map.h"
#include "base/mem.h"
#include <pthread.h>
#include <stdalign.h>

struct slot { bool taken; alignas(max_align_t) char state[]; };
struct claim_slots {
	size_t bytes;
	pthread_mutex_t mu; /* guards the map and `taken` */
	struct map by_uid;  /* uid -> struct slot */
};

struct claim_slots *claim_slots_new(size_t bytes)
{
	struct claim_slots *s = mem_alloc(sizeof *s);
	s->bytes = sizeof(struct slot) + bytes;
	pthread_mutex_init(&s->mu, NULL);
	s->by_uid.free_value = free;
	return s;
}

void claim_slots_free(struct claim_slots *s)
{
	if (!s)
		return;
	map_done(&s->by_uid);
	pthread_mutex_destroy(&s->mu);
	free(s);
}

void *claim_slots_take(struct claim_slots *s, const char *uid)
{
	pthread_mutex_lock(&s->mu);
	struct slot *slot = map_get(&s->by_uid, str_of(uid));
	if (!slot)
		map_put(&s->by_uid, str_of(uid), slot = mem_alloc(s->bytes));
	bool ours = !slot->taken;
	slot->taken = true;
	pthread_mutex_unlock(&s->mu);
	return ours ? slot->state : NULL;
}

void claim_slots_give(struct claim_slots *s, const char *uid, bool ended)
{
	pthread_mutex_lock(&s->mu);
	struct slot *slot = map_get(&s->by_uid, str_of(uid));
	if (slot)
		slot->taken = false;
	if (ended)
		map_remove(&s->by_uid, str_of(uid));
	pthread_mutex_unlock(&s->mu);
}

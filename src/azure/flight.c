/* flight.c: see flight.h. */
#include "azure/flight.h"

#include "base/map.h"
#include "base/mem.h"
#include <pthread.h>

struct slot { struct flight flight; bool taken; };
struct flights {
	pthread_mutex_t mu; /* guards the map and `taken` */
	struct map by_uid;  /* uid -> struct slot */
};

struct flights *flights_new(void)
{
	struct flights *f = mem_alloc(sizeof *f);
	pthread_mutex_init(&f->mu, NULL);
	f->by_uid.free_value = free;
	return f;
}

void flights_free(struct flights *f)
{
	if (!f)
		return;
	map_done(&f->by_uid);
	pthread_mutex_destroy(&f->mu);
	free(f);
}

struct flight *flights_take(struct flights *f, const char *uid)
{
	pthread_mutex_lock(&f->mu);
	struct slot *s = map_get(&f->by_uid, str_of(uid));
	if (!s)
		map_put(&f->by_uid, str_of(uid), s = mem_alloc(sizeof *s));
	bool free_for_us = !s->taken;
	s->taken = true;
	pthread_mutex_unlock(&f->mu);
	return free_for_us ? &s->flight : NULL;
}

void flights_give(struct flights *f, const char *uid, bool ended)
{
	pthread_mutex_lock(&f->mu);
	struct slot *s = map_get(&f->by_uid, str_of(uid));
	if (s)
		s->taken = false;
	if (ended)
		map_remove(&f->by_uid, str_of(uid));
	pthread_mutex_unlock(&f->mu);
}

/* attempt.c: see attempt.h. */
#include "aws/attempt.h"

#include "base/map.h"
#include "base/mem.h"
#include <pthread.h>

struct slot { struct attempt attempt; bool taken; };
struct attempts {
	pthread_mutex_t mu; /* guards the map and `taken` */
	struct map by_uid;  /* uid -> struct slot */
};

struct attempts *attempts_new(void)
{
	struct attempts *a = mem_alloc(sizeof *a);
	pthread_mutex_init(&a->mu, NULL);
	a->by_uid.free_value = free;
	return a;
}

void attempts_free(struct attempts *a)
{
	if (!a)
		return;
	map_done(&a->by_uid);
	pthread_mutex_destroy(&a->mu);
	free(a);
}

struct attempt *attempts_take(struct attempts *a, const char *uid)
{
	pthread_mutex_lock(&a->mu);
	struct slot *s = map_get(&a->by_uid, str_of(uid));
	if (!s)
		map_put(&a->by_uid, str_of(uid), s = mem_alloc(sizeof *s));
	bool ours = !s->taken;
	s->taken = true;
	pthread_mutex_unlock(&a->mu);
	return ours ? &s->attempt : NULL;
}

void attempts_give(struct attempts *a, const char *uid, bool ended)
{
	pthread_mutex_lock(&a->mu);
	struct slot *s = map_get(&a->by_uid, str_of(uid));
	if (s)
		s->taken = false;
	if (ended)
		map_remove(&a->by_uid, str_of(uid));
	pthread_mutex_unlock(&a->mu);
}

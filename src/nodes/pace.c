/* pace.c: see pace.h. A table of hashes: a name is its hash. */
#include "nodes/pace.h"

#include "base/map.h"

enum { DOUBLINGS_MAX = 30 };

bool pace_ready(struct pace *p, const char *name, int64_t now_ms)
{
	uint64_t hash = map_hash(str_of(name));
	pthread_mutex_lock(&p->mu);
	bool ready = p->places[hash % PACE_PLACES].name != hash || p->places[hash % PACE_PLACES].until_ms <= now_ms;
	pthread_mutex_unlock(&p->mu);
	return ready;
}

bool pace_take(struct pace *p, const char *name, int64_t now_ms, int64_t for_ms)
{
	uint64_t hash = map_hash(str_of(name));
	pthread_mutex_lock(&p->mu);
	bool ready = p->places[hash % PACE_PLACES].name != hash || p->places[hash % PACE_PLACES].until_ms <= now_ms;
	if (ready) {
		p->places[hash % PACE_PLACES].name = hash;
		p->places[hash % PACE_PLACES].until_ms = now_ms + for_ms;
		p->places[hash % PACE_PLACES].failures = 0;
	}
	pthread_mutex_unlock(&p->mu);
	return ready;
}

void pace_back_off(struct pace *p, const char *name, int64_t now_ms, int64_t first_ms, int64_t max_ms)
{
	uint64_t hash = map_hash(str_of(name));
	pthread_mutex_lock(&p->mu);
	unsigned failures = p->places[hash % PACE_PLACES].name == hash ? p->places[hash % PACE_PLACES].failures : 0;
	int64_t pause = failures < DOUBLINGS_MAX && (first_ms << failures) < max_ms ? first_ms << failures : max_ms;
	p->places[hash % PACE_PLACES].name = hash;
	p->places[hash % PACE_PLACES].until_ms = now_ms + pause;
	p->places[hash % PACE_PLACES].failures = failures + (failures < DOUBLINGS_MAX);
	pthread_mutex_unlock(&p->mu);
}

void pace_forget(struct pace *p, const char *name)
{
	uint64_t hash = map_hash(str_of(name));
	pthread_mutex_lock(&p->mu);
	if (p->places[hash % PACE_PLACES].name == hash)
		p->places[hash % PACE_PLACES].name = 0;
	pthread_mutex_unlock(&p->mu);
}

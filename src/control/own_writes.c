/* own_writes.c: see own_writes.h. */
#include "control/own_writes.h"

#include "base/map.h"
#include "kube/meta.h"
#include <stdlib.h>

static uint64_t key_of(const json_t *object)
{
	return map_hash(str_of(meta_uid(object)));
}

void own_writes_note(struct own_writes *o, const json_t *object)
{
	uint64_t key = key_of(object);
	pthread_mutex_lock(&o->mu);
	o->slots[key % OWN_WRITES_SLOTS].key = key;
	o->slots[key % OWN_WRITES_SLOTS].version = map_hash(str_of(meta_version(object)));
	pthread_mutex_unlock(&o->mu);
}

bool own_writes_is_echo(struct own_writes *o, const json_t *object)
{
	uint64_t key = key_of(object), version = map_hash(str_of(meta_version(object)));
	pthread_mutex_lock(&o->mu);
	bool echo = o->slots[key % OWN_WRITES_SLOTS].key == key && o->slots[key % OWN_WRITES_SLOTS].version == version;
	pthread_mutex_unlock(&o->mu);
	return echo;
}

/* key_index.c: see key_index.h. */
#include "kube/key_index.h"

static void free_things(void *p)
{
	key_index_things *things = p;
	vec_done(things);
	free(things);
}

void key_index_add(struct key_index *x, struct key_index_keys *keys, void *thing, const char *key)
{
	for (size_t i = 0; i < keys->list.len; i++)
		if (strcmp(keys->list.data[i], key) == 0)
			return;
	key_index_things *things = map_get(&x->map, str_of(key));
	if (!things) {
		things = mem_alloc(sizeof *things);
		x->map.free_value = free_things;
		map_put(&x->map, str_of(key), things);
	}
	vec_push(things, thing);
	vec_push(&keys->list, mem_strdup(key));
}

void key_index_remove(struct key_index *x, struct key_index_keys *keys, void *thing)
{
	for (size_t i = 0; i < keys->list.len; i++) {
		str key = str_of(keys->list.data[i]);
		key_index_things *things = map_get(&x->map, key);
		for (size_t j = 0; things && j < things->len; j++)
			if (things->data[j] == thing) {
				things->data[j] = things->data[--things->len];
				break;
			}
		if (things && !things->len)
			map_remove(&x->map, key);
	}
	key_index_keys_done(keys);
}

const key_index_things *key_index_find(const struct key_index *x, const char *key) { return map_get(&x->map, str_of(key)); }

void key_index_done(struct key_index *x) { map_done(&x->map); }

void key_index_keys_done(struct key_index_keys *keys)
{
	for (size_t i = 0; i < keys->list.len; i++)
		free(keys->list.data[i]);
	vec_done(&keys->list);
}

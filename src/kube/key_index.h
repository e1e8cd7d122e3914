/* key_index.h: which things are found under which keys, many to many. A thing remembers its keys, so that it can be taken out again.
 * Owner: whoever holds the lock around it. Zero-initialised is empty. */
#pragma once
#include "base/map.h"
#include "base/vec.h"

typedef VEC(void *) key_index_things;
struct key_index_keys { VEC(char *) list; };  /* kept by each thing */
struct key_index { struct map map; };         /* key -> key_index_things */

void key_index_add(struct key_index *x, struct key_index_keys *keys, void *thing, const char *key); /* twice does no harm */
void key_index_remove(struct key_index *x, struct key_index_keys *keys, void *thing);              /* from all its keys */
const key_index_things *key_index_find(const struct key_index *x, const char *key);                /* NULL: none; no order */
void key_index_done(struct key_index *x);
void key_index_keys_done(struct key_index_keys *keys);

/* kv_cache.h: keys and values of every slot, layer and KV head. One mapping, touched lazily: a slot costs memory only for the
 * tokens it has held. Layout of one head: ops/kv_attention.h. Owner: the engine's thread and, inside a step, its workers. */
#pragma once
#include "model/model.h"
#include "ops/kv_attention.h"

struct kv_cache {
	enum kv_type type;
	int32_t layers, heads, d, slots;
	int64_t tokens;                       /* capacity of a slot, a multiple of KV_TILE_KEYS */
	size_t key_bytes, value_bytes, bytes; /* of one head; of everything */
	unsigned char *pages;
};
WARN_UNUSED int kv_cache_init(struct kv_cache *c, const struct model_config *config, enum kv_type type, int32_t slots, int64_t tokens, struct err *err);
void kv_cache_done(struct kv_cache *c);
void *kv_cache_keys(const struct kv_cache *c, int32_t slot, int32_t layer, int32_t head);
void *kv_cache_values(const struct kv_cache *c, int32_t slot, int32_t layer, int32_t head);

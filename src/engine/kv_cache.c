/* kv_cache.c: addresses inside the one mapping: slot, then layer, then head, keys before values. */
#include "engine/kv_cache.h"

#include "base/mem.h"

int kv_cache_init(struct kv_cache *c, const struct model_config *config, enum kv_type type, int32_t slots, int64_t tokens, struct err *err)
{
	*c = (struct kv_cache){.type = type, .layers = config->layers, .heads = config->kv_heads, .d = config->head_dim, .slots = slots};
	c->tokens = (tokens + KV_TILE_KEYS - 1) / KV_TILE_KEYS * KV_TILE_KEYS;
	c->key_bytes = kv_key_bytes(type, c->d, c->tokens);
	c->value_bytes = kv_value_bytes(type, c->d, c->tokens);
	size_t heads = (size_t)slots * (size_t)c->layers * (size_t)c->heads;
	if (__builtin_mul_overflow(heads, c->key_bytes + c->value_bytes, &c->bytes))
		return err_set(err, ERR_NO_MEMORY, "the key/value cache of %d sequences of %lld tokens is too large", slots, (long long)tokens);
	c->pages = mem_map_pages(c->bytes, err);
	return c->pages ? 0 : err_wrap(err, "key/value cache of %d sequences of %lld tokens", slots, (long long)tokens);
}

void kv_cache_done(struct kv_cache *c)
{
	if (c->pages)
		mem_unmap_pages(c->pages, c->bytes);
	c->pages = NULL;
}

void *kv_cache_keys(const struct kv_cache *c, int32_t slot, int32_t layer, int32_t head)
{
	size_t index = ((size_t)slot * (size_t)c->layers + (size_t)layer) * (size_t)c->heads + (size_t)head;
	return c->pages + index * (c->key_bytes + c->value_bytes);
}

void *kv_cache_values(const struct kv_cache *c, int32_t slot, int32_t layer, int32_t head)
{
	return (unsigned char *)kv_cache_keys(c, slot, layer, head) + c->key_bytes;
}

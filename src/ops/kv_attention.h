/* kv_attention.h: attention of new queries over the keys and values in a cache, for generation. Forward only, one KV head at a
 * time with the query heads that share it (grouped-query attention), online softmax (Milakov & Gimelshein 2018).
 * Serial; callers split heads and rows between threads. Nothing is allocated.
 *
 * Letters: D head size, D' = D rounded up to 16, G query heads per KV head.
 * Cache of one KV head: keys in blocks of 16 tokens stored [D][16], so that a vector register holds 16 tokens and a score
 * needs no horizontal sum; values row by row, [token][D'], the pad being zero. Elements are f32 or f16.
 * Each output row is a fixed sequence of operations that depends on its position, on the ISA level and on how many queries
 * are given together (the register tile); different tilings differ in the last bits only.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum kv_type { KV_F32, KV_F16 };
#define KV_BLOCK 16 /* tokens of one key block */
#define KV_TILE_ROWS 32
#define KV_TILE_KEYS 64

static inline int64_t kv_padded(int32_t d) { return ((int64_t)d + 15) / 16 * 16; }
static inline size_t kv_element_bytes(enum kv_type type) { return type == KV_F16 ? 2 : 4; }
/* Bytes of the keys and of the values of one head for `tokens` tokens. Keys are read in whole tiles, hence the rounding. */
static inline size_t kv_key_bytes(enum kv_type type, int32_t d, int64_t tokens) { return (size_t)((tokens + KV_TILE_KEYS - 1) / KV_TILE_KEYS * KV_TILE_KEYS) * (size_t)d * kv_element_bytes(type); }
static inline size_t kv_value_bytes(enum kv_type type, int32_t d, int64_t tokens) { return (size_t)(tokens * kv_padded(d)) * kv_element_bytes(type); }

struct kv_attention {
	enum kv_type type;
	int32_t d, group, window;    /* window 0: none. Key j is visible to query i when j <= i and i - j < window */
	float scale;
	const void *keys, *values;   /* of this KV head, token 0 first */
	int64_t first, rows;         /* queries stand at positions first .. first + rows - 1 */
	const float *q; int64_t ldq; /* head h of query r: q + r * ldq + h * d */
	float *out; int64_t ldo;     /* likewise */
	float *scratch;              /* kv_scratch_floats(d) */
};
static inline size_t kv_scratch_floats(int32_t d) { return KV_TILE_ROWS * ((size_t)kv_padded(d) * 2 + KV_TILE_KEYS + 2) + 64; }

struct kv_kernels {
	const char *name;
	/* Store `rows` tokens at positions first .. of one head; x + r * ldx. f16 saturates at its largest finite value. */
	void (*store_keys)(enum kv_type type, int32_t d, void *keys, int64_t first, int64_t rows, const float *x, int64_t ldx);
	void (*store_values)(enum kv_type type, int32_t d, void *values, int64_t first, int64_t rows, const float *x, int64_t ldx);
	void (*attention)(const struct kv_attention *a);
};
enum kv_level { KV_REFERENCE, KV_BASE, KV_AVX2, KV_AVX512, KV_LEVELS };
const struct kv_kernels *kv_kernels_level(enum kv_level level); /* NULL when this CPU or this build lacks it */
const struct kv_kernels *kv_kernels(void);                      /* the best of this CPU */

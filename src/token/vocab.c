/* vocab.c: see vocab.h. The hash is a folded multiplication over eight bytes at a time; a slot carries twelve of its
 * bits, so a probe touches the token's text only when it is almost surely the right one. */
#include "token/vocab.h"

#include "base/map.h"
#include "base/mem.h"

static uint64_t fold(uint64_t a, uint64_t b)
{
	__extension__ typedef unsigned __int128 wide;
	wide product = (wide)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load8(const char *p)
{
	uint64_t w;
	memcpy(&w, p, 8);
	return w;
}

static uint64_t load4(const char *p)
{
	uint32_t w;
	memcpy(&w, p, 4);
	return w;
}

/* The last 0..8 bytes as a number, by overlapping loads. */
static uint64_t load_tail(const char *p, size_t len)
{
	if (len >= 4)
		return load4(p) << 32 | load4(p + len - 4);
	if (len == 0)
		return 0;
	return (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[len / 2] << 8 | (unsigned char)p[len - 1];
}

uint32_t vocab_hash(str s)
{
	static _Atomic uint64_t seed;
	uint64_t h = seed;
	if (h == 0)
		seed = h = map_hash(STR("vocab")) | 1;
	h ^= s.len * 0x9E3779B97F4A7C15u;
	for (; s.len > 8; s.data += 8, s.len -= 8)
		h = fold(h ^ load8(s.data), 0xA0761D6478BD642Fu);
	h = fold(h ^ load_tail(s.data, s.len), 0xE7037ED1A0B428DBu);
	return (uint32_t)(h ^ h >> 32);
}

uint32_t *vocab_slots_new(int64_t count, uint32_t *mask, struct err *err)
{
	size_t slots = 16;
	while ((int64_t)slots < 2 * count)
		slots *= 2;
	*mask = (uint32_t)(slots - 1);
	return mem_try_alloc(slots, sizeof(uint32_t), err);
}

int vocab_init(struct vocab *v, int64_t count, struct err *err)
{
	if (count > LIMIT_VOCAB)
		return err_set(err, ERR_LIMIT, "the vocabulary has %lld tokens, more than the limit of %d", (long long)count, LIMIT_VOCAB);
	*v = (struct vocab){.count = (int32_t)count};
	v->tokens = mem_try_alloc((size_t)count, sizeof *v->tokens, err);
	v->flags = v->tokens ? mem_try_alloc((size_t)count, 1, err) : NULL;
	v->slots = v->flags ? vocab_slots_new(count, &v->mask, err) : NULL;
	if (v->slots)
		return 0;
	vocab_done(v);
	return -1;
}

void vocab_done(struct vocab *v)
{
	free(v->tokens);
	free(v->flags);
	free(v->slots);
	*v = (struct vocab){0};
}

/* The slot that holds the content, or the empty one where it would go. */
static uint32_t *probe(const struct vocab *v, str content, uint32_t hash)
{
	for (uint32_t at = hash & v->mask;; at = (at + 1) & v->mask) {
		uint32_t slot = v->slots[at];
		if (slot == 0)
			return &v->slots[at];
		if (VOCAB_SLOT_MATCHES(slot, hash) && str_eq(vocab_at(v, VOCAB_SLOT_INDEX(slot)), content))
			return &v->slots[at];
	}
}

bool vocab_put(struct vocab *v, int32_t id, str content)
{
	uint32_t hash = vocab_hash(content);
	v->tokens[id] = (struct vocab_token){content.data, (uint32_t)content.len, hash};
	uint32_t *slot = probe(v, content, hash);
	bool fresh = *slot == 0;
	*slot = VOCAB_SLOT(hash, id);
	return fresh;
}

int32_t vocab_find(const struct vocab *v, str content)
{
	return v->slots ? VOCAB_SLOT_INDEX(*probe(v, content, vocab_hash(content))) : -1;
}

int32_t vocab_find_pair(const struct vocab *v, str left, str right)
{
	char small[256];
	size_t len = left.len + right.len;
	char *text = len <= sizeof small ? small : mem_alloc(len);
	memcpy(text, left.data, left.len);
	memcpy(text + left.len, right.data, right.len);
	int32_t id = vocab_find(v, (str){text, len});
	if (text != small)
		free(text);
	return id;
}

/* map.c: an index of 32-bit slots over a dense entry array (insertion order for free).
 * The hash is seeded once per process so that hostile keys cannot be prepared in advance. */
#include "base/map.h"

#include "base/mem.h"
#include <pthread.h>
#include <sys/random.h>

static uint64_t seed;
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void make_seed(void)
{
	if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
		seed = 0x9E3779B97F4A7C15u;
}

uint64_t map_hash(str key)
{
	pthread_once(&seed_once, make_seed);
	uint64_t h = seed ^ (key.len * 0x9E3779B97F4A7C15u);
	size_t i = 0;
	for (; i + 8 <= key.len; i += 8) {
		uint64_t w;
		memcpy(&w, key.data + i, 8);
		h = (h ^ w) * 0xD6E8FEB86659FD93u;
		h ^= h >> 32;
	}
	uint64_t tail = 0;
	if (i < key.len)
		memcpy(&tail, key.data + i, key.len - i);
	h = (h ^ tail) * 0xD6E8FEB86659FD93u;
	return h ^ (h >> 29);
}

/* Slot that holds the key, or the empty slot where it would go. */
static size_t probe(const struct map *m, str key)
{
	size_t slot = (size_t)map_hash(key) & (m->slots - 1);
	for (;; slot = (slot + 1) & (m->slots - 1)) {
		uint32_t i = m->index[slot];
		if (i == 0)
			return slot;
		const struct map_entry *e = &m->entries[i - 1];
		if (e->key.data && str_eq(e->key, key))
			return slot;
	}
}

static void rehash(struct map *m)
{
	size_t kept = 0;
	for (size_t i = 0; i < m->used; i++)
		if (m->entries[i].key.data)
			m->entries[kept++] = m->entries[i];
	m->used = kept;
	m->cap = kept < 8 ? 16 : kept * 2;
	m->entries = mem_realloc(m->entries, m->cap * sizeof *m->entries);
	m->slots = m->cap * 2;
	while (m->slots & (m->slots - 1))
		m->slots += m->slots & -m->slots;
	free(m->index);
	m->index = mem_array(m->slots, sizeof *m->index);
	for (size_t i = 0; i < kept; i++)
		m->index[probe(m, m->entries[i].key)] = (uint32_t)i + 1;
}

static struct map_entry *find(const struct map *m, str key)
{
	if (!m->slots)
		return NULL;
	uint32_t i = m->index[probe(m, key)];
	return i ? &m->entries[i - 1] : NULL;
}

void *map_get(const struct map *m, str key)
{
	struct map_entry *e = find(m, key);
	return e ? e->value : NULL;
}

bool map_has(const struct map *m, str key) { return find(m, key) != NULL; }

void map_put(struct map *m, str key, void *value)
{
	struct map_entry *e = find(m, key);
	if (e) {
		if (m->free_value && e->value != value)
			m->free_value(e->value);
		e->value = value;
		return;
	}
	if (m->used == m->cap)
		rehash(m);
	m->entries[m->used] = (struct map_entry){{mem_strndup(key.data, key.len), key.len}, value};
	m->index[probe(m, key)] = (uint32_t)++m->used;
	m->count++;
}

bool map_remove(struct map *m, str key)
{
	struct map_entry *e = find(m, key);
	if (!e)
		return false;
	if (m->free_value)
		m->free_value(e->value);
	free((char *)e->key.data); /* our own copy */
	*e = (struct map_entry){{NULL, 0}, NULL};
	m->count--;
	return true;
}

bool map_next(const struct map *m, size_t *i, struct map_entry *out)
{
	while (*i < m->used) {
		const struct map_entry *e = &m->entries[(*i)++];
		if (e->key.data) {
			*out = *e;
			return true;
		}
	}
	return false;
}

void map_done(struct map *m)
{
	struct map_entry e;
	for (size_t i = 0; map_next(m, &i, &e);) {
		if (m->free_value)
			m->free_value(e.value);
		free((char *)e.key.data);
	}
	free(m->entries);
	free(m->index);
	*m = (struct map){.free_value = m->free_value};
}

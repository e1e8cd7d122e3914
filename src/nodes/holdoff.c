/* holdoff.c: see holdoff.h. */
#include "nodes/holdoff.h"

#include "base/map.h"
#include <string.h>

static uint64_t key_of(const char *uid)
{
	return map_hash(str_of(uid)) | 1; /* 0 is a free slot */
}

int64_t holdoff_left(struct holdoff *h, const char *uid, int64_t now_ms, uint64_t *inputs)
{
	uint64_t key = key_of(uid);
	int64_t left = 0;
	pthread_mutex_lock(&h->mu);
	size_t at = key % HOLDOFF_SLOTS;
	if (h->slots[at].key == key && h->slots[at].until_ms > now_ms) {
		left = h->slots[at].until_ms == HOLDOFF_NEVER ? HOLDOFF_NEVER : h->slots[at].until_ms - now_ms;
		if (inputs)
			*inputs = h->slots[at].inputs;
	}
	pthread_mutex_unlock(&h->mu);
	return left;
}

/* With the mutex held. */
static void store(struct holdoff *h, uint64_t key, uint64_t inputs, int64_t until_ms, int failures)
{
	size_t at = key % HOLDOFF_SLOTS;
	h->slots[at].key = key;
	h->slots[at].inputs = inputs;
	h->slots[at].until_ms = until_ms;
	h->slots[at].failures = failures;
}

void holdoff_set(struct holdoff *h, const char *uid, uint64_t inputs, int64_t until_ms)
{
	pthread_mutex_lock(&h->mu);
	store(h, key_of(uid), inputs, until_ms, 0);
	pthread_mutex_unlock(&h->mu);
}

/* The jitter comes from the uid, so that claims that failed together do not come back together. */
static int64_t delay_of(uint64_t key, int failures)
{
	int64_t delay = failures < 6 ? (int64_t)HOLDOFF_FIRST_MS << failures : HOLDOFF_MAX_MS;
	return delay - (int64_t)(key / HOLDOFF_SLOTS % 100) * delay / 1000;
}

int64_t holdoff_fail(struct holdoff *h, const char *uid, uint64_t inputs, int64_t now_ms)
{
	uint64_t key = key_of(uid);
	pthread_mutex_lock(&h->mu);
	size_t at = key % HOLDOFF_SLOTS;
	int failures = h->slots[at].key == key ? h->slots[at].failures : 0;
	int64_t delay = delay_of(key, failures);
	store(h, key, inputs, now_ms + delay, failures < 6 ? failures + 1 : failures);
	pthread_mutex_unlock(&h->mu);
	return delay;
}

void holdoff_forget(struct holdoff *h, const char *uid)
{
	uint64_t key = key_of(uid);
	pthread_mutex_lock(&h->mu);
	if (h->slots[key % HOLDOFF_SLOTS].key == key)
		memset(&h->slots[key % HOLDOFF_SLOTS], 0, sizeof h->slots[0]);
	pthread_mutex_unlock(&h->mu);
}

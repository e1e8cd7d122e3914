/* holdoff.h: which claims are not to be launched again yet. A refusal is written into the claim's status, and that write comes back as an
 * event; without a hold it would be the next try at once. The table is a hint of a fixed size: forgetting costs one try of a claim.
 * All zeros is an empty table. Guarded by its own mutex. */
#pragma once
#include <pthread.h>
#include <stdint.h>

enum { HOLDOFF_SLOTS = 8192, HOLDOFF_FIRST_MS = 1000, HOLDOFF_MAX_MS = 60000 };
#define HOLDOFF_NEVER INT64_MAX
struct holdoff {
	pthread_mutex_t mu;
	struct { uint64_t key, inputs; int64_t until_ms; int failures; } slots[HOLDOFF_SLOTS];
};
/* What is left of the hold of this uid, 0: none; HOLDOFF_NEVER. inputs (may be NULL) gets what the hold was for: it ends with a change of them. */
int64_t holdoff_left(struct holdoff *h, const char *uid, int64_t now_ms, uint64_t *inputs);
void holdoff_set(struct holdoff *h, const char *uid, uint64_t inputs, int64_t until_ms);
/* One more failure in a row: holds for 1 s, doubled up to 60 s, with a jitter of a tenth. Returns how long. */
int64_t holdoff_fail(struct holdoff *h, const char *uid, uint64_t inputs, int64_t now_ms);
void holdoff_forget(struct holdoff *h, const char *uid);

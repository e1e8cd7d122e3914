/* work_queue.h: keys to reconcile. A key is in work on one worker only; added meanwhile, it comes again afterwards. Added twice while
 * waiting, it comes once. Failures back off per key (5 ms doubled up to 1000 s, as client-go) and over all keys (10/s, burst 100).
 * Guarded by its own mutex. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct work_queue;
struct work_queue_figures { uint64_t adds, retries; size_t depth, in_work, waiting; double longest_running_s, unfinished_s; };
struct work_queue *work_queue_new(const char *name);
/* Another back-off for failing keys, before the queue is used; 0 keeps the default. */
void work_queue_set_backoff(struct work_queue *q, int64_t first_ms, int64_t max_ms);
void work_queue_free(struct work_queue *q);
void work_queue_add(struct work_queue *q, const char *key);
void work_queue_add_after(struct work_queue *q, const char *key, int64_t delay_ms); /* the earliest of several wins */
void work_queue_add_limited(struct work_queue *q, const char *key);                 /* after the key's back-off */
void work_queue_forget(struct work_queue *q, const char *key);                      /* resets the back-off */
int work_queue_failures(struct work_queue *q, const char *key);
/* Blocks. NULL after work_queue_stop. Caller passes the same pointer to work_queue_done. *waited_ms (may be NULL): time in the queue. */
char *work_queue_take(struct work_queue *q, int64_t *waited_ms);
void work_queue_done(struct work_queue *q, char *key); /* frees key */
void work_queue_stop(struct work_queue *q);
struct work_queue_figures work_queue_figures(struct work_queue *q);

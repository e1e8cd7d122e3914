/* pace.h: when something may be tried or said again, by name, in memory only: a restart costs one try too early. The table has a fixed
 * size and nothing is ever cleaned up: two names that fall into one place forget each other's time, which again costs one try too early.
 * Guarded by its own mutex. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { PACE_PLACES = 4096 };
struct pace {
	pthread_mutex_t mu;
	struct { uint64_t name; int64_t until_ms; unsigned failures; } places[PACE_PLACES];
};
#define PACE_INIT {.mu = PTHREAD_MUTEX_INITIALIZER}

bool pace_ready(struct pace *p, const char *name, int64_t now_ms);
/* Ready, and then not again for for_ms. */
bool pace_take(struct pace *p, const char *name, int64_t now_ms, int64_t for_ms);
/* Not before a time that doubles from first_ms to max_ms with each call. */
void pace_back_off(struct pace *p, const char *name, int64_t now_ms, int64_t first_ms, int64_t max_ms);
void pace_forget(struct pace *p, const char *name);

/* own_writes.h: remembers the last resourceVersion that a controller itself gave an object, so that the echo of its own write on the watch
 * does not start another pass. A hint with a fixed size: forgetting costs one pass, and never an event of someone else.
 * Guarded by its own mutex. */
#pragma once
#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { OWN_WRITES_SLOTS = 1024 };
struct own_writes { pthread_mutex_t mu; struct { uint64_t key, version; } slots[OWN_WRITES_SLOTS]; };
#define OWN_WRITES_INIT {.mu = PTHREAD_MUTEX_INITIALIZER}

void own_writes_note(struct own_writes *o, const json_t *object);
bool own_writes_is_echo(struct own_writes *o, const json_t *object);

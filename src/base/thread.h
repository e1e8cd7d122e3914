/* thread.h: what every thread and every timed wait of ours has in common: a small stack, and the clock of clock_now_ms. */
#pragma once
#include <pthread.h>
#include <stddef.h>

/* As pthread_create with a stack of that size; returns its error number, 0 when the thread runs. */
int thread_start(pthread_t *out, size_t stack_bytes, void *(*fn)(void *context), void *context);
/* A condition whose timed waits count by CLOCK_MONOTONIC. */
void thread_cond_init(pthread_cond_t *c);

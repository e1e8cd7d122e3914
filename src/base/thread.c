/* thread.c: see thread.h. */
#include "base/thread.h"

#include <time.h>

int thread_start(pthread_t *out, size_t stack_bytes, void *(*fn)(void *context), void *context)
{
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, stack_bytes);
	int rc = pthread_create(out, &attributes, fn, context);
	pthread_attr_destroy(&attributes);
	return rc;
}

void thread_cond_init(pthread_cond_t *c)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(c, &attributes);
	pthread_condattr_destroy(&attributes);
}

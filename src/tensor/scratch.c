/* Scratch memory of a thread: grows to the largest request, goes with the thread. */
#include "tensor/pack.h"
#include "base/mem.h"
#include <pthread.h>
#include <stdlib.h>

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local struct {
	void *data;
	size_t bytes;
} mine;

static void make_key(void)
{
	if (pthread_key_create(&key, free) != 0)
		abort();
}

void *pack_scratch(size_t bytes)
{
	if (bytes <= mine.bytes)
		return mine.data;
	pthread_once(&once, make_key);
	free(mine.data);
	mine.bytes = (bytes + 4095) / 4096 * 4096;
	mine.data = aligned_alloc(64, mine.bytes);
	if (!mine.data)
		abort();
	pthread_setspecific(key, mine.data);
	return mine.data;
}

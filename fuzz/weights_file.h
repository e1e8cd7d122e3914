/* weights_file.h: opens fuzz bytes as a model file through a memory-backed descriptor and touches every tensor. */
#pragma once
#include "weights/weights.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static inline int fuzz_weights(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	char path[64];
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		return 0;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	struct weights *w;
	struct err err = ERR_INIT;
	if (weights_open(&w, path, &err) == 0) {
		unsigned sum = 0;
		for (size_t i = 0; i < weights_count(w); i++) {
			const struct weights_tensor *t = weights_at(w, i);
			if (t->bytes)
				sum += ((const unsigned char *)t->data)[0] + ((const unsigned char *)t->data)[t->bytes - 1];
		}
		/* A use that the compiler cannot see through, so that the reads stay. */
		__asm__ volatile("" : : "r"(sum));
		weights_close(w);
	}
	close(fd);
	return 0;
}

/* pages.h: memory for packed weights, on huge pages where the kernel gives them. Decoding reads every weight once per
 * token; with 4 KiB pages half the time goes to address translation (measured under KVM: 17 against 30 GB/s). Matrices
 * are smaller than a huge page, so they share chunks. Thread-safe. */
#pragma once
#include "base/err.h"

/* Zeroed, 64-byte aligned; NULL with err set on failure. */
void *pages_alloc(size_t bytes, struct err *err);
/* A chunk goes back to the system with the last of its allocations. */
void pages_free(void *data);

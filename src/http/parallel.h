/* parallel.h: a fixed number of jobs on a few threads; the first failure stops the others. */
#pragma once
#include "base/err.h"
#include <stdatomic.h>
#include <stddef.h>

/* Job i of n; returns soon after *stop became true. */
typedef int parallel_job(void *context, size_t i, const atomic_bool *stop, struct err *err);
/* Waits for all. *err is the first failure's. At most 64 threads. */
WARN_UNUSED int parallel_run(size_t n, unsigned threads, parallel_job *job, void *context, struct err *err);

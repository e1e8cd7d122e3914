/* bench_limits.h: what this machine could do at best, measured: the reading side of memory and the integer units. */
#pragma once
#include "base/err.h"

struct bench_limits {
	double read_gb_s;   /* all threads reading memory far larger than the caches */
	double int8_tops;   /* multiply and add counted as two; 0: no measurable instruction on this CPU */
};
WARN_UNUSED int bench_limits_measure(int threads, struct bench_limits *out, struct err *err);

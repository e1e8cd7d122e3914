/* benchmark_result.h: the post-load benchmark's figures, read from the log of pod 0. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include <jansson.h>

/* The last KAITO_BENCHMARK_CONFIG and KAITO_BENCHMARK_RESULT lines -> status.performance.metrics.peakTokensPerMinute (new reference).
 * ERR_NOT_FOUND: no result line; ERR_INVALID: malformed, or tokens per minute not above 0. */
WARN_UNUSED int benchmark_result_parse(str log, const char *engine_version, const char *quantization, json_t **out, struct err *err);

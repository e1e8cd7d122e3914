/* termination.h: the termination message: one JSON object of at most LIMIT_TERMINATION_BYTES that says how a pod ended, so
 * that a controller can tell the truth without scraping logs.
 *
 *     {"kind":"data","reason":"InvalidDataset","exitCode":5,"message":"…","file":"train.parquet","row":17,"step":120}
 *
 * kind, reason and exitCode come from base/err.h's table; file, row and step are left out when unknown. A good end has kind
 * "none" and may carry loss and image. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include <stdint.h>

struct termination {
	enum err_kind kind;
	const char *message;
	const char *file;      /* NULL: none */
	int64_t row, step;     /* row 1-based; 0: unknown. step: updates made; -1: unknown */
	double loss;           /* NaN: unknown */
	const char *image;     /* "registry/name@sha256:…" that was pushed; NULL: none */
};
/* Always valid JSON; a long file name, then a long message, is cut to fit. */
void termination_print(const struct termination *t, struct buf *out);
/* To $KAITO_TERMINATION_LOG, else to /dev/termination-log if that file exists (a pod has it). In place, as it is a mount. */
WARN_UNUSED int termination_write(const struct termination *t, struct err *err);
/* The same for a command that failed and knows no more than its error; that nothing can be written is no second failure. */
void termination_failure(const struct err *outcome);

/* quantity.h: resource quantities ("80Gi", "1Ti", "500m", "1.5e3"). */
#pragma once
#include "base/err.h"
#include <stdint.h>

WARN_UNUSED int quantity_parse(const char *text, double *out, struct err *err); /* ERR_INVALID */
/* Canonical form as apimachinery prints it: 1024Gi -> "1Ti". out at least 32 bytes. */
WARN_UNUSED int quantity_canonical(const char *text, char *out, size_t size, struct err *err);

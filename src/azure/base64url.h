/* base64url.h: base64 as JSON web tokens use it (RFC 4648 section 5, no padding). */
#pragma once
#include "base/str.h"

char *base64url_encode(const void *data, size_t len);   /* caller frees */
/* Either alphabet, padded or not; NUL-terminated. NULL: not base64, or empty. Caller frees. */
char *base64url_decode(str text, size_t *len);

/* base64.h: bytes as text (RFC 4648). */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum base64_form {
	BASE64_STANDARD, /* "+/", padded; line breaks are passed over when read, as kubectl and mail do */
	BASE64_URL,      /* "-_", no padding: JSON web tokens */
	BASE64_ANY       /* for reading only: either alphabet, padded or not */
};
char *base64_encode(enum base64_form form, str data); /* the caller frees */
/* *out: the bytes and a NUL, the caller's; *len may be 0. ERR_INVALID names the offset of what does not belong there; ERR_LIMIT past
 * LIMIT_BASE64_BYTES of text. What the last character says beyond the last byte is not looked at. */
WARN_UNUSED int base64_decode(enum base64_form form, str text, char **out, size_t *len, struct err *err);

/* digest.h: SHA-256 in one piece or streaming, and its "sha256:<64 lower-case hex>" text, which is how images, the
 * local store and the model hub name content. Other algorithms are refused: nothing in use needs them. */
#pragma once
#include "base/err.h"
#include "base/str.h"

#define DIGEST_BYTES 32
#define DIGEST_TEXT 72 /* "sha256:" + 64 + NUL */

struct digest { void *context; }; /* owner: one thread; digest_done may be called twice */

void digest_init(struct digest *d);
void digest_update(struct digest *d, const void *data, size_t len);
void digest_finish(struct digest *d, char text[DIGEST_TEXT]); /* digest_done is still to be called */
void digest_done(struct digest *d);

void digest_of(const void *data, size_t len, char text[DIGEST_TEXT]);
/* Digest and size of a file's content; *size may be NULL. */
WARN_UNUSED int digest_of_file(const char *path, char text[DIGEST_TEXT], uint64_t *size, struct err *err);
/* Whether the text is a well-formed digest of ours. */
bool digest_is_valid(str text);
/* ERR_INVALID naming what is wrong (algorithm, length, digits); copies the text to out. */
WARN_UNUSED int digest_parse(str text, char out[DIGEST_TEXT], struct err *err);
/* The 64 hex digits of a valid text. */
static inline const char *digest_hex(const char *text) { return text + 7; }

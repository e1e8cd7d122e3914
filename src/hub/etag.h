/* etag.h: what the hub's entity tags say about content: the SHA-256 of a large file, the git blob id of a small one. */
#pragma once
#include "base/err.h"
#include "codec/digest.h"

struct etag { char sha256[DIGEST_TEXT]; char git[41]; }; /* "" when the tag is not of that kind */

/* Any header value; NULL and unknown forms give two empty strings. */
void etag_parse(const char *header, struct etag *out);
/* 1 when the file's content is what the tag names, 0 when it is not or the tag says nothing, -1. */
WARN_UNUSED int etag_matches_file(const struct etag *tag, const char *path, struct err *err);

/* byte_level.h: GPT-2's reversible mapping of bytes to printable characters: the 188 printable bytes of Latin-1 stand for
 * themselves, the other 68 become U+0100 and up, in order. So that any byte string is a text without spaces. */
#pragma once
#include "base/buf.h"

/* Append the character of one byte (one or two bytes of UTF-8). */
void byte_level_put(struct buf *out, unsigned char byte);
/* The byte a character stands for, -1 when it stands for none. */
int byte_level_byte(int32_t c);
/* Append the bytes of a token. A token with a character outside the mapping stands for its own text. */
void byte_level_decode(struct buf *out, str token);

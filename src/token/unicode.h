/* unicode.h: the few questions tokenizers and templates ask about UTF-8 text, over utf8proc. Input is well-formed. */
#pragma once
#include "base/buf.h"
#include "base/str.h"

bool unicode_is_ascii(str s);
/* Bytes of the character at byte `at`; 1 at or past the end, so that loops always advance. */
size_t unicode_length(str s, size_t at);
/* As unicode_length, and *c gets the code point (U+FFFD for an ill-formed byte). */
size_t unicode_next(str s, size_t at, int32_t *c);
size_t unicode_count(str s);                    /* characters */
size_t unicode_offset(str s, size_t character); /* byte offset of a character, s.len past the end */
void unicode_put(struct buf *out, int32_t c);
bool unicode_is_space(int32_t c);               /* White_Space, as Rust and Onigmo */
bool unicode_is_word(int32_t c);                /* \w */
bool unicode_is_digit(int32_t c);               /* decimal, and the superscripts and circled ones that Python's isdigit takes */
bool unicode_is_letter(int32_t c);
bool unicode_is_alnum(int32_t c);
str unicode_strip(str s, bool left, bool right); /* without white space */
void unicode_lower(str s, struct buf *out);     /* appends */
void unicode_upper(str s, struct buf *out);
/* Copy, replacing each ill-formed part by U+FFFD ("maximal subparts", as Python and Rust do). Bytes at the end that may be the start
 * of a character are left alone when `keep_tail`: the result is how many were. */
size_t unicode_put_lossy(struct buf *out, str bytes, bool keep_tail);

/* shell_word.h: text as one word of a POSIX shell command line. */
#pragma once
#include "base/buf.h"

/* Appends the text as it is where it only has characters that no shell treats specially, else in single quotes. */
void shell_word_put(struct buf *out, str text);
/* Whether two command lines are the same but for the order of their words (quotes respected). */
bool shell_words_equal(str a, str b);

/* shell_word.h: writing and comparing lines of a POSIX shell. */
#pragma once
#include "base/buf.h"

/* Appends the text as it is where it only has characters that no shell treats specially, else in single quotes. */
void shell_word_put(struct buf *out, str text);
/* Whether two command lines are the same but for the order of their words (quotes respected). */
bool shell_words_equal(str a, str b);
/* Appends a script without the lines that only comment: they would be stored with every object that carries it. */
void shell_script_put(struct buf *out, str script);

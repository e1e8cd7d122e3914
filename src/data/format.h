/* format.h: which reader a file needs, and which files of a folder are data at all. */
#pragma once
#include "data/source.h"

/* By the name that the user forces (may be NULL), else magic bytes, else the file's name, else a look at its text.
 * NULL with err set for what no reader takes; known foreign formats are called by name. */
const struct source_ops *format_detect(const char *path, str bytes, const char *forced, struct err *err);
/* Whether a file met in a folder looks like data: a known extension and not a metadata file. */
bool format_is_data_name(const char *name);

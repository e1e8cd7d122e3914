/* source.h: the parts of "hf://[datasets/]ORG/NAME[@REVISION][/FILE]". */
#pragma once
#include "base/err.h"
#include "base/str.h"

struct source {
	bool dataset;
	char *repository;  /* "ORG/NAME" */
	char *revision;    /* "main" when none is given */
	char *file;        /* path in the repository; NULL: all that is needed */
};
/* ERR_INVALID in words; *out untouched then. */
WARN_UNUSED int source_parse(const char *text, struct source *out, struct err *err);
void source_done(struct source *s);
/* Whether the path is relative, without empty, "." and ".." parts and control characters: fit to be created in a folder. */
bool source_path_is_safe(const char *path);

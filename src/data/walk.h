/* walk.h: from the paths that a user gives to the files of a dataset. */
#pragma once
#include "base/vec.h"

struct walk { VEC(char *) files; };
/* Appends a file as it is; of a folder all data files below it, in name order, hidden ones left out. */
WARN_UNUSED int walk_add(struct walk *w, const char *path, struct err *err);
void walk_done(struct walk *w);

/* checkpoint.h: the resume checkpoint: one file with everything that the next process needs to go on bit for bit.
 *
 *     "KAITOCK1" | u64 header bytes | JSON header, padded to 64 | float arrays, each n | "sha256:…" of all before it
 *
 * Written beside the old one, synced, renamed: a crash or a full disk leaves the old one whole. The header is the trainer's
 * (identity of the run, counters, history); this file only stores and checks. Numbers are little-endian, as all our machines are. */
#pragma once
#include "base/err.h"
#include <jansson.h>
#include <stddef.h>

#define CHECKPOINT_ARRAYS 4
/* arrays: up to CHECKPOINT_ARRAYS of n floats, ended by NULL when fewer. folder is created. */
WARN_UNUSED int checkpoint_save(const char *folder, const json_t *header, const float *const arrays[CHECKPOINT_ARRAYS], size_t n, struct err *err);

struct checkpoint;
/* Returns 1 when the folder has none; ERR_INVALID when it is damaged. The content is checked against the digest before return. */
WARN_UNUSED int checkpoint_open(struct checkpoint **out, const char *folder, struct err *err);
void checkpoint_close(struct checkpoint *c);
const json_t *checkpoint_header(const struct checkpoint *c);
/* Copies array i of n floats; ERR_INVALID when the file has it not or of another length. */
WARN_UNUSED int checkpoint_read(const struct checkpoint *c, int i, float *out, size_t n, struct err *err);
/* Removes the checkpoint and its folder. */
WARN_UNUSED int checkpoint_remove(const char *folder, struct err *err);

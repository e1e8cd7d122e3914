/* identity.h: what a resume checkpoint belongs to. "Hard" members decide the result (settings, model, dataset, start values): a
 * checkpoint of another run is refused. "Soft" ones (threads, instruction set, memory plan) may change the last bits only: on
 * another machine the run goes on with a notice. */
#pragma once
#include "tune/tune_session.h"

/* {"hard": {…}, "soft": {…}}: new reference. */
WARN_UNUSED int identity_of(const struct tune_session *s, json_t **out, struct err *err);
/* The first member that differs ("config.LoraConfig.r"), written to out (empty: none). */
void identity_difference(const json_t *ours, const json_t *theirs, const char *part, char *out, size_t size);

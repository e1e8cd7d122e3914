/* bench_runs.h: the measured runs of `kaito bench` against one engine. All return tokens per second. */
#pragma once
#include "engine/engine.h"

struct bench_runs { struct engine *engine; int32_t vocab; uint32_t seed; }; /* seed: every run has prompts of its own */

double bench_prefill(struct bench_runs *b, int32_t tokens);
/* n sequences with prompts of `prompt` tokens generate `tokens` each; adapters: n indices or NULL. Counted from the moment when all
 * have their first token. */
double bench_decode(struct bench_runs *b, int32_t n, int32_t prompt, int32_t tokens, const int32_t *adapters);
/* Loads n random adapters of rank 8 on the named modules; indices to out. */
WARN_UNUSED int bench_adapters(struct bench_runs *b, const struct model *m, const char *prefix, const enum linear_slot *slots, size_t n_slots, int32_t n,
			       int32_t *out, struct err *err);

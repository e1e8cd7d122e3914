/* legacy.h: what to tell the owner of a Workspace whose GPU is older than compute capability 8.0 (design: "Runtimes a Workspace can ask
 * for"): upstream's images do not run there, so the work goes to the node's CPU or to the older image that a flag names. */
#pragma once
#include "workload/plan.h"

#define LEGACY_EVENT_REASON "GPUTooOld"
#define LEGACY_MESSAGE_MAX 512

/* The text of the Warning event and of the condition: which GPU, why, what is done instead, and for tuning on the CPU how long it will
 * take about. "" (and false) where the plan's GPU is new enough. */
bool legacy_message(const struct workload_plan *p, char *out, size_t size);
/* Seconds that tuning on this CPU takes for so many tokens, by the measured rate of README.md scaled by the model's size and the machine's
 * CPUs. 0: the model's dimensions are unknown. */
double legacy_tuning_seconds(const struct catalog_model *m, int cpus, double tokens);

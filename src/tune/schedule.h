/* schedule.h: learning-rate schedules, as transformers' get_scheduler computes them.
 * factor(step) multiplies the base learning rate of the update numbered `step` (0 for the first one). */
#pragma once
#include "base/err.h"
#include <stdint.h>

/* To add a schedule: a row in schedule.c. The names are transformers' SchedulerType values. */
enum schedule_kind {
	SCHEDULE_LINEAR,
	SCHEDULE_COSINE,
	SCHEDULE_COSINE_WITH_RESTARTS,
	SCHEDULE_POLYNOMIAL,
	SCHEDULE_CONSTANT,
	SCHEDULE_CONSTANT_WITH_WARMUP,
	SCHEDULE_INVERSE_SQRT,
	SCHEDULE_COUNT
};

struct schedule {
	enum schedule_kind kind;
	double lr;             /* the peak */
	int64_t warmup_steps;
	int64_t total_steps;
	double cycles;         /* cosine: waves (0: 0.5, half a wave); with restarts: number of restarts (0: 1) */
	double power, lr_end;  /* polynomial: exponent (0: 1) and last rate (0: 1e-7) */
};

const char *schedule_name(enum schedule_kind kind);
/* ERR_CONFIG with the nearest valid name when unknown. */
WARN_UNUSED int schedule_parse(enum schedule_kind *out, const char *name, struct err *err);
/* The learning rate of update number `step`, counted from 0. */
double schedule_lr(const struct schedule *s, int64_t step);
/* transformers' TrainingArguments.get_warmup_steps: warmup_steps when positive, else ceil(total * ratio). */
int64_t schedule_warmup_steps(int64_t warmup_steps, double warmup_ratio, int64_t total_steps);

/* schedule.c: one function per schedule. Each mirrors the lambda of the same name in transformers' documentation
 * (get_linear_schedule_with_warmup and its siblings). */
#include "tune/schedule.h"

#include "base/str.h"
#include <math.h>

static double at_least_one(int64_t n) { return n > 1 ? (double)n : 1.0; }

/* Progress through the part after the warm-up, 0..1 and beyond. */
static double progress(const struct schedule *s, int64_t step)
{
	return (double)(step - s->warmup_steps) / at_least_one(s->total_steps - s->warmup_steps);
}

static double linear(const struct schedule *s, int64_t step)
{
	return fmax(0.0, (double)(s->total_steps - step) / at_least_one(s->total_steps - s->warmup_steps));
}

static double cosine(const struct schedule *s, int64_t step)
{
	double cycles = s->cycles > 0 ? s->cycles : 0.5;
	return fmax(0.0, 0.5 * (1.0 + cos(M_PI * cycles * 2.0 * progress(s, step))));
}

static double cosine_with_restarts(const struct schedule *s, int64_t step)
{
	double cycles = s->cycles > 0 ? s->cycles : 1.0, at = progress(s, step);
	return at >= 1.0 ? 0.0 : fmax(0.0, 0.5 * (1.0 + cos(M_PI * fmod(cycles * at, 1.0))));
}

static double polynomial(const struct schedule *s, int64_t step)
{
	double end = s->lr_end > 0 ? s->lr_end : 1e-7, power = s->power > 0 ? s->power : 1.0;
	if (step > s->total_steps)
		return end / s->lr;
	double left = 1.0 - (double)(step - s->warmup_steps) / at_least_one(s->total_steps - s->warmup_steps);
	return ((s->lr - end) * pow(left, power) + end) / s->lr;
}

static double constant(const struct schedule *s, int64_t step) { return (void)s, (void)step, 1.0; }

static double inverse_sqrt(const struct schedule *s, int64_t step)
{
	double timescale = s->warmup_steps > 0 ? (double)s->warmup_steps : 10000.0;
	double shift = timescale - (double)s->warmup_steps;
	return 1.0 / sqrt(((double)step + shift) / timescale);
}

static const struct { const char *name; bool warmup; double (*factor)(const struct schedule *s, int64_t step); } schedules[SCHEDULE_COUNT] = {
	[SCHEDULE_LINEAR] = {"linear", true, linear},
	[SCHEDULE_COSINE] = {"cosine", true, cosine},
	[SCHEDULE_COSINE_WITH_RESTARTS] = {"cosine_with_restarts", true, cosine_with_restarts},
	[SCHEDULE_POLYNOMIAL] = {"polynomial", true, polynomial},
	[SCHEDULE_CONSTANT] = {"constant", false, constant},
	[SCHEDULE_CONSTANT_WITH_WARMUP] = {"constant_with_warmup", true, constant},
	[SCHEDULE_INVERSE_SQRT] = {"inverse_sqrt", true, inverse_sqrt},
};

const char *schedule_name(enum schedule_kind kind) { return schedules[kind].name; }

int schedule_parse(enum schedule_kind *out, const char *name, struct err *err)
{
	const char *names[SCHEDULE_COUNT + 1] = {NULL};
	for (int i = 0; i < SCHEDULE_COUNT; i++) {
		names[i] = schedules[i].name;
		if (strcmp(name, names[i]) == 0) {
			*out = (enum schedule_kind)i;
			return 0;
		}
	}
	const char *near = str_nearest(str_of(name), names);
	return err_set(err, ERR_CONFIG, "lr_scheduler_type '%.40s' is unknown; did you mean '%s'?", name, near ? near : "linear");
}

double schedule_lr(const struct schedule *s, int64_t step)
{
	if (schedules[s->kind].warmup && step < s->warmup_steps)
		return s->lr * (double)step / at_least_one(s->warmup_steps);
	return s->lr * schedules[s->kind].factor(s, step);
}

int64_t schedule_warmup_steps(int64_t warmup_steps, double warmup_ratio, int64_t total_steps)
{
	return warmup_steps > 0 ? warmup_steps : (int64_t)ceil((double)total_steps * warmup_ratio);
}

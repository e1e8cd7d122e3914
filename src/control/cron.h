/* cron.h: when a maintenance window is open: a schedule of five cron fields (minute hour day month weekday) or a descriptor (@daily),
 * always in UTC, so that no hour is missing or there twice. Which texts are schedules is decided by admission's rules; here they
 * become bit sets. */
#pragma once
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct cron {
	uint64_t minutes, hours, days, months, weekdays; /* bit n: value n */
	bool any_day, any_weekday;                       /* the field is * or ?: then the other one alone decides, else either does */
};
/* ERR_INVALID with the words of the webhook; ERR_UNSUPPORTED for a time zone other than UTC. */
WARN_UNUSED int cron_parse(struct cron *out, const char *schedule, struct err *err);
/* The schedule fires in the minute of that time. */
bool cron_matches(const struct cron *c, int64_t unix_s);
/* It fired less than duration_s ago (windows longer than a week are open always). */
bool cron_window_open(const struct cron *c, int64_t duration_s, int64_t now_unix_s);

/* When a maintenance window is open. */
#include "check_main.h"

#include "control/cron.h"
#include <string.h>
#include <time.h>

static int64_t at(int year, int month, int day, int hour, int minute)
{
	struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour, .tm_min = minute};
	return (int64_t)timegm(&tm);
}

static struct cron cron_of(const char *schedule)
{
	struct cron c = {0};
	struct err err = ERR_INIT;
	ck_assert_msg(cron_parse(&c, schedule, &err) == 0, "%s: %s", schedule, err.message);
	return c;
}

static bool fires(const char *schedule, int64_t t)
{
	const struct cron c = cron_of(schedule);
	return cron_matches(&c, t);
}

START_TEST(fields_take_numbers_ranges_steps_lists_and_names)
{
	int64_t tuesday = at(2026, 11, 24, 8, 30); /* a Tuesday */
	ck_assert(fires("30 8 24 11 *", tuesday));
	ck_assert(fires("30 8 * * 2", tuesday));
	ck_assert(fires("30 8 * NOV tue", tuesday));
	ck_assert(fires("*/15 8-9 * 10-12 1-5", tuesday));
	ck_assert(fires("0,30 6-10/2 ? * mon,TUE", tuesday));
	ck_assert(fires("  30\t8  *  * * ", tuesday));
	ck_assert(fires("5/25 * * * *", tuesday)); /* from 5 to the end, every 25 */
	ck_assert(!fires("31 8 * * *", tuesday));
	ck_assert(!fires("30 8 * * wed", tuesday));
	ck_assert(!fires("30 8 * DEC *", tuesday));
	ck_assert(!fires("*/20 8 * * *", tuesday));
	ck_assert(!fires("30 7-10/2 * * *", tuesday));
}
END_TEST

START_TEST(a_day_and_a_weekday_are_alternatives)
{
	int64_t tuesday = at(2026, 11, 24, 0, 0);
	ck_assert(fires("0 0 24 * fri", tuesday));  /* the day */
	ck_assert(fires("0 0 13 * tue", tuesday));  /* the weekday */
	ck_assert(!fires("0 0 13 * fri", tuesday)); /* neither */
	ck_assert(!fires("0 0 13 * *", tuesday));   /* a star is no alternative */
}
END_TEST

START_TEST(descriptors_are_schedules)
{
	ck_assert(fires("@daily", at(2026, 3, 4, 0, 0)));
	ck_assert(!fires("@daily", at(2026, 3, 4, 1, 0)));
	ck_assert(fires("@hourly", at(2026, 3, 4, 1, 0)));
	ck_assert(fires("@weekly", at(2026, 11, 22, 0, 0))); /* a Sunday */
	ck_assert(fires("@yearly", at(2027, 1, 1, 0, 0)));
	ck_assert(!fires("@monthly", at(2027, 1, 2, 0, 0)));
}
END_TEST

START_TEST(a_window_stays_open_for_its_duration_over_midnight_and_the_year)
{
	const struct cron c = cron_of("0 22 * * *");
	int64_t four_hours = 4 * 3600;
	ck_assert(!cron_window_open(&c, four_hours, at(2026, 12, 31, 21, 59)));
	ck_assert(cron_window_open(&c, four_hours, at(2026, 12, 31, 22, 0)));
	ck_assert(cron_window_open(&c, four_hours, at(2027, 1, 1, 1, 59)));
	ck_assert(!cron_window_open(&c, four_hours, at(2027, 1, 1, 2, 0)));
	ck_assert(cron_window_open(&c, 8 * 24 * 3600, at(2027, 1, 1, 12, 0))); /* longer than a week: always */
	/* no hour is missing or twice where clocks change: 2026-03-29 and 2026-10-25 in Europe */
	const struct cron night = cron_of("30 2 * * *");
	int open = 0;
	for (int hour = 0; hour < 24; hour++)
		open += cron_matches(&night, at(2026, 3, 29, hour, 30)) + cron_matches(&night, at(2026, 10, 25, hour, 30));
	ck_assert_int_eq(open, 2);
}
END_TEST

START_TEST(what_is_no_schedule_is_refused_in_the_words_of_the_webhook)
{
	static const struct { const char *text, *why; } BAD[] = {
		{"", "empty spec string"}, {"* * * *", "expected exactly 5 fields, found 4"}, {"60 * * * *", "above maximum"}, {"* * 0 * *", "below minimum"},
		{"5-1 * * * *", "beyond end of range"}, {"*/0 * * * *", "positive"}, {"x * * * *", "failed to parse int"}, {"@never", "unrecognized descriptor"},
	};
	for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
		struct cron c;
		struct err err = ERR_INIT;
		ck_assert_int_lt(cron_parse(&c, BAD[i].text, &err), 0);
		ck_assert_int_eq(err.kind, ERR_INVALID);
		ck_assert_msg(strstr(err.message, BAD[i].why) != NULL, "%s: %s", BAD[i].text, err.message);
	}
	struct cron c;
	struct err err = ERR_INIT;
	ck_assert(fires("CRON_TZ=UTC 0 2 * * *", at(2026, 1, 1, 2, 0)));
	ck_assert_int_lt(cron_parse(&c, "TZ=Europe/Berlin 0 2 * * *", &err), 0);
	ck_assert_int_eq(err.kind, ERR_UNSUPPORTED);
}
END_TEST

int main(void)
{
	CHECK_RUN("cron", 20, fields_take_numbers_ranges_steps_lists_and_names, a_day_and_a_weekday_are_alternatives, descriptors_are_schedules,
		  a_window_stays_open_for_its_duration_over_midnight_and_the_year, what_is_no_schedule_is_refused_in_the_words_of_the_webhook);
}

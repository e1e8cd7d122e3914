/* cron.c: see cron.h. */
#include "control/cron.h"

#include "admission/rules.h"
#include "base/str.h"
#include <strings.h>
#include <time.h>

enum { FIELDS = 5, WEEK_S = 7 * 24 * 3600 };

struct field { int low, high; const char *names; /* three letters each */ };
static const struct field FIELD[FIELDS] = {
	{0, 59, ""}, {0, 23, ""}, {1, 31, ""}, {1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"}, {0, 6, "sunmontuewedthufrisat"},
};
static const struct { const char *name, *fields; } DESCRIPTORS[] = {
	{"@annually", "0 0 1 1 *"}, {"@daily", "0 0 * * *"}, {"@hourly", "0 * * * *"}, {"@midnight", "0 0 * * *"},
	{"@monthly", "0 0 1 * *"},  {"@weekly", "0 0 * * 0"}, {"@yearly", "0 0 1 1 *"},
};

static int number(const struct field *f, str s)
{
	int64_t n = -1;
	for (size_t i = 0; s.len == 3 && f->names[i]; i += 3)
		if (strncasecmp(s.data, f->names + i, 3) == 0)
			return f->low + (int)(i / 3);
	return str_to_i64(s, &n) && n >= 0 && n <= 1000 ? (int)n : -1;
}

static bool is_any(str s)
{
	return s.len > 0 && (s.data[0] == '*' || s.data[0] == '?');
}

static uint64_t range_bits(const struct field *f, str s)
{
	size_t slash = str_find(s, '/', 0);
	str base = str_sub(s, 0, slash);
	size_t dash = str_find(base, '-', 0);
	int from = f->low, to = f->high, step = slash < s.len ? number(f, str_sub(s, slash + 1, s.len)) : 1;
	if (!is_any(base)) {
		from = number(f, str_sub(base, 0, dash));
		to = dash < base.len ? number(f, str_sub(base, dash + 1, base.len)) : slash < s.len ? f->high : from;
	}
	uint64_t bits = 0;
	for (int n = from; step > 0 && from >= f->low && n <= to && n <= f->high; n += step)
		bits |= (uint64_t)1 << n;
	return bits;
}

static uint64_t list_bits(const struct field *f, str s, bool *any)
{
	uint64_t bits = 0;
	for (size_t at = 0; at < s.len;) {
		size_t end = str_find(s, ',', at);
		str part = str_sub(s, at, end);
		*any = *any || (is_any(part) && str_find(part, '/', 0) == part.len);
		bits |= range_bits(f, part);
		at = end + 1;
	}
	return bits;
}

/* The five fields; a time zone in front must be UTC. */
static int fields_of(str s, str *out, struct err *err)
{
	if (str_starts(s, STR("TZ=")) || str_starts(s, STR("CRON_TZ="))) {
		size_t equals = str_find(s, '=', 0), space = str_find(s, ' ', 0);
		str zone = str_sub(s, equals + 1, space);
		if (!str_eqz(zone, "UTC") && !str_eqz(zone, "Etc/UTC"))
			return err_set(err, ERR_UNSUPPORTED, "time zone '%.*s' in a schedule: write it in UTC", STR_FMT(zone));
		s = str_trim(str_sub(s, space, s.len));
	}
	for (size_t i = 0; i < sizeof DESCRIPTORS / sizeof DESCRIPTORS[0]; i++)
		if (str_eqz(s, DESCRIPTORS[i].name))
			s = str_of(DESCRIPTORS[i].fields);
	*out = s;
	return 0;
}

int cron_parse(struct cron *out, const char *schedule, struct err *err)
{
	char why[200];
	str s;
	if (!cron_rule_check(schedule, why, sizeof why))
		return err_set(err, ERR_INVALID, "invalid cron expression: %s", why);
	if (fields_of(str_trim(str_of(schedule)), &s, err) < 0)
		return -1;
	uint64_t bits[FIELDS] = {0};
	bool any[FIELDS] = {false};
	size_t n = 0;
	for (size_t at = 0; at < s.len && n < FIELDS;) {
		size_t end = at;
		while (end < s.len && s.data[end] != ' ' && s.data[end] != '\t')
			end++;
		if (end > at) {
			bits[n] = list_bits(&FIELD[n], str_sub(s, at, end), &any[n]);
			n++;
		}
		at = end + 1;
	}
	*out = (struct cron){bits[0], bits[1], bits[2], bits[3], bits[4], any[2], any[4]};
	return 0;
}

static bool has(uint64_t bits, int n)
{
	return bits >> n & 1;
}

bool cron_matches(const struct cron *c, int64_t unix_s)
{
	time_t t = (time_t)unix_s;
	struct tm tm;
	if (!gmtime_r(&t, &tm))
		return false;
	bool day = has(c->days, tm.tm_mday), weekday = has(c->weekdays, tm.tm_wday);
	bool date = c->any_day || c->any_weekday ? day && weekday : day || weekday;
	return has(c->minutes, tm.tm_min) && has(c->hours, tm.tm_hour) && has(c->months, tm.tm_mon + 1) && date;
}

bool cron_window_open(const struct cron *c, int64_t duration_s, int64_t now_unix_s)
{
	if (duration_s >= WEEK_S)
		return true;
	for (int64_t t = now_unix_s - now_unix_s % 60; t > now_unix_s - duration_s; t -= 60)
		if (cron_matches(c, t))
			return true;
	return false;
}

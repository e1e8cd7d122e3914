/* cron_rules.c: whether a maintenance window's schedule (five cron fields, or a descriptor) and duration can be read, in the words of
 * the Go library that upstream uses. When the window opens is the controller's business. */
#include "admission/rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#define FIELDS 5

struct cron_field { int64_t min, max; const char *names[13]; };
static const struct cron_field CRON[FIELDS] = {
	{0, 59, {NULL}},
	{0, 23, {NULL}},
	{1, 31, {NULL}},
	{1, 12, {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL}},
	{0, 6, {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL}},
};

struct cron_check { char *why; size_t size; };

static bool fail(const struct cron_check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool fail(const struct cron_check *c, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(c->why, c->size, fmt, args);
	va_end(args);
	return false;
}

static bool number(const struct cron_check *c, const struct cron_field *f, str s, int64_t *out)
{
	for (int i = 0; f && i < 12 && f->names[i]; i++)
		if (s.len == 3 && strncasecmp(s.data, f->names[i], 3) == 0) {
			*out = f->min + i;
			return true;
		}
	if (!str_to_i64(s, out) || s.len > 9)
		return fail(c, "failed to parse int from %.*s: strconv.Atoi: parsing \"%.*s\": invalid syntax", STR_FMT(s), STR_FMT(s));
	return *out >= 0 || fail(c, "negative number (%lld) not allowed: %.*s", (long long)*out, STR_FMT(s));
}

/* "*", "?", "N", "N-M" before an optional "/step". */
static bool range(const struct cron_check *c, const struct cron_field *f, str whole)
{
	size_t slash = str_find(whole, '/', 0), dash;
	str s = str_sub(whole, 0, slash), step = slash < whole.len ? str_sub(whole, slash + 1, whole.len) : STR("1");
	int64_t from = f->min, to = f->max, by = 1;
	if (str_find(step, '/', 0) < step.len)
		return fail(c, "too many slashes: %.*s", STR_FMT(whole));
	dash = str_find(s, '-', 0);
	if (!str_eqz(s, "*") && !str_eqz(s, "?")) {
		if (!number(c, f, str_sub(s, 0, dash), &from))
			return false;
		to = slash < whole.len ? f->max : from;
		if (dash < s.len && str_find(s, '-', dash + 1) < s.len)
			return fail(c, "too many hyphens: %.*s", STR_FMT(whole));
		if (dash < s.len && !number(c, f, str_sub(s, dash + 1, s.len), &to))
			return false;
	}
	if (!number(c, NULL, step, &by))
		return false;
	if (from < f->min)
		return fail(c, "beginning of range (%lld) below minimum (%lld): %.*s", (long long)from, (long long)f->min, STR_FMT(whole));
	if (to > f->max)
		return fail(c, "end of range (%lld) above maximum (%lld): %.*s", (long long)to, (long long)f->max, STR_FMT(whole));
	if (from > to)
		return fail(c, "beginning of range (%lld) beyond end of range (%lld): %.*s", (long long)from, (long long)to, STR_FMT(whole));
	return by > 0 || fail(c, "step of range should be a positive number: %.*s", STR_FMT(whole));
}

static bool list(const struct cron_check *c, const struct cron_field *f, str s)
{
	for (size_t at = 0; at <= s.len;) {
		size_t end = str_find(s, ',', at);
		if (end > at && !range(c, f, str_sub(s, at, end)))
			return false;
		at = end + 1;
	}
	return true;
}

static size_t split(str s, str out[FIELDS + 1])
{
	size_t n = 0;
	for (size_t at = 0; at < s.len; at++) {
		size_t end = at;
		while (end < s.len && s.data[end] != ' ' && s.data[end] != '\t')
			end++;
		if (end > at && n++ < FIELDS)
			out[n - 1] = str_sub(s, at, end);
		at = end;
	}
	return n;
}

static bool descriptor(const struct cron_check *c, str s)
{
	static const char *const KNOWN[] = {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"};
	for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++)
		if (str_eqz(s, KNOWN[i]))
			return true;
	return fail(c, "unrecognized descriptor: %.*s", STR_FMT(s));
}

/* "TZ=Europe/Berlin" or "CRON_TZ=…" at the beginning, else empty. */
static str zone_of(str s)
{
	bool zoned = str_starts(s, STR("TZ=")) || str_starts(s, STR("CRON_TZ="));
	return str_sub(s, 0, zoned ? str_find(s, ' ', 0) : 0);
}

bool cron_rule_is_zoned(const char *schedule)
{
	str zone = zone_of(str_trim(str_of(schedule)));
	return zone.len && !str_ends(zone, STR("=UTC")) && !str_ends(zone, STR("=Etc/UTC"));
}

bool cron_rule_check(const char *schedule, char *why, size_t size)
{
	struct cron_check c = {why, size};
	str s = str_trim(str_of(schedule)), fields[FIELDS + 1];
	s = str_trim(str_sub(s, zone_of(s).len, s.len));
	if (s.len == 0)
		return fail(&c, "empty spec string");
	if (s.data[0] == '@')
		return descriptor(&c, s);
	size_t n = split(s, fields);
	if (n != FIELDS)
		return fail(&c, "expected exactly 5 fields, found %zu: [%.*s]", n, STR_FMT(s));
	for (size_t i = 0; i < FIELDS; i++)
		if (!list(&c, &CRON[i], fields[i]))
			return false;
	return true;
}

/* duration.c: see duration.h. */
#include "kube/duration.h"

#include "base/str.h"
#include <string.h>

static double unit_seconds(str unit)
{
	static const struct { const char *name; double seconds; } UNITS[] = {
		{"ns", 1e-9}, {"us", 1e-6}, {"µs", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600},
	};
	for (size_t i = 0; i < sizeof UNITS / sizeof UNITS[0]; i++)
		if (str_eqz(unit, UNITS[i].name))
			return UNITS[i].seconds;
	return 0;
}

bool duration_parse(const char *text, double *seconds)
{
	str s = str_of(text);
	double sign = 1, sum = 0;
	if (s.len && (s.data[0] == '-' || s.data[0] == '+')) {
		sign = s.data[0] == '-' ? -1 : 1;
		s = str_sub(s, 1, s.len);
	}
	bool zero = str_eqz(s, "0");
	for (size_t at = 0; at < s.len && !zero;) {
		size_t end = at, unit_end;
		double value;
		while (end < s.len && strchr("0123456789.", s.data[end]))
			end++;
		for (unit_end = end; unit_end < s.len && !strchr("0123456789.", s.data[unit_end]);)
			unit_end++;
		double unit = unit_seconds(str_sub(s, end, unit_end));
		if (end == at || end - at > 32 || unit <= 0 || !str_to_f64(str_sub(s, at, end), &value))
			return false;
		sum += value * unit;
		at = unit_end;
	}
	*seconds = sign * sum;
	return s.len > 0;
}

/* quantity.c: see quantity.h. The value is held exactly, as a whole number of 1e-9 in 128 bits, which is what
 * apimachinery keeps too: finer digits are rounded away from zero, values past 2^63-1 become 2^63-1. */
#include "kube/quantity.h"

#include "base/str.h"
#include <stdio.h>

typedef unsigned __int128 wide;
#define NANO ((wide)1000000000)
#define VALUE_MAX ((wide)INT64_MAX * NANO)

enum form { FORM_DECIMAL, FORM_BINARY, FORM_EXPONENT };
struct quantity { bool negative; wide nano; enum form form; };

/* Both in steps: 10^3 from 10^-9, and 2^10 from 2^10. */
static const char *const DECIMAL[] = {"n", "u", "m", "", "k", "M", "G", "T", "P", "E"};
static const char *const BINARY[] = {"Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static int bad(const char *text, struct err *err)
{
	return err_set(err, ERR_INVALID, "'%.60s' is not a quantity (such as 500m, 2, 80Gi, 1.5e3)", text);
}

/* The multiplier that a suffix names: 10^*tens or 2^*twos. */
static bool read_suffix(const char *suffix, int64_t *tens, int *twos, enum form *form)
{
	for (size_t i = 0; i < COUNT(DECIMAL); i++)
		if (strcmp(suffix, DECIMAL[i]) == 0)
			return *tens = (int64_t)i * 3 - 9, *form = FORM_DECIMAL, true;
	for (size_t i = 0; i < COUNT(BINARY); i++)
		if (strcmp(suffix, BINARY[i]) == 0)
			return *twos = (int)(i + 1) * 10, *form = FORM_BINARY, true;
	*form = FORM_EXPONENT;
	const char *digits = suffix + 1 + (suffix[0] && suffix[1] == '+');
	return (suffix[0] == 'e' || suffix[0] == 'E') && digits[0] != '+' && str_to_i64(str_of(digits), tens);
}

/* value * 10^n, saturated; below the point rounded up. *inexact is or-ed. */
static wide scale_ten(wide value, int64_t n, bool *inexact)
{
	for (; n > 0 && value && value <= VALUE_MAX; n--)
		value *= 10;
	for (; n < 0 && value; n++) {
		*inexact |= value % 10 != 0;
		value /= 10;
	}
	return value;
}

/* As many digits count as the largest value has. */
#define DIGITS_MAX (VALUE_MAX / 10)
static const char *read_digits(const char *p, wide *digits, int64_t *scale, bool *any, bool *inexact)
{
	bool point = false;
	for (; (*p >= '0' && *p <= '9') || (*p == '.' && !point); p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		*any = true;
		if (*digits < DIGITS_MAX) {
			*digits = *digits * 10 + (unsigned)(*p - '0');
			*scale -= point;
		} else {
			*inexact |= *p != '0';
			*scale += !point;
		}
	}
	return p;
}

static int read_quantity(const char *text, struct quantity *q, struct err *err)
{
	const char *p = text;
	*q = (struct quantity){.negative = *p == '-'};
	p += *p == '-' || *p == '+';
	wide digits = 0;
	int64_t scale = 0, tens = 0;
	int twos = 0;
	bool any = false, inexact = false;
	p = read_digits(p, &digits, &scale, &any, &inexact);
	if (!any || !read_suffix(p, &tens, &twos, &q->form))
		return bad(text, err);
	if (tens > 1000 || tens < -1000)
		tens = tens > 0 ? 1000 : -1000;
	for (; digits >> (127 - twos); scale++) { /* more than 20 digits with a binary suffix */
		inexact |= digits % 10 != 0;
		digits /= 10;
	}
	/* Powers of two first: they make digits below the point whole. */
	wide nano = scale_ten(digits << twos, scale + tens + 9, &inexact);
	nano += inexact;
	q->nano = nano > VALUE_MAX ? VALUE_MAX : nano;
	return 0;
}

int quantity_parse(const char *text, double *out, struct err *err)
{
	struct quantity q;
	if (read_quantity(text, &q, err) < 0)
		return -1;
	/* Whole and fraction apart, so that whole numbers come out exactly. */
	double value = (double)(uint64_t)(q.nano / NANO) + (double)(uint64_t)(q.nano % NANO) / 1e9;
	*out = q.negative ? -value : value;
	return 0;
}

static int remove_factors(wide *value, unsigned factor)
{
	int n = 0;
	for (; *value && *value % factor == 0; n++)
		*value /= factor;
	return n;
}

static void print(const struct quantity *q, wide amount, const char *suffix, char *out, size_t size)
{
	char digits[40];
	size_t at = sizeof digits;
	digits[--at] = 0;
	do
		digits[--at] = (char)('0' + (int)(amount % 10));
	while ((amount /= 10) != 0);
	snprintf(out, size, "%s%s%s", q->negative ? "-" : "", digits + at, suffix);
}

static void print_decimal(const struct quantity *q, char *out, size_t size)
{
	wide amount = q->nano;
	int exponent = remove_factors(&amount, 10) - 9; /* then down to a multiple of 3 */
	for (; exponent % 3 != 0; exponent--)
		amount *= 10;
	char suffix[16] = "";
	if (q->form == FORM_EXPONENT && exponent)
		snprintf(suffix, sizeof suffix, "e%d", exponent);
	else if (q->form != FORM_EXPONENT)
		snprintf(suffix, sizeof suffix, "%s", DECIMAL[exponent / 3 + 3]);
	print(q, amount, suffix, out, size);
}

/* Binary suffixes are kept only where they lose nothing and shorten something. */
static bool prints_binary(const struct quantity *q)
{
	return q->form == FORM_BINARY && q->nano >= 1024 * NANO && q->nano % NANO == 0;
}

int quantity_canonical(const char *text, char *out, size_t size, struct err *err)
{
	struct quantity q;
	if (read_quantity(text, &q, err) < 0)
		return -1;
	if (q.nano == 0) {
		snprintf(out, size, "0");
	} else if (prints_binary(&q)) {
		wide amount = q.nano / NANO;
		int steps = remove_factors(&amount, 1024);
		print(&q, amount, steps ? BINARY[steps - 1] : "", out, size);
	} else {
		print_decimal(&q, out, size);
	}
	return 0;
}

/* retry.c: see retry.h. */
#include "http/retry.h"

#include "base/clock.h"
#include "base/str.h"
#include <curl/curl.h>
#include <sys/random.h>

bool retry_status(int status)
{
	static const int AGAIN[] = {408, 425, 429, 500, 502, 503, 504};
	for (size_t i = 0; i < sizeof AGAIN / sizeof AGAIN[0]; i++)
		if (status == AGAIN[i])
			return true;
	return false;
}

int64_t retry_after_ms(const char *value, int64_t now_s)
{
	if (!value)
		return -1;
	int64_t seconds;
	if (str_to_i64(str_trim(str_of(value)), &seconds))
		return seconds < 0 ? -1 : seconds > 1000000 ? (int64_t)1000000 * 1000 : seconds * 1000;
	time_t date = curl_getdate(value, NULL);
	if (date == (time_t)-1)
		return -1;
	return date > now_s ? ((int64_t)date - now_s) * 1000 : 0;
}

int64_t retry_delay_ms(const struct retry_policy *policy, unsigned attempt, int64_t asked_ms)
{
	int64_t delay = policy->first_ms;
	for (unsigned i = 1; i < attempt && delay < policy->max_ms; i++)
		delay *= 2;
	if (delay > policy->max_ms)
		delay = policy->max_ms;
	uint32_t random = 0;
	(void)!getrandom(&random, sizeof random, GRND_NONBLOCK); /* without entropy the jitter is 0, which is no harm */
	delay = delay / 2 + (delay > 1 ? (int64_t)(random % (uint64_t)(delay / 2 + 1)) : 0);
	return delay > asked_ms ? delay : asked_ms;
}

int retry_wait(int64_t delay_ms, const atomic_bool *cancel, struct err *err)
{
	int64_t end = clock_now_ms() + delay_ms;
	for (int64_t left = delay_ms; left > 0; left = end - clock_now_ms()) {
		if (cancel && atomic_load(cancel))
			return err_set(err, ERR_CANCELLED, "stopped while waiting for the next try");
		clock_sleep_ms(left > 200 ? 200 : left);
	}
	return 0;
}

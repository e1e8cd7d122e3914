/* retry.h: when a failed request is worth another try, and how long to wait before it. */
#pragma once
#include "base/err.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct retry_policy { unsigned attempts; int64_t first_ms, max_ms; }; /* attempts counts the first try */

#define RETRY_AFTER_MAX_MS ((int64_t)300000) /* a server that asks for more is told no: the error is returned */

/* Statuses a later try may turn into success. */
bool retry_status(int status);
/* Milliseconds that a Retry-After value asks for (seconds or an HTTP date); -1 when absent or unreadable. */
int64_t retry_after_ms(const char *value, int64_t now_s);
/* Delay after failed try number `attempt` (1, 2, …): doubled each time up to max_ms, of which the upper half is random
 * so that clients do not come back together; at least what the server asked for. */
int64_t retry_delay_ms(const struct retry_policy *policy, unsigned attempt, int64_t asked_ms);
/* Sleep in slices; ERR_CANCELLED when *cancel becomes true. */
WARN_UNUSED int retry_wait(int64_t delay_ms, const atomic_bool *cancel, struct err *err);

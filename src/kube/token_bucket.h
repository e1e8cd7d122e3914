/* token_bucket.h: a token bucket (rate per second, burst) whose tokens can be reserved ahead of time, as client-go's. The time is
 * the caller's, so that it can be tested. Owner: whoever holds the lock around it. */
#pragma once
#include <stdint.h>

struct token_bucket { double rate, burst, tokens; int64_t last_ms; }; /* tokens may be negative: promised already */

void token_bucket_init(struct token_bucket *b, double rate, double burst, int64_t now_ms);
/* Takes one token; returns in how many milliseconds it is there. */
int64_t token_bucket_reserve(struct token_bucket *b, int64_t now_ms);

/* token_bucket.c: see token_bucket.h. */
#include "kube/token_bucket.h"

#include <math.h>

void token_bucket_init(struct token_bucket *b, double rate, double burst, int64_t now_ms)
{
	*b = (struct token_bucket){rate, burst, burst, now_ms};
}

int64_t token_bucket_reserve(struct token_bucket *b, int64_t now_ms)
{
	if (now_ms > b->last_ms) {
		b->tokens = fmin(b->burst, b->tokens + (double)(now_ms - b->last_ms) * b->rate / 1000);
		b->last_ms = now_ms;
	}
	b->tokens -= 1;
	return b->tokens >= 0 ? 0 : (int64_t)ceil(-b->tokens / b->rate * 1000);
}

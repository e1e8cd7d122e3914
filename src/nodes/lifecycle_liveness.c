/* lifecycle_liveness.c: how long a claim may take. A claim that has no machine, or no Node, by its time is deleted, so that whoever asked
 * for it can ask again. Off unless times are given, as a GPU machine with a large image may take longer than anybody's default. */
#include "nodes/lifecycle.h"

#include "kube/meta.h"

/* What is left of a limit that counts from the claim's creation; 0: it is over. */
static int64_t left_ms(const struct claim_pass *p, int64_t limit_ms)
{
	int64_t created = claim_view_time(json_text_at(p->claim, NULL, "metadata", "creationTimestamp", NULL));
	int64_t end_ms = created * 1000 + limit_ms, now_ms = p->now_s * 1000;
	return end_ms > now_ms ? end_ms - now_ms : 0;
}

static void watch(struct claim_pass *p, const char *condition, int64_t limit_ms, const char *reason)
{
	if (limit_ms <= 0 || p->disrupt || condition_set_is_true(&p->conditions, condition))
		return;
	int64_t left = left_ms(p, limit_ms);
	if (left > 0)
		lifecycle_again(p, left);
	else
		p->disrupt = reason;
}

void lifecycle_liveness(struct claim_pass *p)
{
	watch(p, p->d->launched, p->n->options.launch_timeout_ms, "launch_timeout");
	watch(p, p->d->registered, p->n->options.registration_timeout_ms, "registration_timeout");
}

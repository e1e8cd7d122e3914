/* launch_failure.c: what a refusal means for the claim that met it, by the handling of its row in the taxonomy. A pool that failed has to
 * go before anything else is tried: a PUT with another vmSize on an existing pool is refused. */
#include "azure/launch.h"

#include "base/clock.h"
#include "base/map.h"
#include "codec/json.h"
#include <string.h>

#define BACKOFF_MS 60000          /* after a refusal that does not pass by itself, doubled each time */
#define BACKOFF_MAX_MS 600000

static int64_t backoff(int failures)
{
	int64_t ms = BACKOFF_MS << (failures < 5 ? failures : 4);
	ms = ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
	return azure_jitter(ms * 4 / 5, ms);
}

uint64_t launch_body_hash(const struct launch *l)
{
	CLEANUP(json_decrefp) json_t *body = NULL;
	const struct offering o = {l->memo.sku, l->memo.zone, l->memo.spot};
	struct err ignored = ERR_INIT;
	if (azure_unit_body(l->a, l->claim, &o, l->pool, &body, &ignored) < 0)
		return 0;
	CLEANUP(buf_done) struct buf text = {0};
	json_print(body, JSON_PRINT_SORTED, &text);
	return map_hash(buf_str(&text)) | 1;
}

static int report(struct launch *l, int64_t retry_ms)
{
	const struct flight *f = l->flight;
	if (f->tell)
		snprintf(l->out->event, sizeof l->out->event, "%s", f->reason);
	l->out->step = STEP_FAILED;
	l->out->retry_ms = retry_ms;
	l->out->insufficient = f->insufficient;
	l->flight->tell = false;
	snprintf(l->out->reason, sizeof l->out->reason, "%s", f->reason);
	snprintf(l->out->message, sizeof l->out->message, "%s", f->message);
	return 0;
}

static void remember(struct launch *l, const char *reason, const char *message, bool insufficient)
{
	struct flight *f = l->flight;
	f->insufficient = insufficient;
	f->failures++;
	f->attempts = 0;
	f->tell = true;
	snprintf(f->reason, sizeof f->reason, "%s", reason);
	snprintf(f->message, sizeof f->message, "%s", message);
}

bool launch_on_hold(struct launch *l)
{
	int64_t left = l->flight->hold_ms - clock_now_ms();
	if (l->flight->hold_ms == 0 || left <= 0)
		return false;
	report(l, l->flight->hold_ms == INT64_MAX ? 0 : left);
	return true;
}

int launch_terminal(struct launch *l, const char *reason, const char *message)
{
	remember(l, reason, message, false);
	l->flight->hold_ms = 0; /* costs no request to find out again */
	report(l, 0);
	pools_settled(l->a->pools, l->pool);
	return 0;
}

/* --- by handling --------------------------------------------------------------------------------------------------- */

/* The claim is refused for a while; a pool that is there goes first. */
static int hold(struct launch *l, int64_t hold_ms, bool accepted)
{
	l->flight->hold_ms = hold_ms == INT64_MAX ? INT64_MAX : clock_now_ms() + hold_ms;
	if (accepted)
		return launch_persist(l, MEMO_CLEARING, NULL);
	pools_settled(l->a->pools, l->pool);
	report(l, hold_ms == INT64_MAX ? 0 : hold_ms);
	return 0;
}

static int other_offering(struct launch *l, const struct failure *f, bool accepted)
{
	launch_cool(l->a, &l->memo, f);
	if (f->row->insufficient)
		return hold(l, f->cooldown_s > 0 ? f->cooldown_s * 1000 : backoff(l->flight->failures), accepted);
	return accepted ? launch_persist(l, MEMO_CLEARING, NULL) : launch_next_offering(l);
}

/* The pool is looked at before the next PUT: at once where it may be there already, else when the other operation may have ended. */
static int look_again(struct launch *l, const struct failure *f)
{
	struct flight *flight = l->flight;
	bool at_once = f->row->handling == HANDLE_REREAD && flight->attempts == 0;
	int64_t retry_ms = at_once ? 1 : azure_in_progress_ms(flight->attempts);
	flight->attempts++;
	flight->put_unsure = true;
	flight->look_ms = clock_now_ms();
	flight->wait_ms = clock_now_ms() + retry_ms;
	return launch_wait(l, retry_ms, at_once ? "" : f->row->reason, at_once ? "" : f->message);
}

static int repeat(struct launch *l, const struct failure *f, const struct arm_answer *answer)
{
	int64_t retry_ms = arm_retry_ms(answer->status, ++l->flight->attempts, answer->retry_after_ms);
	if (retry_ms < 0)
		retry_ms = answer->retry_after_ms > 0 ? answer->retry_after_ms : BACKOFF_MS;
	if (answer->status >= 500 || answer->status == 408) { /* it may have been done */
		l->flight->put_unsure = true;
		l->flight->look_ms = clock_now_ms();
	}
	l->flight->wait_ms = clock_now_ms() + retry_ms;
	return launch_wait(l, retry_ms, f->row->reason, f->message);
}

/* answer NULL: the pool was accepted and failed later. */
static int handle(struct launch *l, const struct failure *f, const struct arm_answer *answer)
{
	bool accepted = !answer;
	switch (f->row->handling) {
	case HANDLE_IN_PROGRESS:
	case HANDLE_REREAD:
		if (!accepted)
			return look_again(l, f);
		break;
	case HANDLE_THROTTLED:
	case HANDLE_PASSING:
		if (!accepted)
			return repeat(l, f, answer);
		break;
	case HANDLE_OFFERING:
	case HANDLE_CREATE_ERROR:
	case HANDLE_TERMINAL:
	case HANDLE_CONFIGURATION:
	case HANDLE_GONE:
	case HANDLE_CLUSTER_GONE:
		break;
	}
	bool scoped = f->row->scope != SCOPE_NONE, offering = f->row->handling == HANDLE_OFFERING;
	remember(l, f->row->reason, f->message, offering || f->row->insufficient);
	if (offering || (f->row->handling == HANDLE_CREATE_ERROR && scoped))
		return other_offering(l, f, accepted);
	if (f->row->handling != HANDLE_TERMINAL)
		return hold(l, backoff(l->flight->failures - 1), accepted);
	l->flight->refused = launch_body_hash(l);
	return hold(l, INT64_MAX, accepted);
}

int launch_refused(struct launch *l, const struct arm_answer *answer)
{
	struct failure f;
	taxonomy_classify(&answer->error, l->memo.spot, &f);
	return handle(l, &f, answer);
}

int launch_failed(struct launch *l, const struct arm_error *error)
{
	struct failure f;
	taxonomy_classify(error, l->memo.spot, &f);
	return handle(l, &f, NULL);
}

/* aws_terminate.c: one step of deleting whatever was or is being made for a claim: all instances that carry its uid, terminated until EC2
 * says that they are. An instance that is not this claim's is never touched and counts as nothing. After a request whose outcome is not
 * known only a list from a while later tells, as EC2 may not show at once what it made; what it still shows after that is collected as
 * garbage (reap). */
#include "aws/aws_parts.h"

#include "base/clock.h"
#include "kube/meta.h"
#include <string.h>

#define AGAIN_MS 5000      /* while instances shut down */
#define REFUSED_MS 60000
#define REPEAT_MS 60000    /* a TerminateInstances that seems to have had no effect */
#define ENDS_MAX 16        /* instances of one claim ended by one request */

struct ending {
	struct aws *a;
	const struct claim_view *claim;
	struct attempt *attempt;
	struct note note;
	bool readable;           /* the memo */
	char id[NOTE_INSTANCE_MAX + 1]; /* from memo or providerID; "" none */
	struct terminate_result *out;
	struct err *err;
};

static int hold_on(struct ending *e, int64_t retry_ms, const char *reason, const char *message)
{
	e->out->step = STEP_WAIT;
	e->out->retry_ms = retry_ms;
	snprintf(e->out->reason, sizeof e->out->reason, "%s", reason);
	snprintf(e->out->message, sizeof e->out->message, "%s", message);
	return 0;
}

static int over(struct ending *e)
{
	e->out->step = STEP_DONE;
	return 0;
}

/* --- what may be there ------------------------------------------------------------------------------------------------- */

static bool is_mine(const struct ending *e) { return strcmp(e->note.incarnation, e->a->incarnation) == 0; }

/* Nothing was ever asked for. */
static bool never_sent(const struct ending *e)
{
	if (!e->readable || e->id[0] || e->attempt->sent)
		return false;
	if (e->note.phase == NOTE_NONE)
		return e->claim->created_s > e->a->started_s;
	return is_mine(e) && e->note.attempt == 0 && (e->note.phase == NOTE_CHOOSING || e->note.phase == NOTE_REQUESTED);
}

/* What a list must not be older than. */
static int64_t not_before(const struct ending *e)
{
	int64_t since = e->a->started_ms;
	if (e->note.phase == NOTE_REQUESTED || (e->attempt->sent && e->note.phase != NOTE_RUNNING))
		since = (e->attempt->sent ? e->attempt->sent_ms : e->a->started_ms) + e->a->settle_ms;
	return since > e->attempt->look_ms ? since : e->attempt->look_ms;
}

/* --- ending it ----------------------------------------------------------------------------------------------------------- */

static int refused(struct ending *e, const struct ec2_fault_row *row, const char *text)
{
	e->attempt->ended_ms = 0;
	switch (row->handling) {
	case EC2_FAULT_GONE:
	case EC2_FAULT_PASSING:
	case EC2_FAULT_THROTTLED:
		return hold_on(e, AGAIN_MS, "", "");
	case EC2_FAULT_BUSY:
		return hold_on(e, AGAIN_MS * 2, row->reason, text);
	case EC2_FAULT_OFFERING:
	case EC2_FAULT_ACCESS:
	case EC2_FAULT_INVALID:
	case EC2_FAULT_TEMPLATE:
	case EC2_FAULT_TOKEN:
		break;
	}
	return hold_on(e, REFUSED_MS, row->reason, text);
}

static int end_all(struct ending *e, const char *const *ids, size_t n)
{
	const struct ec2_fault_row *row = NULL;
	char text[801];
	int64_t wait_ms = 0, now = clock_now_ms();
	e->attempt->look_ms = now;
	if (e->attempt->ended_ms && now - e->attempt->ended_ms < REPEAT_MS)
		return hold_on(e, AGAIN_MS, "", "");
	switch (aws_end(e->a, ids, n, &row, text, &wait_ms, e->err)) {
	case 0:
		e->attempt->ended_ms = e->attempt->look_ms = clock_now_ms();
		return hold_on(e, AGAIN_MS, "", "");
	case 1:
		return refused(e, row, text);
	case 2:
		return hold_on(e, wait_ms, "", "");
	default:
		return -1;
	}
}

/* No list shows the instance of the memo or providerID: it is long gone, another's, or so young that EC2 does not show it yet. */
static int unseen(struct ending *e)
{
	CLEANUP(json_decrefp) json_t *instance = NULL;
	const char *const ids[] = {e->id};
	struct machine m;
	int64_t wait_ms = 0, since_s = e->note.phase == NOTE_RUNNING ? e->note.started_s : e->claim->created_s;
	switch (aws_describe(e->a, e->id, &instance, &wait_ms, e->err)) {
	case 0:
		break;
	case 1:
		e->attempt->look_ms = clock_now_ms();
		return clock_wall_s() - since_s > AWS_LOST_S ? over(e) : hold_on(e, AGAIN_MS, "", "");
	case 2:
		return hold_on(e, wait_ms, "", "");
	default:
		return -1;
	}
	if (!machine_read(&m, instance) || m.terminated || strcmp(m.claim_uid, e->claim->uid) != 0 || strcmp(m.cluster, e->a->settings->cluster) != 0)
		return over(e);
	return end_all(e, ids, 1);
}

static int seen(struct ending *e, const json_t *all)
{
	const char *ids[ENDS_MAX];
	const json_t *instance;
	size_t i, alive = 0, ending = 0;
	bool known = false;
	json_array_foreach(all, i, instance) {
		struct machine m;
		if (!machine_read(&m, instance))
			continue;
		known = known || strcmp(m.id, e->id) == 0;
		ending += m.state == INSTANCE_DELETING && !m.terminated;
		if (m.state != INSTANCE_DELETING && alive < ENDS_MAX)
			ids[alive++] = m.id;
	}
	if (alive > 0)
		return end_all(e, ids, alive);
	if (ending > 0) {
		e->attempt->look_ms = clock_now_ms();
		return hold_on(e, AGAIN_MS, "", "");
	}
	return e->id[0] && !known ? unseen(e) : over(e);
}

static int step(struct ending *e)
{
	CLEANUP(json_decrefp) json_t *all = NULL;
	int64_t since = not_before(e), early_ms = since - clock_now_ms();
	if (never_sent(e))
		return over(e);
	if (early_ms > 0)
		return hold_on(e, early_ms, "", "");
	switch (fleet_list_look(e->a->list, e->claim->uid, e->claim->name, since, &all, e->err)) {
	case 0:
		return seen(e, all);
	case 2:
		return hold_on(e, AWS_SAFETY_MS, "", "");
	default:
		return -1;
	}
}

int aws_terminate(struct cloud *c, const struct claim_view *claim, struct terminate_result *out, struct err *err)
{
	struct aws *a = (struct aws *)c;
	struct ending e = {.a = a, .claim = claim, .out = out, .err = err};
	struct err ignored = ERR_INIT; /* a memo that cannot be read: then instances are looked for by their tags */
	*out = (struct terminate_result){.step = STEP_WAIT, .retry_ms = 1000};
	e.attempt = claim_slots_take(a->attempts, claim->uid);
	if (!e.attempt)
		return 0;
	e.readable = note_read(&e.note, claim->memo, &ignored) == 0;
	if (e.note.instance[0])
		snprintf(e.id, sizeof e.id, "%s", e.note.instance);
	else
		(void)machine_of_provider_id(json_text_at(claim->object, "", "status", "providerID", NULL), e.id);
	int result = step(&e);
	claim_slots_give(a->attempts, claim->uid, result == 0 && out->step == STEP_DONE);
	note_done(&e.note);
	return result;
}

/* terminate.c: one step of deleting whatever was or is being made for a claim. What exists is read from the list; what was sent is the
 * memo's phase and the flight. A creation under way is aborted first, as AKS refuses a DELETE meanwhile. A pool that is not this claim's is
 * never touched and counts as nothing. It is over when a list that began after the last request which could have made or deleted the pool
 * does not show it. */
#include "azure/fulfilment.h"

#include "base/clock.h"
#include "kube/meta.h"
#include <string.h>

#define SLOW_S 1200
#define POLL_MS 300000
#define REFUSED_MS 60000 /* after a DELETE that was refused */
#define RECENT_MS 3000  /* how old a list may be that says what to do first */
#define SETTLE_MS 15000  /* a list may show for so long what was before the DELETE */

struct terminate {
	struct azure *a;
	const struct claim_view *claim;
	struct flight *flight;
	struct memo memo;
	bool readable; /* the memo */
	const char *pool;
	struct terminate_result *out;
	struct err *err;
};

static int hold_on(struct terminate *t, int64_t retry_ms, const char *reason, const char *message)
{
	t->out->step = STEP_WAIT;
	t->out->retry_ms = retry_ms;
	snprintf(t->out->reason, sizeof t->out->reason, "%s", reason);
	snprintf(t->out->message, sizeof t->out->message, "%s", message);
	return 0;
}

/* No DELETE before the time is over. */
static int put_off(struct terminate *t, int64_t ms, const char *reason, const char *message)
{
	t->flight->wait_ms = clock_now_ms() + ms;
	snprintf(t->flight->reason, sizeof t->flight->reason, "%s", reason);
	snprintf(t->flight->message, sizeof t->flight->message, "%s", message);
	return hold_on(t, ms, reason, message);
}

static int over(struct terminate *t)
{
	pools_settled(t->a->pools, t->pool);
	t->out->step = STEP_DONE;
	return 0;
}

static int persist(struct terminate *t, enum memo_phase phase, json_t *operation)
{
	memo_advance(&t->memo, phase, t->a->incarnation, operation);
	t->out->step = STEP_PERSIST;
	t->out->memo = memo_text(&t->memo);
	return 0;
}

static bool is_mine(const struct terminate *t) { return strcmp(t->memo.incarnation, t->a->incarnation) == 0; }

/* Nothing was ever asked for: no memo (or one whose PUT this process never sent), no providerID, and no other program had the claim. */
static bool never_sent(const struct terminate *t)
{
	if (!t->readable || t->flight->put_unsure || json_text_at(t->claim->object, "", "status", "providerID", NULL)[0])
		return false;
	if (t->memo.phase == MEMO_INTENT)
		return is_mine(t) && t->memo.attempt == 0;
	return t->memo.phase == MEMO_NONE && t->claim->created_s > t->a->started_s;
}

/* What was known before this moment may be older than the last request for the pool. */
static int64_t since(const struct terminate *t)
{
	return t->flight->look_ms > t->a->started_ms ? t->flight->look_ms : t->a->started_ms;
}

/* --- requests ---------------------------------------------------------------------------------------------------- */

/* The answer does not matter: a creation that cannot be aborted ends by itself, and the DELETE is tried again until then. */
static int abort_creation(struct terminate *t)
{
	CLEANUP(mem_freep) char *path = arm_pool_path(t->a->environment, t->pool);
	CLEANUP(mem_freep) char *url = mem_printf("%s/abort", path);
	struct arm_request q = {.method = "POST", .url = url, .class = ARM_POST, .pool = t->pool};
	CLEANUP(arm_answer_done) struct arm_answer answer = {0};
	int64_t wait_ms = 0;
	int sent = arm_send(t->a->arm, &q, &answer, &wait_ms, t->err);
	if (sent == 1) {
		pools_yield(t->a->pools);
		return hold_on(t, wait_ms, "", "");
	}
	t->flight->abort_sent = true;
	t->flight->look_ms = clock_now_ms();
	pools_expect(t->a->pools, t->pool, t->claim->name);
	if (sent < 0)
		return -1;
	return hold_on(t, answer.status < 300 ? 1000 : 1, "", "");
}

static bool is_being_made(const json_t *pool)
{
	struct agent_pool p;
	return agent_pool_read(&p, pool) && p.instance == INSTANCE_CREATING;
}

static int delete_pool(struct terminate *t, const json_t *pool)
{
	struct failure why;
	json_t *operation = NULL;
	int64_t wait_ms = 0;
	int deleted = aks_machine_is(t->pool) ? azure_delete_machine_batched(t->a, pool, t->flight, &operation, &wait_ms, &why, t->err) :
		azure_delete_pool(t->a, pool, &t->flight->attempts, &operation, &wait_ms, &why, t->err);
	if (deleted == 4)
		return hold_on(t, wait_ms, "", "");
	if (deleted != 1)
		t->flight->look_ms = clock_now_ms();
	switch (deleted) {
	case 0:
		pools_expect(t->a->pools, t->pool, t->claim->name);
		return persist(t, MEMO_DELETING, operation);
	case 1:
		return over(t);
	case 2:
		t->flight->while_made = aks_machine_is(t->pool) && is_being_made(pool);
		return put_off(t, wait_ms, "", "");
	case 3:
		return put_off(t, REFUSED_MS, why.row->reason, why.message);
	default:
		return -1;
	}
}

/* --- the pool is there ------------------------------------------------------------------------------------------- */

/* ARM accepted a DELETE and the pool is still there and not being deleted: a list of before, or the DELETE failed. */
static int not_deleted(struct terminate *t, const json_t *pool)
{
	struct arm_error error = {0};
	enum operation_state state = OPERATION_RUNNING;
	struct err ignored = ERR_INIT;
	struct failure why;
	int64_t wait_ms = IN_PROGRESS_MIN_MS, now = clock_now_ms();
	pools_expect(t->a->pools, t->pool, t->claim->name);
	if (t->flight->poll_ms && now - t->flight->poll_ms < SETTLE_MS)
		return hold_on(t, SETTLE_MS, "", "");
	t->flight->poll_ms = now;
	int asked = azure_poll(t->a, &t->memo, &state, &error, &wait_ms, &ignored);
	bool failed = asked == 0 && (state == OPERATION_FAILED || state == OPERATION_CANCELED);
	if (failed) {
		taxonomy_classify(&error, false, &why);
		put_off(t, REFUSED_MS, why.row->reason, why.message);
	}
	arm_error_done(&error);
	if (failed)
		return persist(t, MEMO_ABORTING, NULL); /* once more, later */
	if (asked == 0 && state == OPERATION_RUNNING)
		return hold_on(t, SAFETY_MS, "", "");
	if (asked == 1)
		return hold_on(t, wait_ms, "", "");
	return delete_pool(t, pool);
}

static int being_deleted(struct terminate *t)
{
	bool slow = t->memo.phase == MEMO_DELETING && clock_wall_s() - t->memo.started_s > SLOW_S;
	pools_expect(t->a->pools, t->pool, t->claim->name);
	return hold_on(t, SAFETY_MS, slow ? "DeletionSlow" : "", slow ? "Azure has been deleting it for more than 20 minutes" : "");
}

static int present(struct terminate *t, const json_t *pool)
{
	struct agent_pool p = {0};
	int64_t wait_ms = t->flight->wait_ms - clock_now_ms();
	if (!agent_pool_read(&p, pool) || !agent_pool_is_of(&p, t->claim))
		return over(t); /* somebody else's */
	if (p.instance == INSTANCE_DELETING)
		return being_deleted(t);
	if (wait_ms > 0 && !(t->flight->while_made && p.instance != INSTANCE_CREATING))
		return hold_on(t, wait_ms, t->flight->reason, t->flight->message);
	if (t->memo.phase == MEMO_DELETING)
		return not_deleted(t, pool);
	if (p.machine) {
		pools_expect(t->a->pools, t->pool, t->claim->name);
		return delete_pool(t, pool);
	}
	if (p.instance == INSTANCE_CREATING && t->memo.phase != MEMO_ABORTING)
		return persist(t, MEMO_ABORTING, NULL);
	if (p.instance == INSTANCE_CREATING && !t->flight->abort_sent)
		return abort_creation(t);
	return delete_pool(t, pool);
}

/* What creating waits for is not waited for here; and a state that was true when the Node joined may be days old. */
static void begin_ending(struct flight *f)
{
	int64_t recent = clock_now_ms() - RECENT_MS;
	*f = (struct flight){.ending = true, .put_unsure = f->put_unsure, .look_ms = f->look_ms > recent ? f->look_ms : recent};
}

/* --- the step ---------------------------------------------------------------------------------------------------- */

static int step(struct terminate *t)
{
	CLEANUP(json_decrefp) json_t *pool = NULL;
	if (never_sent(t))
		return over(t);
	switch (pools_look(t->a->pools, t->pool, t->claim->name, since(t), &pool, t->err)) {
	case 0:
		return present(t, pool);
	case 1:
		return over(t);
	case 2:
		return hold_on(t, SAFETY_MS, "", "");
	default:
		return -1;
	}
}

int azure_terminate(struct cloud *c, const struct claim_view *claim, struct terminate_result *out, struct err *err)
{
	struct azure *a = (struct azure *)c;
	struct terminate t = {.a = a, .claim = claim, .out = out, .err = err};
	struct err ignored = ERR_INIT; /* a memo that cannot be read: then the pool is looked for */
	*out = (struct terminate_result){.step = STEP_WAIT};
	t.flight = claim_slots_take(a->flights, claim->uid);
	if (!t.flight) {
		out->retry_ms = 1000;
		return 0;
	}
	if (!t.flight->ending)
		begin_ending(t.flight);
	t.readable = memo_read(&t.memo, claim->memo, &ignored) == 0;
	if (!t.memo.pool[0])
		azure_unit_of(a, claim, t.memo.pool);
	t.pool = t.memo.pool;
	int result = step(&t);
	claim_slots_give(a->flights, claim->uid, result == 0 && out->step == STEP_DONE);
	memo_done(&t.memo);
	return result;
}

/* launch.c: one step of creating the agent pool, or the machine, of a claim. Where it stands is the memo's phase; what happens next is a function per phase
 * (PHASES below). The rules:
 * - the memo of a phase is stored before its requests are sent, so a PUT is never sent without a trace of it;
 * - a PUT whose effect is unknown (another process's, or an answer that was lost) is followed by a look before the next, and every PUT
 *   carries If-None-Match: *, so that one pool comes of it whatever was lost in between;
 * - a pool that does not carry the claim's tag (or the original's labels) is never touched;
 * - the Node's appearance ends it, and is an event; no request is spent on waiting for it. */
#include "azure/launch.h"

#include "base/clock.h"
#include "kube/meta.h"
#include <string.h>
#include <strings.h>

#define KNOWN_MS 300000          /* how old a list may be that says whether the name is taken */
#define SLOW_S 1200              /* after this the operation itself is asked, every POLL_MS */
#define POLL_MS 300000
#define NODE_LATE_S 600
#define NODE_LOOK_MS 60000       /* how often a pool without Node is looked at */
#define CONFLICT_MS 60000
#define CONFLICT_REASON "AgentPoolNameConflict"

/* --- results ----------------------------------------------------------------------------------------------------- */

int launch_wait(struct launch *l, int64_t retry_ms, const char *reason, const char *message)
{
	struct flight *f = l->flight;
	l->out->step = STEP_WAIT;
	l->out->retry_ms = retry_ms;
	if (f->tell && !message[0]) {
		reason = f->reason;
		message = f->message;
		f->tell = false;
		snprintf(l->out->event, sizeof l->out->event, "%s", reason);
	}
	snprintf(l->out->reason, sizeof l->out->reason, "%s", reason);
	snprintf(l->out->message, sizeof l->out->message, "%s", message);
	return 0;
}

int launch_persist(struct launch *l, enum memo_phase phase, json_t *operation)
{
	memo_advance(&l->memo, phase, l->a->incarnation, operation);
	l->out->step = STEP_PERSIST;
	l->out->memo = memo_text(&l->memo);
	return 0;
}

static bool is_mine(const struct launch *l) { return strcmp(l->memo.incarnation, l->a->incarnation) == 0; }

/* --- looking ----------------------------------------------------------------------------------------------------- */

static int look(struct launch *l, int64_t not_before_ms, json_t **pool)
{
	int found = pools_look(l->a->pools, l->pool, l->claim->name, not_before_ms, pool, l->err);
	if (found == 2)
		launch_wait(l, SAFETY_MS, "", "");
	return found;
}

/* The name is taken by a pool that is not this claim's. One of an earlier claim of this name goes by itself or is collected. */
static int conflict(struct launch *l, const struct agent_pool *p)
{
	char message[CLOUD_MESSAGE_MAX];
	if (p->instance == INSTANCE_DELETING)
		return launch_wait(l, SAFETY_MS, "", "waits for an agent pool of this name to be deleted");
	snprintf(message, sizeof message, "%s: %s %s named %s exists and belongs to %s%s; it is not touched. Delete it, or give the claim another name",
		 CONFLICT_REASON, aks_machine_is(l->pool) ? "a" : "an", azure_unit_word(l->pool), l->pool, p->ours ? "an earlier claim " : "somebody else", p->ours ? p->claim : "");
	launch_terminal(l, CONFLICT_REASON, message);
	l->out->retry_ms = p->ours ? CONFLICT_MS : 0;
	return 0;
}

/* The claim's own pool exists already: lost answers, a restart, or the original made it. */
static int adopt(struct launch *l, const json_t *pool)
{
	struct agent_pool p = {0};
	if (!agent_pool_read(&p, pool) || !agent_pool_is_of(&p, l->claim))
		return conflict(l, &p);
	snprintf(l->memo.sku, sizeof l->memo.sku, "%.*s", MEMO_SKU_MAX, p.vm_size);
	snprintf(l->memo.zone, sizeof l->memo.zone, "%.*s", MEMO_ZONE_MAX, json_array_size(p.zones) == 1 ? json_text_at(p.zones, "", "#0", NULL) : "");
	l->memo.spot = p.spot;
	l->flight->put_unsure = false;
	return launch_persist(l, MEMO_RUNNING, NULL);
}

/* --- nothing was sent -------------------------------------------------------------------------------------------- */

static int begin(struct launch *l)
{
	CLEANUP(json_decrefp) json_t *pool = NULL;
	if (launch_on_hold(l))
		return 0;
	switch (look(l, clock_now_ms() - KNOWN_MS, &pool)) {
	case 0:
		return adopt(l, pool);
	case 1:
		return launch_next_offering(l);
	case 2:
		return 0;
	default:
		return -1;
	}
}

/* --- the PUT ----------------------------------------------------------------------------------------------------- */

static int accepted(struct launch *l, const char *path, const struct arm_answer *answer)
{
	struct operation o = {0};
	enum operation_state state = OPERATION_RUNNING;
	struct err ignored = ERR_INIT; /* an answer that names no way to ask: the list tells */
	json_t *operation = NULL;
	CLEANUP(json_decrefp) json_t *unit = azure_unit_answer(l->pool, answer->body);
	if (operation_begin(&o, "PUT", path, answer, &state, &ignored) == 0 && o.style != OPERATION_NONE)
		operation = operation_json(&o);
	operation_done(&o);
	l->flight->put_unsure = true; /* until the memo that says so is stored */
	l->flight->attempts = 0;
	l->flight->look_ms = clock_now_ms();
	if (unit)
		pools_learn(l->a->pools, l->pool, unit);
	quota_take(l->a->quota, l->memo.sku, l->memo.spot);
	return launch_persist(l, MEMO_RUNNING, operation);
}

/* The pool went meanwhile: it is looked at, and made again. */
static int without_pool(struct launch *l)
{
	atomic_store(&l->a->machines_pool_ms, clock_now_ms());
	return launch_wait(l, azure_in_progress_ms(l->flight->attempts++), "", "the agent pool of machines is gone; it is made again");
}

static int put(struct launch *l)
{
	bool machine = aks_machine_is(l->pool);
	CLEANUP(json_decrefp) json_t *body = NULL;
	const struct offering o = {l->memo.sku, l->memo.zone, l->memo.spot};
	char message[CLOUD_MESSAGE_MAX];
	if (azure_unit_body(l->a, l->claim, &o, l->pool, &body, l->err) < 0) {
		snprintf(message, sizeof message, "InvalidClaim: %s", l->err->message);
		return launch_terminal(l, "InvalidClaim", message);
	}
	int there = machine ? launch_machines_pool(l) : 0;
	if (there != 0)
		return there < 0 ? -1 : 0;
	CLEANUP(mem_freep) char *path = arm_pool_path(l->a->environment, l->pool);
	struct arm_request q = {.method = "PUT", .url = path, .api_version = azure_unit_version(l->a, l->pool), .body = body, .if_none_match = "*",
				.class = machine ? ARM_PUT_MACHINE : ARM_PUT, .pool = l->pool};
	CLEANUP(arm_answer_done) struct arm_answer answer = {0};
	int64_t wait_ms = 0;
	int sent = arm_send(l->a->arm, &q, &answer, &wait_ms, l->err);
	if (sent == 1) {
		pools_yield(l->a->pools);
		return launch_wait(l, wait_ms, "", "");
	}
	if (sent < 0) {
		l->flight->put_unsure = true;
		l->flight->look_ms = clock_now_ms();
		return -1;
	}
	if (machine && answer.status == 404)
		return without_pool(l);
	return answer.status < 300 ? accepted(l, path, &answer) : launch_refused(l, &answer);
}

/* A refusal of the request itself holds until the request would be another. */
static bool still_on_hold(struct launch *l)
{
	struct flight *f = l->flight;
	if (f->hold_ms == INT64_MAX && launch_body_hash(l) != f->refused)
		f->hold_ms = 0;
	return launch_on_hold(l);
}

/* Another claim may have met a refusal of this offering since it was chosen. */
static bool chosen_is_open(struct launch *l)
{
	const struct offering o = {l->memo.sku, l->memo.zone, l->memo.spot};
	char reason[65];
	int64_t ends_s;
	return launch_offering_open(l->a, &o, reason, &ends_s);
}

static int intent(struct launch *l)
{
	struct flight *f = l->flight;
	bool inherited = !is_mine(l) && !f->looked;
	int64_t wait_ms = f->wait_ms - clock_now_ms();
	if (still_on_hold(l))
		return 0;
	if (wait_ms > 0)
		return launch_wait(l, wait_ms, f->reason, f->message);
	if (f->put_unsure || inherited) {
		CLEANUP(json_decrefp) json_t *pool = NULL;
		int found = look(l, f->put_unsure ? f->look_ms : l->a->started_ms, &pool);
		if (found == 0)
			return adopt(l, pool);
		if (found != 1)
			return found == 2 ? 0 : -1;
		f->put_unsure = false;
		f->looked = true;
	}
	return chosen_is_open(l) ? put(l) : launch_next_offering(l);
}

/* --- it is being made -------------------------------------------------------------------------------------------- */

static void add_text(json_t *labels, const char *key, const char *value)
{
	if (value && value[0])
		json_object_set_new(labels, key, json_string(value));
}

static json_t *labels_of_pool(struct launch *l, const json_t *pool)
{
	CLEANUP(json_decrefp) json_t *body = NULL;
	const struct offering o = {l->memo.sku, l->memo.zone, l->memo.spot};
	struct err ignored = ERR_INIT; /* a class that became unusable since: then there are fewer labels */
	json_t *known = json_at(pool, "properties", "nodeLabels", NULL);
	if (!known && agent_pool_body(l->claim, &o, l->pool, azure_unit_version(l->a, l->pool), &body, &ignored) == 0)
		known = json_at(body, "properties", "nodeLabels", NULL);
	return known ? json_deep_copy(known) : json_object();
}

/* The Node's own, or that of the machine's VM. */
static char *provider_id_of(const json_t *node, const json_t *unit)
{
	const char *id = json_text_at(node, "", "spec", "providerID", NULL);
	return id[0] ? mem_strdup(id) : agent_pool_provider_id(json_text_at(unit, "", "properties", "resourceId", NULL));
}

/* node NULL: a machine that Azure has made; its Node comes. */
static int done(struct launch *l, const json_t *node)
{
	CLEANUP(json_decrefp) json_t *pool = pools_known(l->a->pools, l->pool);
	const char *zone = meta_label(node, LABEL_ZONE), *region = meta_label(node, LABEL_REGION), *image = json_text_at(pool, "", "properties", "nodeImageVersion", NULL);
	const char *node_image = meta_label(node, "kubernetes.azure.com/node-image-version");
	json_t *labels = labels_of_pool(l, pool);
	add_text(labels, LABEL_INSTANCE_TYPE, l->memo.sku);
	add_text(labels, LABEL_ZONE, zone ? zone : l->memo.zone);
	add_text(labels, LABEL_REGION, region ? region : l->a->environment->location);
	add_text(labels, LABEL_CAPACITY_TYPE, l->memo.spot ? "spot" : "on-demand");
	image = image[0] ? image : node_image ? node_image : "";
	l->out->step = STEP_DONE;
	memo_advance(&l->memo, MEMO_MADE, l->a->incarnation, NULL);
	l->out->memo = memo_text(&l->memo);
	l->out->provider_id = provider_id_of(node, pool);
	l->out->image_id = image[0] ? mem_strdup(image) : NULL;
	l->out->labels = labels;
	l->out->capacity = json_incref(json_at(node, "status", "capacity", NULL));
	l->out->allocatable = json_incref(json_at(node, "status", "allocatable", NULL));
	pools_settled(l->a->pools, l->pool);
	return 0;
}

/* ARM keeps the reason of a failure with the operation, newer versions with the pool as well, and the machine always tells. */
static int pool_failed(struct launch *l, const json_t *pool)
{
	struct arm_error error = {0};
	enum operation_state state = OPERATION_RUNNING;
	struct err ignored = ERR_INIT; /* then the pool's own words must do */
	int64_t wait_ms = 0;
	const json_t *own = json_at(pool, "properties", "status", "provisioningError", NULL);
	int asked = aks_machine_is(l->pool) && own ? -1 : azure_poll(l->a, &l->memo, &state, &error, &wait_ms, &ignored);
	if (asked == 1)
		return launch_wait(l, wait_ms, "", "");
	if (asked < 0 || (state != OPERATION_FAILED && state != OPERATION_CANCELED)) {
		CLEANUP(json_decrefp) json_t *plain = json_pack("{s:s,s:o}", "code", "AgentPoolFailed", "message",
								json_sprintf("%s %s is in state Failed; Azure keeps no reason with it", azure_unit_word(l->pool), l->pool));
		arm_error_done(&error);
		error = (struct arm_error){0};
		arm_error_of_json(&error, 0, own ? own : plain);
	}
	launch_failed(l, &error);
	arm_error_done(&error);
	return 0;
}

static bool poll_due(struct launch *l, int64_t every_ms)
{
	int64_t now = clock_now_ms();
	if (l->flight->poll_ms && now - l->flight->poll_ms < every_ms)
		return false;
	l->flight->poll_ms = now;
	return true;
}

static int being_made(struct launch *l, const json_t *pool)
{
	struct arm_error error = {0};
	enum operation_state state = OPERATION_RUNNING;
	struct err ignored = ERR_INIT;
	int64_t wait_ms = 0;
	bool slow = clock_wall_s() - l->memo.started_s > SLOW_S;
	(void)pool;
	pools_expect(l->a->pools, l->pool, l->claim->name);
	if (slow && poll_due(l, POLL_MS) && azure_poll(l->a, &l->memo, &state, &error, &wait_ms, &ignored) == 0 &&
	    (state == OPERATION_FAILED || state == OPERATION_CANCELED))
		launch_failed(l, &error);
	else
		launch_wait(l, SAFETY_MS, "", slow ? "Azure has been creating the agent pool for more than 20 minutes" : "");
	arm_error_done(&error);
	return 0;
}

static int without_node(struct launch *l, const json_t *pool)
{
	char message[300] = "";
	int64_t late_s = clock_wall_s() - l->memo.started_s;
	struct agent_pool p;
	if (agent_pool_read(&p, pool) && p.machine && p.resource_id[0])
		return done(l, NULL);
	pools_settled(l->a->pools, l->pool);
	if (late_s >= NODE_LATE_S)
		snprintf(message, sizeof message, "%s %s is ready but its Node has not joined for %lld minutes: check the VM's extensions, and the subnet's "
			 "outbound connections, DNS and security group", azure_unit_word(l->pool), l->pool, (long long)late_s / 60);
	return launch_wait(l, NODE_LOOK_MS, message[0] ? "NodeNotJoined" : "", message);
}

static int stopped(struct launch *l, const json_t *pool)
{
	(void)pool;
	pools_settled(l->a->pools, l->pool);
	return launch_wait(l, NODE_LOOK_MS, "PoolStopped", "the agent pool or its cluster is stopped; it goes on when it is started");
}

static int being_deleted(struct launch *l, const json_t *pool)
{
	(void)pool;
	pools_expect(l->a->pools, l->pool, l->claim->name);
	return launch_wait(l, SAFETY_MS, "", "the agent pool is being deleted; it is made again when it is gone");
}

static int gone(struct launch *l)
{
	l->flight->looked = true;
	l->memo.attempt++;
	return launch_persist(l, MEMO_INTENT, NULL);
}

/* A complete list does not show the pool that ARM accepted. */
static int vanished(struct launch *l)
{
	struct arm_error error = {0};
	enum operation_state state = OPERATION_RUNNING;
	struct err ignored = ERR_INIT;
	int64_t wait_ms = IN_PROGRESS_MIN_MS;
	CLEANUP(json_decrefp) json_t *pool = NULL;
	pools_expect(l->a->pools, l->pool, l->claim->name);
	if (!poll_due(l, IN_PROGRESS_MIN_MS))
		return launch_wait(l, IN_PROGRESS_MIN_MS, "", "");
	int asked = azure_poll(l->a, &l->memo, &state, &error, &wait_ms, &ignored);
	bool failed = asked == 0 && (state == OPERATION_FAILED || state == OPERATION_CANCELED);
	if (failed)
		launch_failed(l, &error);
	arm_error_done(&error);
	if (failed)
		return 0;
	if (asked == 1 || (asked == 0 && state == OPERATION_RUNNING))
		return launch_wait(l, wait_ms, "", "");
	switch (azure_read_pool(l->a, l->pool, &pool, &wait_ms, l->err)) {
	case 0:
		return launch_wait(l, 1, "", "");
	case 1:
		return gone(l);
	case 2:
		return launch_wait(l, wait_ms, "", "");
	default:
		return -1;
	}
}

/* What the state of the claim's own pool means while its Node is not there. */
static int (*const STATES[])(struct launch *l, const json_t *pool) = {
	[INSTANCE_CREATING] = being_made,
	[INSTANCE_RUNNING] = without_node,
	[INSTANCE_STOPPED] = stopped,
	[INSTANCE_FAILED] = pool_failed,
	[INSTANCE_DELETING] = being_deleted,
};

/* What was known before says nothing: another process acted then, or this one did not act yet. */
static int64_t since(const struct launch *l) { return l->flight->look_ms > l->a->started_ms ? l->flight->look_ms : l->a->started_ms; }

/* A pool that is ready, or stopped, is looked at again and again, but not often. */
static int64_t last_look(const struct launch *l)
{
	int64_t recent = clock_now_ms() - NODE_LOOK_MS;
	CLEANUP(json_decrefp) json_t *pool = pools_known(l->a->pools, l->pool);
	struct agent_pool p;
	bool idle = pool && agent_pool_read(&p, pool) && (p.instance == INSTANCE_RUNNING || p.instance == INSTANCE_STOPPED);
	return idle && recent > since(l) ? recent : since(l);
}

/* The Node of a pool that failed is none, unless the claim has had it for long: then an upgrade failed, say, and repair decides. */
static bool counts(const struct launch *l, const json_t *node)
{
	CLEANUP(json_decrefp) json_t *pool = pools_known(l->a->pools, l->pool);
	struct agent_pool p;
	const char *had = json_text_at(l->claim->object, "", "status", "providerID", NULL);
	return !pool || !agent_pool_read(&p, pool) || p.instance != INSTANCE_FAILED || strcasecmp(had, json_text_at(node, "-", "spec", "providerID", NULL)) == 0;
}

static int running(struct launch *l)
{
	CLEANUP(json_decrefp) json_t *pool = NULL;
	CLEANUP(json_decrefp) json_t *node = azure_node(l->a, l->pool, l->claim);
	struct agent_pool p = {0};
	if (node && counts(l, node))
		return done(l, node);
	switch (look(l, last_look(l), &pool)) {
	case 0:
		if (!agent_pool_read(&p, pool) || !agent_pool_is_of(&p, l->claim))
			return conflict(l, &p);
		return STATES[p.instance](l, pool);
	case 1:
		return vanished(l);
	case 2:
		pools_expect(l->a->pools, l->pool, l->claim->name);
		return 0;
	default:
		return launch_wait(l, IN_PROGRESS_MIN_MS, "", l->err->message);
	}
}

/* --- a failed pool goes ------------------------------------------------------------------------------------------- */

static int cleared(struct launch *l)
{
	l->flight->looked = true;
	l->flight->put_unsure = false;
	return still_on_hold(l) ? 0 : launch_next_offering(l);
}

static int clear_pool(struct launch *l, const json_t *pool)
{
	struct failure why;
	json_t *operation = NULL;
	int64_t wait_ms = 0;
	int deleted = azure_delete_pool(l->a, pool, &l->flight->attempts, &operation, &wait_ms, &why, l->err);
	json_decref(operation);
	if (deleted == 0 || deleted == 2)
		l->flight->look_ms = clock_now_ms();
	switch (deleted) {
	case 0:
		pools_expect(l->a->pools, l->pool, l->claim->name);
		return launch_wait(l, SAFETY_MS, "", "");
	case 1:
		return cleared(l);
	case 2:
		return launch_wait(l, wait_ms, "", "");
	case 3:
		return launch_wait(l, CONFLICT_MS, why.row->reason, why.message);
	default:
		l->flight->look_ms = clock_now_ms();
		return -1;
	}
}

static int clearing(struct launch *l)
{
	CLEANUP(json_decrefp) json_t *pool = NULL;
	struct agent_pool p = {0};
	int found = look(l, since(l), &pool);
	if (found == 1)
		return cleared(l);
	if (found != 0)
		return found == 2 ? 0 : -1;
	if (!agent_pool_read(&p, pool) || !agent_pool_is_of(&p, l->claim))
		return conflict(l, &p);
	if (p.instance == INSTANCE_DELETING) {
		pools_expect(l->a->pools, l->pool, l->claim->name);
		return launch_wait(l, SAFETY_MS, "", "");
	}
	return p.instance == INSTANCE_FAILED ? clear_pool(l, pool) : adopt(l, pool);
}

/* --- the step ---------------------------------------------------------------------------------------------------- */

/* A claim that was being deleted is not launched; if it is all the same, its pool is looked for. */
static int (*const PHASES[MEMO_PHASES])(struct launch *l) = {
	[MEMO_NONE] = begin, [MEMO_INTENT] = intent, [MEMO_RUNNING] = running, [MEMO_CLEARING] = clearing, [MEMO_ABORTING] = running, [MEMO_DELETING] = running, [MEMO_MADE] = running,
};

int azure_launch(struct cloud *c, const struct claim_view *claim, struct launch_result *out, struct err *err)
{
	struct azure *a = (struct azure *)c;
	struct launch l = {.a = a, .claim = claim, .out = out, .err = err};
	struct err ignored = ERR_INIT; /* a memo that cannot be read is as none: then the pool is looked for */
	*out = (struct launch_result){.step = STEP_WAIT};
	l.flight = claim_slots_take(a->flights, claim->uid);
	if (!l.flight) {
		out->retry_ms = 1000;
		return 0;
	}
	if (memo_read(&l.memo, claim->memo, &ignored) < 0 || !l.memo.pool[0])
		azure_unit_of(a, claim, l.memo.pool);
	l.pool = l.memo.pool;
	int result = PHASES[l.memo.phase](&l);
	claim_slots_give(a->flights, claim->uid, result == 0 && out->step == STEP_DONE);
	memo_done(&l.memo);
	return result;
}

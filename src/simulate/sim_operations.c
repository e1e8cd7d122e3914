/* sim_operations.c: long-running operations: they begin with a PUT or DELETE, end when a timer says so, and can be asked about by their
 * status URL (Azure-AsyncOperation, Operation-Location), their result URL (Location) or through the pool's provisioningState. */
#include "simulate/sim.h"

#include "base/clock.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <stdio.h>
#include <time.h>

static const char *const WORDS[] = {[SIM_CREATE] = "create", [SIM_UPDATE] = "update", [SIM_DELETE] = "delete"};
static const char *const STATES[] = {
	[SIM_IN_PROGRESS] = "InProgress", [SIM_OPERATION_SUCCEEDED] = "Succeeded", [SIM_OPERATION_FAILED] = "Failed", [SIM_OPERATION_CANCELED] = "Canceled",
};
static const enum sim_pool_state BEGUN[] = {[SIM_CREATE] = SIM_POOL_CREATING, [SIM_UPDATE] = SIM_POOL_UPDATING, [SIM_DELETE] = SIM_POOL_DELETING};
static const enum sim_pool_state ENDED[] = {
	[SIM_IN_PROGRESS] = SIM_POOL_UPDATING, [SIM_OPERATION_SUCCEEDED] = SIM_POOL_SUCCEEDED, [SIM_OPERATION_FAILED] = SIM_POOL_FAILED,
	[SIM_OPERATION_CANCELED] = SIM_POOL_CANCELED,
};
const char *sim_operations_word(enum sim_operation_kind kind) { return WORDS[kind]; }

void sim_operations_free(void *operation)
{
	struct sim_operation *o = operation;
	json_decref(o->error);
	free(o);
}

/* The list is in the order of ids. */
struct sim_operation *sim_operations_find(struct simulator *s, uint64_t id)
{
	size_t from = 0, to = s->operations_by_id.len;
	while (from < to) {
		size_t at = from + (to - from) / 2;
		struct sim_operation *o = s->operations_by_id.data[at];
		if (o->id == id)
			return o;
		if (o->id < id)
			from = at + 1;
		else
			to = at;
	}
	return NULL;
}

/* The oldest that have ended are forgotten past the limit; half of the list at a time, so that it costs little. */
static void forget_old(struct simulator *s)
{
	size_t kept = 0, n = s->operations_by_id.len;
	struct sim_operation **rows = s->operations_by_id.data;
	if (n < LIMIT_SIMULATOR_OPERATIONS)
		return;
	for (size_t i = 0; i < n; i++) {
		if (i < n / 2 && rows[i]->state != SIM_IN_PROGRESS)
			map_remove(&s->operations, str_of(rows[i]->guid));
		else
			rows[kept++] = rows[i];
	}
	s->operations_by_id.len = kept;
}

static struct sim_operation *new_operation(struct simulator *s, const struct sim_pool *p, enum sim_operation_kind kind)
{
	struct sim_operation *o = mem_alloc(sizeof *o);
	forget_old(s);
	o->id = ++s->last_operation;
	o->kind = kind;
	o->generation = p->generation;
	o->started_s = sim_timers_wall_s(s);
	snprintf(o->pool, sizeof o->pool, "%s", p->name);
	sim_routes_guid(o->guid);
	vec_push(&s->operations_by_id, o);
	map_put(&s->operations, str_of(o->guid), o);
	return o;
}

struct sim_operation *sim_operations_begin(struct simulator *s, struct sim_pool *p, enum sim_operation_kind kind, struct sim_effect *effect)
{
	struct sim_operation *o = new_operation(s, p, kind);
	o->error = json_incref(effect->operation_error);
	p->operation = o->id;
	sim_pools_set_state(s, p, BEGUN[kind]);
	return o;
}

/* When the Nodes of a pool that is being made join. */
static void plan_join(struct simulator *s, const struct sim_operation *o, int64_t duration_ms)
{
	int64_t after = duration_ms - s->settings.join_ms;
	struct sim_node_job job = {.generation = o->generation};
	snprintf(job.owner, sizeof job.owner, "%s", o->pool);
	if (after > 0)
		sim_timers_node(s, sim_timers_now_ms(s) + after, SIM_EVENT_JOIN, &job);
	else
		sim_joiner_pool_due(s, &job);
}

void sim_operations_run(struct simulator *s, struct sim_operation *o)
{
	const struct sim_settings *t = &s->settings;
	int64_t ms = o->kind == SIM_CREATE ? t->create_ms : o->kind == SIM_UPDATE ? t->update_ms : t->delete_ms;
	if (o->kind != SIM_DELETE && !o->error && t->join)
		plan_join(s, o, ms);
	if (ms <= 0)
		sim_operations_finish(s, o->id, SIM_OPERATION_SUCCEEDED);
	else
		sim_timers_finish(s, sim_timers_now_ms(s) + ms, o->id);
}

void sim_operations_finish(struct simulator *s, uint64_t id, enum sim_operation_state state)
{
	struct sim_operation *o = sim_operations_find(s, id);
	if (!o || o->state != SIM_IN_PROGRESS)
		return;
	o->state = state == SIM_OPERATION_SUCCEEDED && o->error ? SIM_OPERATION_FAILED : state;
	o->ended_s = sim_timers_wall_s(s);
	struct sim_pool *p = sim_pools_find_generation(s, o->pool, o->generation);
	if (!p || p->operation != id)
		return;
	p->operation = 0;
	if (o->kind == SIM_DELETE && o->state == SIM_OPERATION_SUCCEEDED) {
		sim_machine_leave_all(s, p);
		sim_joiner_leave(s, p);
		sim_pools_remove(s, p);
		return;
	}
	if (s->settings.provisioning_error || p->machine)
		sim_pools_show_error(p, o->state == SIM_OPERATION_FAILED ? o->error : NULL);
	sim_pools_set_state(s, p, ENDED[o->state]);
	sim_joiner_sync(s, p);
}

/* --- asking on --------------------------------------------------------------------------------------------------------- */

static void retry_after(struct simulator *s, struct sim_reply *r)
{
	long long ms = s->settings.retry_after_ms;
	const char *style = s->settings.retry_after_style;
	char date[40];
	time_t at = (time_t)(clock_wall_s() + (ms + 999) / 1000);
	struct tm tm;
	if (ms == 0)
		return;
	if (strcmp(style, "ms") == 0)
		sim_reply_header(r, "Retry-After-Ms", "%lld", ms);
	else if (strcmp(style, "x-ms") == 0)
		sim_reply_header(r, "x-ms-retry-after-ms", "%lld", ms);
	else if (strcmp(style, "seconds") == 0)
		sim_reply_header(r, "Retry-After", "%lld", (ms + 999) / 1000);
	else if (gmtime_r(&at, &tm) && strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm))
		sim_reply_header(r, "Retry-After", "%s", date);
}

/* A URL as the service makes them: opaque, another one each time, with a signature that nobody should log. */
static void put_url(const struct simulator *s, const struct sim_request *q, const struct sim_operation *o, const char *header, const char *collection, struct sim_reply *r)
{
	sim_reply_header(r, header, "%s/subscriptions/%s/providers/Microsoft.ContainerService/locations/%s/%s/%s?api-version=2016-03-30&t=%lld&c=simulated&s=%.8s&h=%.8s",
			 q->base, s->subscription, s->location, collection, o->guid, (long long)sim_timers_now_ms(s), o->guid, o->guid + 19);
}

void sim_operations_headers(struct simulator *s, const struct sim_request *q, const struct sim_operation *o, struct sim_reply *r)
{
	const char *lro = s->settings.lro;
	if (strcmp(lro, "async") == 0)
		put_url(s, q, o, "Azure-AsyncOperation", "operations", r);
	if (strcmp(lro, "operation_location") == 0)
		put_url(s, q, o, "Operation-Location", "operations", r);
	if (strcmp(lro, "location") == 0 || o->kind == SIM_DELETE) /* a DELETE has no body to read a state from */
		put_url(s, q, o, "Location", "operationresults", r);
	retry_after(s, r);
}

static struct sim_operation *named(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	struct sim_operation *o = map_get(&s->operations, str_of(q->parts[2]));
	if (!o)
		sim_errors_answer(s, r, 404, "NotFound", "The operation '%.40s' was not found.", q->parts[2]);
	return o;
}

void sim_operations_get(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	struct sim_operation *o = named(s, q, r);
	char started[32], ended[32];
	if (!o)
		return;
	clock_rfc3339(o->started_s, started);
	json_t *out = json_pack("{s:s, s:s, s:s}", "name", o->guid, "status", STATES[o->state], "startTime", started);
	if (o->state != SIM_IN_PROGRESS) {
		clock_rfc3339(o->ended_s, ended);
		json_object_set_new(out, "endTime", json_string(ended));
	} else {
		retry_after(s, r);
	}
	if (o->state == SIM_OPERATION_FAILED)
		json_object_set(out, "error", o->error);
	sim_reply_json(r, 200, out);
}

/* The Location style: 202 while it runs, then what the request itself would have answered. */
void sim_operations_result(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	struct sim_operation *o = named(s, q, r);
	if (!o)
		return;
	struct sim_pool *p = sim_pools_find_generation(s, o->pool, o->generation);
	if (o->state == SIM_IN_PROGRESS) {
		put_url(s, q, o, "Location", "operationresults", r);
		retry_after(s, r);
		r->status = 202;
	} else if (o->state == SIM_OPERATION_SUCCEEDED && p) {
		buf_put_str(&r->body, sim_pools_text(p));
		r->type = "application/json; charset=utf-8";
		r->status = 200;
	} else if (o->state == SIM_OPERATION_SUCCEEDED) {
		r->status = 204;
	} else {
		bool failed = o->state == SIM_OPERATION_FAILED;
		struct sim_failure f = {.details = failed ? json_object_get(o->error, "details") : NULL};
		sim_errors_set(&f, 409, failed ? json_text_at(o->error, "", "code", NULL) : "OperationCanceled", "%s",
			       failed ? json_text_at(o->error, "", "message", NULL) : "The operation was canceled.");
		sim_errors_reply(s, r, &f);
	}
}

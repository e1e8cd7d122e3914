/* sim_machine_api.c: the requests for machines: PUT, GET, LIST of a pool in mode Machines, and that pool's deleteMachines, which is refused as a
 * whole when one of the names is wrong. Each machine has its own operations, so that many are made and deleted at once. */
#include "simulate/sim.h"

#include "base/clock.h"
#include "kube/meta.h"
#include <stdio.h>
#include <strings.h>

static struct sim_pool *holder(struct simulator *s, const struct sim_request *q, struct sim_reply *r)
{
	struct sim_pool *p = sim_pools_find(s, q->pool);
	if (!p)
		sim_errors_answer(s, r, 404, "NotFound", "Agent Pool not found. Agent pool '%.60s' does not exist in cluster '%s'.", q->pool, s->cluster);
	else if (!sim_machine_holder(p))
		sim_errors_answer(s, r, 400, "OperationNotAllowed", "Agent pool '%.60s' is not in mode Machines.", q->pool);
	else
		return p;
	return NULL;
}

static struct sim_pool *find(struct simulator *s, const char *pool, const char *machine)
{
	char unit[SIM_UNIT_NAME_MAX + 1];
	int n = snprintf(unit, sizeof unit, "%s/%s", pool, machine);
	return n < (int)sizeof unit ? sim_pools_find(s, unit) : NULL;
}

static size_t machines_in(const struct simulator *s, const char *pool)
{
	struct map_entry e;
	size_t n = 0;
	for (size_t i = 0; map_next(&s->pools, &i, &e);)
		n += sim_machine_of(e.value, pool);
	return n;
}

/* --- PUT --------------------------------------------------------------------------------------------------------------------- */

static bool can_be_new(struct simulator *s, const struct sim_request *q, const json_t *as_pool, struct sim_reply *r)
{
	struct sim_failure f = {0};
	if (machines_in(s, q->pool) >= LIMIT_SIMULATOR_NODES)
		sim_errors_set(&f, 400, "NodesLimitExceeded", "Agent pool '%.60s' has %d machines already, which is the maximum.", q->pool, LIMIT_SIMULATOR_NODES);
	else if (sim_pool_check_body(s, q->parts[4], as_pool, NULL, &f) && sim_usages_allow(s, as_pool, &f))
		return true;
	sim_errors_reply(s, r, &f);
	json_decref(f.details);
	return false;
}

static bool same_machine(const struct sim_pool *old, const json_t *as_pool)
{
	static const char *const FIXED[] = {"vmSize", "scaleSetPriority", "availabilityZones", NULL};
	for (size_t i = 0; FIXED[i]; i++) {
		json_t *now = json_at(as_pool, "properties", FIXED[i], NULL), *was = json_at(old->body, "properties", FIXED[i], NULL);
		if (now && !json_equal(now, was))
			return false;
	}
	return true;
}

static bool can_put(struct simulator *s, const struct sim_request *q, const struct sim_pool *pool, const struct sim_pool *old, const json_t *as_pool, struct sim_reply *r)
{
	if (!sim_machine_name_valid(q->parts[4]))
		sim_errors_answer(s, r, 400, "InvalidParameter", "The machine name '%.60s' is invalid: at most %d lower-case letters, digits and dashes, a letter first.", q->parts[4], SIM_MACHINE_NAME_MAX);
	else if (!json_is_object(json_object_get(q->body, "properties")))
		sim_errors_answer(s, r, 400, "InvalidRequestContent", "The request content was invalid and could not be deserialized: 'properties' is required.");
	else if (!sim_pool_api_conditions(s, q, old, r))
		return false;
	else if (s->cluster_stopped)
		sim_errors_answer(s, r, (int)s->settings.stopped_status, "OperationNotAllowed", "Operation is not allowed because the managed cluster %s is stopped. Start it first.", s->cluster);
	else if (pool->operation || (old && old->operation))
		sim_pool_api_busy(s, sim_operations_find(s, pool->operation ? pool->operation : old->operation), r);
	else if (old && !same_machine(old, as_pool))
		sim_errors_answer(s, r, 400, "OperationNotAllowed", "Size, priority and zones of machine '%.60s' cannot be changed.", q->parts[4]);
	else
		return old || can_be_new(s, q, as_pool, r);
	return false;
}

void sim_machine_api_put(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	char unit[SIM_UNIT_NAME_MAX + 1];
	struct sim_pool *pool = holder(s, q, r);
	struct sim_pool *old = pool ? find(s, q->pool, q->parts[4]) : NULL;
	CLEANUP(json_decrefp) json_t *as_pool = sim_machine_as_pool(q->body);
	if (!pool || !can_put(s, q, pool, old, as_pool, r))
		return;
	bool is_new = !old;
	snprintf(unit, sizeof unit, "%.12s/%.34s", pool->name, q->parts[4]);
	struct sim_pool *p = sim_pools_put(s, unit, as_pool, false);
	if (is_new)
		clock_rfc3339(sim_timers_wall_s(s), p->created);
	sim_machine_show(s, p, q->body);
	struct sim_operation *o = sim_operations_begin(s, p, is_new ? SIM_CREATE : SIM_UPDATE, &q->effect);
	sim_operations_headers(s, q, o, r);
	sim_pool_api_reply(r, is_new ? 201 : 200, p);
	sim_operations_run(s, o);
}

/* --- GET, LIST --------------------------------------------------------------------------------------------------------------- */

void sim_machine_api_get(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	struct sim_pool *p = holder(s, q, r) ? find(s, q->pool, q->parts[4]) : NULL;
	if (p)
		sim_pool_api_reply(r, 200, p);
	else if (!r->status)
		sim_errors_answer(s, r, 404, "NotFound", "Machine not found. Machine '%.60s' does not exist in agent pool '%.60s'.", q->parts[4], q->pool);
}

void sim_machine_api_list(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	if (holder(s, q, r))
		sim_pool_api_list_of(s, q, q->pool, r);
}

/* --- deleteMachines ---------------------------------------------------------------------------------------------------------- */

/* A creation that runs gives way where deletions do (delete_preempts), else the whole request is refused. */
static bool can_delete(struct simulator *s, const struct sim_request *q, const json_t *names, struct sim_reply *r)
{
	size_t i;
	json_t *name;
	json_array_foreach((json_t *)(uintptr_t)names, i, name) {
		struct sim_pool *p = json_is_string(name) ? find(s, q->pool, json_string_value(name)) : NULL;
		struct sim_operation *o = p && p->operation ? sim_operations_find(s, p->operation) : NULL;
		if (!p) {
			sim_errors_answer(s, r, 400, "InvalidParameter", "Cannot find any valid machines to delete. Machine '%.60s' is not in agent pool '%.60s'.",
					  json_is_string(name) ? json_string_value(name) : "", q->pool);
			return false;
		}
		if (o && (o->kind != SIM_CREATE || !s->settings.delete_preempts)) {
			sim_pool_api_busy(s, o, r);
			return false;
		}
	}
	return true;
}

void sim_machine_api_delete(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	json_t *names = json_object_get(q->body, "machineNames"), *name;
	size_t i;
	VEC(uint64_t) begun = {0};
	struct sim_operation *last = NULL;
	if (!holder(s, q, r))
		return;
	if (json_array_size(names) == 0 || json_array_size(names) > LIMIT_SIMULATOR_NODES) {
		sim_errors_answer(s, r, 400, "InvalidParameter", "machineNames must name the machines to delete.");
		return;
	}
	if (!can_delete(s, q, names, r))
		return;
	json_array_foreach(names, i, name) {
		struct sim_pool *p = find(s, q->pool, json_string_value(name));
		if (p->operation) {
			struct sim_operation *o = sim_operations_find(s, p->operation);
			if (o->kind == SIM_DELETE) /* named twice */
				continue;
			sim_operations_finish(s, o->id, SIM_OPERATION_CANCELED);
		}
		last = sim_operations_begin(s, p, SIM_DELETE, &q->effect);
		vec_push(&begun, last->id);
	}
	sim_operations_headers(s, q, last, r); /* it ends with the others */
	r->status = 202;
	for (size_t k = 0; k < begun.len; k++)
		sim_operations_run(s, sim_operations_find(s, begun.data[k]));
	vec_done(&begun);
}

/* sim_control.c: the interface under /_sim/ by which tests and people look at the simulated cloud and change it. docs/simulator.md describes
 * every request. It needs no token: the simulator listens where its user says, by default on loopback. */
#include "simulate/aws_sim.h"

#include "codec/json.h"
#include "kube/meta.h"
#include <stdio.h>

void sim_control_refuse(struct sim_reply *r, const struct err *err)
{
	int status = err_traits(err->kind)->http_status;
	sim_reply_json(r, status, json_pack("{s:{s:s, s:s}}", "error", "code", err_traits(err->kind)->name, "message", err->message));
}

static void done(struct sim_reply *r) { sim_reply_json(r, 200, json_pack("{s:b}", "ok", 1)); }

/* --- looking ------------------------------------------------------------------------------------------------------------------- */

static json_t *nodes_json(const struct simulator *s, const struct sim_pool *p)
{
	json_t *out = json_array();
	char name[SIM_NODE_NAME];
	for (int i = 0; i < p->n_nodes; i++)
		if (p->nodes[i] & SIM_IS_JOINED) {
			sim_node_name(s, p->name, i, name);
			json_array_append_new(out, json_string(name));
		}
	return out;
}

static json_t *pool_json(const struct simulator *s, const struct sim_pool *p)
{
	const json_t *props = json_object_get(p->body, "properties");
	json_t *tags = json_object_get(props, "tags");
	return json_pack("{s:s, s:s, s:i, s:s, s:b, s:b, s:I, s:o, s:O, s:s}", "provisioningState", sim_pools_state_name(p->state), "powerState", sim_pools_running(s, p) ? "Running" : "Stopped",
			 "count", p->count, "vmSize", json_text_at(props, "", "vmSize", NULL), "foreign", p->foreign, "busy", p->operation != 0, "generation", (json_int_t)p->generation,
			 "nodes", nodes_json(s, p), "tags", tags ? tags : json_null(), "etag", p->etag);
}

static json_t *pools_json(struct simulator *s, size_t *busy)
{
	json_t *out = json_object();
	struct map_entry e;
	for (size_t i = 0; map_next(&s->pools, &i, &e);) {
		const struct sim_pool *p = e.value;
		json_object_set_new(out, p->name, pool_json(s, p));
		*busy += p->operation != 0;
	}
	return out;
}

json_t *sim_control_azure_state(struct simulator *s)
{
	size_t busy = 0;
	json_t *pools = pools_json(s, &busy);
	json_t *out = json_pack("{s:{s:s, s:s, s:s, s:s, s:s}, s:I, s:I, s:o, s:o, s:o, s:o, s:{s:I, s:I}}", "cluster", "name", s->cluster, "resourceGroup", s->resource_group,
		"location", s->location, "nodeResourceGroup", s->node_group, "powerState", s->cluster_stopped ? "Stopped" : "Running", "created", (json_int_t)s->created,
		"deleted", (json_int_t)s->deleted, "pools", pools, "calls", sim_calls_counts(&s->calls), "budget", sim_budget_show(&s->budget, SIM_ON_AZURE), "scripts", sim_script_show(&s->scripts),
		"tokens", "issued", (json_int_t)s->tokens.issued, "refused", (json_int_t)s->tokens.refused);
	json_object_set_new(out, "operations_running", json_integer((json_int_t)busy));
	json_object_set_new(out, "pool_count", json_integer((json_int_t)s->pool_count));
	return out;
}

static void get_state(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	(void)q;
	json_t *out = s->cloud->state(s);
	sim_joiner_state(s, out);
	sim_reply_json(r, 200, out);
}

static void get_calls(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	const char *since = http_query(q->x, "since");
	int64_t from = 0;
	if (since && (!str_to_i64(str_of(since), &from) || from < 0))
		from = 0;
	sim_reply_json(r, 200, json_pack("{s:I, s:o}", "total", (json_int_t)s->calls.total, "calls", sim_calls_show(&s->calls, (uint64_t)from, http_query(q->x, "class"), http_query(q->x, "pool"))));
}

static void reset_calls(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	(void)q;
	sim_calls_done(&s->calls);
	sim_calls_init(&s->calls);
	sim_budget_reset(&s->budget);
	done(r);
}

static void get_settings(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	(void)q;
	sim_reply_json(r, 200, sim_settings_show(&s->settings));
}

static void get_environment(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	(void)q;
	sim_reply_json(r, 200, simulator_environment(s));
}

static void get_scripts(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	(void)q;
	sim_reply_json(r, 200, sim_script_show(&s->scripts));
}

/* --- changing ------------------------------------------------------------------------------------------------------------------ */

static void put_settings(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	struct err err = ERR_INIT;
	if (sim_settings_apply(&s->settings, q->body, &err) < 0)
		sim_control_refuse(r, &err);
	else
		sim_reply_json(r, 200, sim_settings_show(&s->settings));
}

static void add_scripts(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	struct err err = ERR_INIT;
	if (sim_script_add(&s->scripts, q->body, &err) < 0)
		sim_control_refuse(r, &err);
	else
		get_scripts(s, q, r);
}

static void clear_scripts(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	(void)q;
	sim_script_clear(&s->scripts);
	done(r);
}

static void put_cluster(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	struct err err = ERR_INIT;
	const char *state = json_text_at(q->body, "", "powerState", NULL);
	if (strcmp(state, "Stopped") != 0 && strcmp(state, "Running") != 0) {
		err_set(&err, ERR_INVALID, "powerState must be Stopped or Running");
		sim_control_refuse(r, &err);
		return;
	}
	sim_cluster_set_power(s, strcmp(state, "Running") == 0);
	done(r);
}

static bool foreign_pool_ok(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	struct sim_failure f = {0};
	struct err err = ERR_INIT;
	if (!sim_pool_check_name(q->parts[0]))
		err_set(&err, ERR_INVALID, "'%.60s' is no name of an agent pool: ^[a-z][a-z0-9]{0,11}$", q->parts[0]);
	else if (s->pools.count >= LIMIT_SIMULATOR_POOLS)
		err_set(&err, ERR_LIMIT, "there are %zu pools already", s->pools.count);
	else if (!sim_pool_check_body(s, q->parts[0], q->body, NULL, &f))
		err_set(&err, ERR_INVALID, "%s", f.message);
	else
		return true;
	sim_control_refuse(r, &err);
	return false;
}

static void put_pool(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	if (!q->body)
		q->body = json_pack("{s:{s:s}}", "properties", "vmSize", "Standard_D2s_v3");
	if (!foreign_pool_ok(s, q, r))
		return;
	struct sim_pool *p = sim_pools_put(s, q->parts[0], q->body, true);
	struct sim_node_job due = {.generation = p->generation};
	snprintf(due.owner, sizeof due.owner, "%s", p->name);
	p->operation = 0;
	sim_pools_set_state(s, p, SIM_POOL_SUCCEEDED);
	if (s->settings.join)
		sim_joiner_pool_due(s, &due);
	sim_reply_json(r, 200, json_incref(p->body));
}

/* Members of the properties are set as they are (null removes), whatever the service would say: another image, a state of its own. */
static void change_pool(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	struct sim_pool *p = sim_pools_find(s, q->parts[0]);
	const json_t *change = NULL;
	struct err err = ERR_INIT;
	int rc = json_get_object(q->body, "properties", "", &change, &err);
	if (rc == 0 && !change)
		rc = err_set(&err, ERR_INVALID, "give {\"properties\": {…}}");
	if (rc == 0 && !p)
		rc = err_set(&err, ERR_NOT_FOUND, "there is no pool '%.60s'", q->parts[0]);
	if (rc < 0) {
		sim_control_refuse(r, &err);
		return;
	}
	sim_pools_change(s, p, change);
	sim_joiner_sync(s, p);
	sim_reply_json(r, 200, json_incref(p->body));
}

static void delete_pool(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	struct sim_pool *p = sim_pools_find(s, q->parts[0]);
	struct err err = ERR_INIT;
	if (!p) {
		err_set(&err, ERR_NOT_FOUND, "there is no pool '%.60s'", q->parts[0]);
		sim_control_refuse(r, &err);
		return;
	}
	sim_joiner_leave(s, p);
	sim_pools_remove(s, p);
	done(r);
}

/* Lets time pass at once. */
static void advance_clock(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	struct err err = ERR_INIT;
	int64_t ms = 0;
	if (json_get_int_in(q->body, "advance_ms", "", 0, 1000LL * 86400 * 366, &ms, &err) < 0) {
		sim_control_refuse(r, &err);
		return;
	}
	sim_timers_advance(s, ms);
	sim_reply_json(r, 200, json_pack("{s:I, s:I}", "now_ms", (json_int_t)sim_timers_now_ms(s), "wall_s", (json_int_t)sim_timers_wall_s(s)));
}

static void change_tokens(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	struct err err = ERR_INIT;
	bool revoke = false, challenge = s->tokens.challenge[0] != 0, was = challenge;
	if (json_get_bool(q->body, "revoke", "", &revoke, &err) < 0 || json_get_bool(q->body, "challenge", "", &challenge, &err) < 0) {
		sim_control_refuse(r, &err);
		return;
	}
	if (revoke)
		sim_tokens_revoke(s);
	if (challenge && (!was || json_object_get(q->body, "challenge")))
		sim_routes_guid(s->tokens.challenge);
	else if (!challenge)
		s->tokens.challenge[0] = 0;
	done(r);
}

/* --- without the mutex: it talks to the API server -------------------------------------------------------------------------------- */

static void disturb_node(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	struct err err = ERR_INIT;
	const char *ready = NULL;
	bool vanish = false;
	int rc = json_get_string(q->body, "ready", "", &ready, &err) < 0 || json_get_bool(q->body, "vanish", "", &vanish, &err) < 0 ? -1 : 0;
	if (rc == 0 && vanish == (ready != NULL))
		rc = err_set(&err, ERR_INVALID, "give {\"ready\": \"True\"|\"False\"|\"Unknown\"} or {\"vanish\": true}");
	if (rc == 0 && ready && strcmp(ready, "True") != 0 && strcmp(ready, "False") != 0 && strcmp(ready, "Unknown") != 0)
		rc = err_set(&err, ERR_INVALID, "ready must be \"True\", \"False\" or \"Unknown\"");
	if (rc == 0)
		rc = sim_joiner_disturb(s, q->parts[0], ready, &err);
	if (rc < 0)
		sim_control_refuse(r, &err);
	else
		done(r);
}

/* --- routes ----------------------------------------------------------------------------------------------------------------------- */

struct route { enum sim_clouds clouds; const char *method, *path; sim_handler *handler; bool body, unlocked; };
/* To add one: a row, its handler, a paragraph in docs/simulator.md. A path that ends with '/' takes one more segment. */
static const struct route ROUTES[] = {
	{SIM_ON_ALL, "GET", "/_sim/calls", get_calls, false, false},
	{SIM_ON_ALL, "DELETE", "/_sim/calls", reset_calls, false, false},
	{SIM_ON_ALL, "POST", "/_sim/clock", advance_clock, true, false},
	{SIM_ON_AZURE, "PUT", "/_sim/cluster", put_cluster, true, false},
	{SIM_ON_ALL, "GET", "/_sim/environment", get_environment, false, false},
	{SIM_ON_AWS, "POST", "/_sim/instances", aws_sim_control_make, true, false},
	{SIM_ON_AWS, "POST", "/_sim/instances/", aws_sim_control_change, true, false},
	{SIM_ON_AWS, "DELETE", "/_sim/instances/", aws_sim_control_forget, false, false},
	{SIM_ON_ALL, "POST", "/_sim/nodes/", disturb_node, true, true},
	{SIM_ON_AZURE, "PUT", "/_sim/pools/", put_pool, false, false},
	{SIM_ON_AZURE, "POST", "/_sim/pools/", change_pool, true, false},
	{SIM_ON_AZURE, "DELETE", "/_sim/pools/", delete_pool, false, false},
	{SIM_ON_ALL, "GET", "/_sim/script", get_scripts, false, false},
	{SIM_ON_ALL, "POST", "/_sim/script", add_scripts, true, false},
	{SIM_ON_ALL, "DELETE", "/_sim/script", clear_scripts, false, false},
	{SIM_ON_ALL, "GET", "/_sim/settings", get_settings, false, false},
	{SIM_ON_ALL, "PUT", "/_sim/settings", put_settings, true, false},
	{SIM_ON_ALL, "GET", "/_sim/state", get_state, false, false},
	{SIM_ON_AZURE, "POST", "/_sim/tokens", change_tokens, true, false},
	{SIM_ON_AWS, "POST", "/_sim/tokens", aws_sim_control_tokens, true, false},
};

static const struct route *find(enum sim_clouds cloud, struct sim_request *q)
{
	for (size_t i = 0; i < sizeof ROUTES / sizeof ROUTES[0]; i++) {
		str want = str_of(ROUTES[i].path);
		bool more = want.data[want.len - 1] == '/';
		if (!(ROUTES[i].clouds & cloud) || !str_eqz(q->method, ROUTES[i].method) || !(more ? str_starts(q->path, want) && q->path.len > want.len : str_eq(q->path, want)))
			continue;
		if (more)
			q->parts[0] = arena_strdup(http_arena(q->x), str_sub(q->path, want.len, q->path.len));
		return &ROUTES[i];
	}
	return NULL;
}

void sim_control_answer(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	const struct route *t = find(s->cloud->bit, q);
	struct err err = ERR_INIT;
	if (!t) {
		err_set(&err, ERR_NOT_FOUND, "there is no such control request; docs/simulator.md lists them");
		sim_control_refuse(r, &err);
	} else if (t->body && !q->body) {
		err_set(&err, ERR_INVALID, "the request needs a JSON body");
		sim_control_refuse(r, &err);
	} else if (t->unlocked) {
		t->handler(s, q, r);
	} else {
		pthread_mutex_lock(&s->mu);
		t->handler(s, q, r);
		pthread_mutex_unlock(&s->mu);
	}
}

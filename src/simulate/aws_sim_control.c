/* aws_sim_control.c: what is AWS's own under /_sim/: its state, instances made, changed and taken away by somebody else, its tokens. */
#include "simulate/aws_sim.h"

#include "codec/json.h"
#include "kube/meta.h"
#include <stdio.h>

static void fail(struct sim_reply *r, enum err_kind kind, const char *text)
{
	struct err err = ERR_INIT;
	(void)err_set(&err, kind, "%s", text);
	sim_control_refuse(r, &err);
}

/* --- state ---------------------------------------------------------------------------------------------------------------- */

static json_t *instance_json(struct simulator *s, const struct aws_sim_instance *i)
{
	struct sim_node_job job = {.generation = i->number};
	char node[SIM_NODE_NAME] = "";
	if (i->node & SIM_IS_JOINED)
		s->cloud->nodes->name(s, &job, node);
	return json_pack("{s:s, s:s, s:s, s:s, s:b, s:O, s:s, s:s}", "state", aws_sim_instances_state_name(i->state), "type", i->type, "zone", i->zone, "market", i->spot ? "spot" : "on-demand",
			 "foreign", i->foreign, "tags", i->tags, "node", node, "never_joins", i->why);
}

json_t *aws_sim_control_state(struct simulator *s)
{
	json_t *instances = json_object(), *templates = json_array();
	struct map_entry e;
	for (size_t i = 0; map_next(&s->aws->instances, &i, &e);)
		json_object_set_new(instances, e.key.data, instance_json(s, e.value));
	for (size_t i = 0; map_next(&s->aws->templates, &i, &e);)
		json_array_append_new(templates, json_string(e.key.data));
	json_t *calls = sim_calls_counts(&s->calls);
	json_object_del(calls, "arm");
	json_object_del(calls, "conflicts");
	json_object_del(calls, "by_pool");
	return json_pack("{s:{s:s, s:s}, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:{s:I, s:I}}", "cluster", "name", s->cluster, "region", s->location, "created", (json_int_t)s->aws->created,
			 "launched", (json_int_t)s->aws->launched, "ended", (json_int_t)s->aws->ended, "alive", (json_int_t)aws_sim_instances_alive(s), "instances", instances, "launch_templates",
			 templates, "calls", calls, "budget", sim_budget_show(&s->budget, SIM_ON_AWS), "scripts", sim_script_show(&s->scripts), "tokens", "issued", (json_int_t)s->aws->issued,
			 "refused", (json_int_t)s->aws->refused);
}

/* --- instances ---------------------------------------------------------------------------------------------------------------- */

static json_t *read_tags(const json_t *body, struct err *err)
{
	const json_t *tags = NULL;
	const char *key;
	json_t *value;
	if (json_get_object(body, "tags", "", &tags, err) < 0)
		return NULL;
	json_object_foreach((json_t *)(uintptr_t)tags, key, value)
		if (!json_is_string(value))
			return (void)err_set(err, ERR_INVALID, "tags.%.60s must be a string", key), NULL;
	return tags ? json_deep_copy(tags) : json_object();
}

/* An instance that nobody asked EC2 for through this program; it joins with `joins`. */
void aws_sim_control_make(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	struct err err = ERR_INIT;
	char zone[64];
	const char *type = "m5.large", *in = NULL;
	bool spot = false, joins = false;
	aws_sim_network_zone(s, 0, zone);
	int rc = json_get_string(q->body, "type", "", &type, &err) < 0 || json_get_string(q->body, "zone", "", &in, &err) < 0 || json_get_bool(q->body, "spot", "", &spot, &err) < 0 ||
			 json_get_bool(q->body, "joins", "", &joins, &err) < 0 ? -1 : 0;
	json_t *tags = rc == 0 ? read_tags(q->body, &err) : NULL;
	if (tags && s->aws->instances.count >= LIMIT_SIMULATOR_MACHINES) {
		json_decref(tags);
		tags = NULL;
		(void)err_set(&err, ERR_LIMIT, "there are %zu instances already", s->aws->instances.count);
	}
	if (!tags) {
		sim_control_refuse(r, &err);
		return;
	}
	struct aws_sim_instance *i = aws_sim_instances_make(s, type, in ? in : zone, spot, tags);
	i->foreign = true;
	i->taints = joins ? json_array() : NULL;
	aws_sim_instances_start(s, i);
	i->listed_ms = 0;
	i->state = AWS_SIM_RUNNING;
	sim_reply_json(r, 200, json_pack("{s:s}", "id", i->id));
}

static void set_state(struct simulator *s, struct aws_sim_instance *i, const char *state, const json_t *reason)
{
	if (strcmp(state, "terminated") == 0)
		aws_sim_instances_end(s, i, json_text_at(reason, "Server.InternalError", "code", NULL), json_text_at(reason, "the simulator was told to", "message", NULL));
	else
		aws_sim_instances_power(s, i, strcmp(state, "running") == 0);
}

/* {"state": "stopped"|"running"|"terminated", "reason": {code, message}}; {"tags": {…}} adds tags. */
void aws_sim_control_change(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	struct aws_sim_instance *i = aws_sim_instances_find(s, q->parts[0]);
	struct err err = ERR_INIT;
	const char *state = NULL;
	CLEANUP(json_decrefp) json_t *tags = read_tags(q->body, &err);
	if (!tags || json_get_string(q->body, "state", "", &state, &err) < 0)
		sim_control_refuse(r, &err);
	else if (!i)
		fail(r, ERR_NOT_FOUND, "there is no such instance");
	else if (state && strcmp(state, "stopped") != 0 && strcmp(state, "running") != 0 && strcmp(state, "terminated") != 0)
		fail(r, ERR_INVALID, "state must be stopped, running or terminated");
	else if (state && !aws_sim_instances_is_alive(i))
		fail(r, ERR_CONFLICT, "the instance has ended");
	else {
		json_object_update(i->tags, tags);
		if (state)
			set_state(s, i, state, json_object_get(q->body, "reason"));
		sim_reply_json(r, 200, instance_json(s, i));
	}
}

void aws_sim_control_forget(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	struct aws_sim_instance *i = aws_sim_instances_find(s, q->parts[0]);
	if (!i) {
		fail(r, ERR_NOT_FOUND, "there is no such instance");
		return;
	}
	aws_sim_instances_forget(s, i);
	sim_reply_json(r, 200, json_pack("{s:b}", "ok", 1));
}

void aws_sim_control_tokens(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	if (!json_is_true(json_object_get(q->body, "revoke"))) {
		fail(r, ERR_INVALID, "give {\"revoke\": true}");
		return;
	}
	aws_sim_keys_revoke(s);
	sim_reply_json(r, 200, json_pack("{s:b}", "ok", 1));
}

/* aws_sim_instances.c: EC2 instances: made pending, listed a while later, running, shutting down, terminated, and still listed for a while. What
 * is due when is kept as times in the instance; each of them has a timer, which looks at all. */
#include "simulate/aws_sim.h"

#include "codec/json.h"
#include <inttypes.h>
#include <stdio.h>

static const struct { const char *name; int code; } STATES[AWS_SIM_STATES] = {
	[AWS_SIM_PENDING] = {"pending", 0}, [AWS_SIM_RUNNING] = {"running", 16}, [AWS_SIM_SHUTTING_DOWN] = {"shutting-down", 32},
	[AWS_SIM_TERMINATED] = {"terminated", 48}, [AWS_SIM_STOPPING] = {"stopping", 64}, [AWS_SIM_STOPPED] = {"stopped", 80},
};
const char *aws_sim_instances_state_name(enum aws_sim_state state) { return STATES[state].name; }

/* --- life ------------------------------------------------------------------------------------------------------------- */

void aws_sim_instances_id(uint64_t number, char out[AWS_SIM_ID]) { snprintf(out, AWS_SIM_ID, "i-0%016" PRIx64, number * 0x9e3779b97f4a7c15u); }
struct aws_sim_instance *aws_sim_instances_find(struct simulator *s, const char *id) { return map_get(&s->aws->instances, str_of(id)); }
bool aws_sim_instances_is_alive(const struct aws_sim_instance *i) { return i->state != AWS_SIM_SHUTTING_DOWN && i->state != AWS_SIM_TERMINATED; }

void aws_sim_instances_free(void *instance)
{
	struct aws_sim_instance *i = instance;
	json_decref(i->tags);
	json_decref(i->taints);
	free(i->reason_text);
	free(i->client_token);
	free(i);
}

struct aws_sim_instance *aws_sim_instances_make(struct simulator *s, const char *type, const char *zone, bool spot, json_t *tags)
{
	struct aws_sim_instance *i = mem_alloc(sizeof *i);
	i->number = ++s->aws->last;
	aws_sim_instances_id(i->number, i->id);
	snprintf(i->type, sizeof i->type, "%s", type);
	snprintf(i->zone, sizeof i->zone, "%s", zone);
	i->spot = spot;
	i->tags = tags;
	i->disk_gib = 100;
	i->launched_s = sim_timers_wall_s(s);
	s->aws->created++;
	map_put(&s->aws->instances, str_of(i->id), i);
	return i;
}

void aws_sim_instances_start(struct simulator *s, struct aws_sim_instance *i)
{
	int64_t now = sim_timers_now_ms(s);
	i->listed_ms = now + s->settings.list_delay_ms;
	i->run_ms = now + s->settings.create_ms;
	i->join_ms = i->run_ms - s->settings.join_ms > now ? i->run_ms - s->settings.join_ms : now;
	i->left = !s->settings.join || !i->taints;
	sim_timers_finish(s, i->run_ms, i->number);
	sim_timers_finish(s, i->join_ms, i->number);
}

static void send_job(struct simulator *s, const struct aws_sim_instance *i, enum sim_node_work work)
{
	struct sim_node_job job = {.work = work, .generation = i->number};
	snprintf(job.owner, sizeof job.owner, "%s", i->id);
	sim_joiner_add(s, &job);
}

static void leave(struct simulator *s, struct aws_sim_instance *i)
{
	if (i->node & SIM_IS_JOINED)
		send_job(s, i, SIM_NODE_DELETE);
	i->node = 0;
	i->left = true;
}

void aws_sim_instances_end(struct simulator *s, struct aws_sim_instance *i, const char *reason, const char *text)
{
	if (!aws_sim_instances_is_alive(i))
		return;
	i->state = AWS_SIM_SHUTTING_DOWN;
	i->gone_ms = sim_timers_now_ms(s) + s->settings.delete_ms;
	i->forget_ms = i->gone_ms + s->settings.keep_ms;
	snprintf(i->reason, sizeof i->reason, "%s", reason);
	free(i->reason_text);
	i->reason_text = mem_strdup(text);
	s->aws->ended++;
	sim_timers_finish(s, i->gone_ms, i->number);
	sim_timers_finish(s, i->forget_ms, i->number);
}

void aws_sim_instances_power(struct simulator *s, struct aws_sim_instance *i, bool on)
{
	i->state = on ? AWS_SIM_RUNNING : AWS_SIM_STOPPED;
	if (!(i->node & SIM_IS_JOINED))
		return;
	i->node = (uint8_t)(on ? i->node & ~SIM_IS_DOWN : i->node | SIM_IS_DOWN);
	send_job(s, i, on ? SIM_NODE_READY : SIM_NODE_DOWN);
}

void aws_sim_instances_forget(struct simulator *s, struct aws_sim_instance *i)
{
	leave(s, i);
	map_remove(&s->aws->instances, str_of(i->id));
}

void aws_sim_instances_due(struct simulator *s, uint64_t number)
{
	char id[AWS_SIM_ID];
	aws_sim_instances_id(number, id);
	struct aws_sim_instance *i = aws_sim_instances_find(s, id);
	int64_t now = sim_timers_now_ms(s);
	if (!i)
		return;
	if (i->state == AWS_SIM_PENDING && now >= i->run_ms)
		i->state = AWS_SIM_RUNNING;
	if (!i->left && !i->node && now >= i->join_ms && (i->state == AWS_SIM_PENDING || i->state == AWS_SIM_RUNNING)) {
		i->node = SIM_IS_JOINED;
		send_job(s, i, SIM_NODE_JOIN);
	}
	if (i->state == AWS_SIM_SHUTTING_DOWN && now >= i->gone_ms) {
		i->state = AWS_SIM_TERMINATED;
		leave(s, i);
	}
	if (i->state == AWS_SIM_TERMINATED && now >= i->forget_ms)
		aws_sim_instances_forget(s, i);
}

size_t aws_sim_instances_alive(const struct simulator *s)
{
	struct map_entry e;
	size_t n = 0;
	for (size_t i = 0; map_next(&s->aws->instances, &i, &e);)
		n += aws_sim_instances_is_alive(e.value);
	return n;
}

/* --- DescribeInstances -------------------------------------------------------------------------------------------------- */

static void put_state(struct buf *xml, const char *name, enum aws_sim_state state)
{
	buf_printf(xml, "<%s><code>%d</code><name>%s</name></%s>", name, STATES[state].code, STATES[state].name, name);
}

static void put_instance(struct aws_sim_call *c, const struct aws_sim_instance *i)
{
	struct buf *xml = &c->xml;
	buf_printf(xml, "<item><reservationId>r-0%016" PRIx64 "</reservationId><ownerId>000000000000</ownerId><groupSet/><instancesSet><item>", i->number);
	aws_sim_answer_put(xml, "instanceId", i->id);
	aws_sim_answer_put(xml, "imageId", i->image);
	put_state(xml, "instanceState", i->state);
	if (i->reason[0]) {
		buf_puts(xml, "<stateReason>");
		aws_sim_answer_put(xml, "code", i->reason);
		aws_sim_answer_put(xml, "message", i->reason_text ? i->reason_text : "");
		buf_puts(xml, "</stateReason>");
	}
	aws_sim_answer_put(xml, "instanceType", i->type);
	aws_sim_answer_put_time(xml, "launchTime", i->launched_s);
	buf_puts(xml, "<placement>");
	aws_sim_answer_put(xml, "availabilityZone", i->zone);
	buf_puts(xml, "<tenancy>default</tenancy></placement>");
	aws_sim_answer_put(xml, "subnetId", i->subnet);
	if (i->spot)
		aws_sim_answer_put(xml, "instanceLifecycle", "spot");
	if (i->client_token)
		aws_sim_answer_put(xml, "clientToken", i->client_token);
	aws_sim_answer_put_tags(xml, i->tags);
	buf_puts(xml, "</item></instancesSet></item>");
}

static bool asked_for(const struct aws_sim_form *form, const char *id)
{
	const char *want;
	int n = 1;
	for (; (want = aws_sim_form_get(form, "InstanceId.%d", n)); n++)
		if (strcmp(want, id) == 0)
			return true;
	return n == 1;
}

static bool is_listed(struct simulator *s, const struct aws_sim_instance *i) { return i && i->listed_ms <= sim_timers_now_ms(s); }

/* Whether all that are named are there; else the refusal. */
static bool all_there(struct simulator *s, struct aws_sim_call *c)
{
	const char *id;
	int n = 1;
	for (; (id = aws_sim_form_get(c->form, "InstanceId.%d", n)); n++) {
		if (is_listed(s, aws_sim_instances_find(s, id)))
			continue;
		bool formed = strncmp(id, "i-", 2) == 0 && strspn(id + 2, "0123456789abcdef") == strlen(id) - 2;
		sim_errors_set(&c->f, 400, formed ? "InvalidInstanceID.NotFound" : "InvalidInstanceID.Malformed", formed ? "The instance ID '%.60s' does not exist" : "Invalid id: \"%.60s\"", id);
		return false;
	}
	return true;
}

static bool passes(struct simulator *s, struct aws_sim_call *c, const struct aws_sim_instance *i)
{
	if (!is_listed(s, i) || !asked_for(c->form, i->id))
		return false;
	if (!aws_sim_form_get(c->form, "Filter.1.Name"))
		return true;
	CLEANUP(json_decrefp) json_t *fields =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "instance-id", i->id, "instance-state-name", STATES[i->state].name, "instance-type", i->type, "availability-zone", i->zone, "subnet-id",
			  i->subnet, "image-id", i->image, "client-token", i->client_token ? i->client_token : "");
	return aws_sim_filter_passes(c->form, i->tags, fields, &c->f);
}

/* 0: MaxResults is not there. -1: it is wrong. */
static int64_t page_size(struct aws_sim_call *c, int64_t *after)
{
	const char *max = aws_sim_form_get(c->form, "MaxResults"), *next = aws_sim_form_get(c->form, "NextToken");
	int64_t n = 0;
	if (max && (!str_to_i64(str_of(max), &n) || n < 5 || n > 1000 || aws_sim_form_get(c->form, "InstanceId.1")))
		sim_errors_set(&c->f, 400, "InvalidParameterValue", "Value ( %.20s ) for parameter maxResults is invalid: 5 to 1000, and not with instance ids.", max);
	else if (next && !str_to_i64(str_of(next), after))
		sim_errors_set(&c->f, 400, "InvalidNextToken", "The token '%.60s' is invalid", next);
	else
		return n;
	return -1;
}

void aws_sim_instances_describe(struct simulator *s, struct aws_sim_call *c)
{
	struct map_entry e;
	int64_t after = 0, size = page_size(c, &after), shown = 0;
	if (size < 0 || !all_there(s, c))
		return;
	buf_puts(&c->xml, "<reservationSet>");
	uint64_t last = 0;
	bool more = false;
	for (size_t at = 0; map_next(&s->aws->instances, &at, &e);) {
		const struct aws_sim_instance *i = e.value;
		if (i->number <= (uint64_t)after || !passes(s, c, i))
			continue;
		more = size && shown == size;
		if (more)
			break;
		put_instance(c, i);
		last = i->number;
		shown++;
	}
	buf_puts(&c->xml, "</reservationSet>");
	if (more)
		buf_printf(&c->xml, "<nextToken>%" PRIu64 "</nextToken>", last);
}

/* --- TerminateInstances, CreateTags ---------------------------------------------------------------------------------------- */

void aws_sim_instances_terminate(struct simulator *s, struct aws_sim_call *c)
{
	const char *id;
	if (!aws_sim_form_get(c->form, "InstanceId.1"))
		sim_errors_set(&c->f, 400, "MissingParameter", "The request must contain the parameter InstanceId");
	if (c->f.status || !all_there(s, c))
		return;
	buf_puts(&c->xml, "<instancesSet>");
	for (int n = 1; (id = aws_sim_form_get(c->form, "InstanceId.%d", n)); n++) {
		struct aws_sim_instance *i = aws_sim_instances_find(s, id);
		enum aws_sim_state before = i->state;
		aws_sim_instances_end(s, i, "Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown");
		buf_puts(&c->xml, "<item>");
		aws_sim_answer_put(&c->xml, "instanceId", id);
		put_state(&c->xml, "currentState", i->state);
		put_state(&c->xml, "previousState", before);
		buf_puts(&c->xml, "</item>");
	}
	buf_puts(&c->xml, "</instancesSet>");
}

void aws_sim_instances_tag(struct simulator *s, struct aws_sim_call *c)
{
	const char *id;
	for (int n = 1; (id = aws_sim_form_get(c->form, "ResourceId.%d", n)); n++)
		if (!is_listed(s, aws_sim_instances_find(s, id))) {
			sim_errors_set(&c->f, 400, "InvalidInstanceID.NotFound", "The instance ID '%.60s' does not exist", id);
			return;
		}
	for (int n = 1; (id = aws_sim_form_get(c->form, "ResourceId.%d", n)); n++)
		aws_sim_form_tags(c->form, "Tag", aws_sim_instances_find(s, id)->tags);
	buf_puts(&c->xml, "<return>true</return>");
}

/* aws_sim_answer.c: from a request to its answer: the table of actions, what happens to every request in the service's order (scripts,
 * signature, pace, permission), and the XML around it. */
#include "simulate/aws_sim.h"

#include "base/clock.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <stdio.h>

struct action { const char *name; enum aws_sim_service service; enum sim_class class; void (*answer)(struct simulator *s, struct aws_sim_call *c); };
/* To add one: a row, its class in sim_budget.c, a line in docs/simulator.md. */
static const struct action ACTIONS[] = {
	{"AssumeRoleWithWebIdentity", AWS_SIM_STS, SIM_STS, aws_sim_keys_assume},
	{"CreateFleet", AWS_SIM_EC2, SIM_EC2_CREATE_FLEET, aws_sim_fleet_create},
	{"CreateLaunchTemplate", AWS_SIM_EC2, SIM_EC2_CREATE_TEMPLATE, aws_sim_templates_create},
	{"CreateTags", AWS_SIM_EC2, SIM_EC2_CREATE_TAGS, aws_sim_instances_tag},
	{"DeleteLaunchTemplate", AWS_SIM_EC2, SIM_EC2_DELETE_TEMPLATE, aws_sim_templates_delete},
	{"DescribeInstances", AWS_SIM_EC2, SIM_EC2_INSTANCES, aws_sim_instances_describe},
	{"DescribeLaunchTemplates", AWS_SIM_EC2, SIM_EC2_TEMPLATES, aws_sim_templates_describe},
	{"DescribeSecurityGroups", AWS_SIM_EC2, SIM_EC2_GROUPS, aws_sim_network_groups},
	{"DescribeSubnets", AWS_SIM_EC2, SIM_EC2_SUBNETS, aws_sim_network_subnets},
	{"RunInstances", AWS_SIM_EC2, SIM_EC2_RUN, aws_sim_fleet_run},
	{"TerminateInstances", AWS_SIM_EC2, SIM_EC2_TERMINATE, aws_sim_instances_terminate},
};
static const struct { const char *name, *version, *space; } SERVICES[] = {
	[AWS_SIM_EC2] = {"ec2", "2016-11-15", "http://ec2.amazonaws.com/doc/2016-11-15/"},
	[AWS_SIM_STS] = {"sts", "2011-06-15", "https://sts.amazonaws.com/doc/2011-06-15/"},
	[AWS_SIM_SSM] = {"ssm", "", ""},
	[AWS_SIM_METADATA] = {"", "", ""},
};

/* --- XML --------------------------------------------------------------------------------------------------------------- */

static void put_text(struct buf *xml, const char *text)
{
	for (; *text; text++) {
		const char *entity = *text == '&' ? "&amp;" : *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : *text == '"' ? "&quot;" : NULL;
		if (entity)
			buf_puts(xml, entity);
		else
			buf_putc(xml, (unsigned char)*text < 0x20 ? ' ' : *text);
	}
}

void aws_sim_answer_put(struct buf *xml, const char *name, const char *text)
{
	buf_printf(xml, "<%s>", name);
	put_text(xml, text);
	buf_printf(xml, "</%s>", name);
}

void aws_sim_answer_put_time(struct buf *xml, const char *name, int64_t unix_s)
{
	char at[32];
	clock_rfc3339(unix_s, at);
	at[strlen(at) - 1] = 0; /* times of AWS have a fraction */
	buf_printf(xml, "<%s>%s.000Z</%s>", name, at, name);
}

void aws_sim_answer_put_tags(struct buf *xml, const json_t *tags)
{
	const char *key;
	json_t *value;
	buf_puts(xml, "<tagSet>");
	json_object_foreach((json_t *)(uintptr_t)tags, key, value) {
		buf_puts(xml, "<item>");
		aws_sim_answer_put(xml, "key", key);
		aws_sim_answer_put(xml, "value", json_string_value(value));
		buf_puts(xml, "</item>");
	}
	buf_puts(xml, "</tagSet>");
}

static void reply_xml(struct sim_reply *r, int status, const struct buf *xml)
{
	buf_clear(&r->body);
	buf_puts(&r->body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	buf_put_str(&r->body, buf_str(xml));
	r->status = status;
	r->type = "text/xml;charset=UTF-8";
}

static void refuse(struct simulator *s, enum aws_sim_service service, const struct sim_failure *f, struct sim_reply *r)
{
	CLEANUP(buf_done) struct buf xml = {0};
	char id[SIM_GUID];
	sim_routes_guid(id);
	s->calls.throttled += f->status == 503;
	if (service == AWS_SIM_SSM) {
		sim_reply_json(r, f->status, json_pack("{s:s, s:s}", "__type", f->code, "message", f->message));
		return;
	}
	buf_printf(&xml, service == AWS_SIM_EC2 ? "<Response><Errors><Error>" : "<ErrorResponse xmlns=\"%s\"><Error><Type>Sender</Type>", SERVICES[service].space);
	aws_sim_answer_put(&xml, "Code", f->code);
	aws_sim_answer_put(&xml, "Message", f->message);
	buf_puts(&xml, service == AWS_SIM_EC2 ? "</Error></Errors>" : "</Error>");
	aws_sim_answer_put(&xml, service == AWS_SIM_EC2 ? "RequestID" : "RequestId", id);
	buf_puts(&xml, service == AWS_SIM_EC2 ? "</Response>" : "</ErrorResponse>");
	reply_xml(r, f->status, &xml);
}

static void give(const struct action *a, const struct aws_sim_call *c, struct sim_reply *r)
{
	CLEANUP(buf_done) struct buf xml = {.max = SIZE_MAX / 2};
	char id[SIM_GUID];
	sim_routes_guid(id);
	buf_printf(&xml, "<%sResponse xmlns=\"%s\">", a->name, SERVICES[a->service].space);
	if (a->service == AWS_SIM_EC2)
		aws_sim_answer_put(&xml, "requestId", id);
	buf_put_str(&xml, buf_str(&c->xml));
	if (a->service == AWS_SIM_STS)
		buf_printf(&xml, "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata>", id);
	buf_printf(&xml, "</%sResponse>", a->name);
	reply_xml(r, 200, &xml);
}

/* --- what every request passes ------------------------------------------------------------------------------------------ */

static bool is_denied(const struct simulator *s, const char *action)
{
	str list = str_of(s->settings.denied);
	for (size_t from = 0; from < list.len;) {
		size_t end = str_find(list, ',', from);
		if (str_eqz(str_trim(str_sub(list, from, end)), action))
			return true;
		from = end + 1;
	}
	return false;
}

/* STS knows its callers by what they bring. */
static bool may_pass(struct simulator *s, enum aws_sim_service service, const char *action, struct aws_sim_call *c)
{
	int64_t retry_s = 0;
	if (service != AWS_SIM_STS && s->settings.auth && !aws_sim_signature_check(s, c->q, SERVICES[service].name, &c->f)) {
		s->aws->refused++;
		return false;
	}
	if (sim_budget_take(&s->budget, c->q->class, NULL, c->q->now_ms, s->settings.throttle, &retry_s) && s->settings.throttle)
		sim_errors_set(&c->f, 503, service == AWS_SIM_EC2 ? "RequestLimitExceeded" : "ThrottlingException", "Request limit exceeded.");
	else if (is_denied(s, action))
		sim_errors_set(&c->f, service == AWS_SIM_SSM ? 400 : 403, service == AWS_SIM_EC2 ? "UnauthorizedOperation" : "AccessDeniedException", "You are not authorized to perform this operation.");
	else
		return true;
	return false;
}

static void answer_query(struct simulator *s, const struct action *a, struct aws_sim_call *c, struct sim_reply *r)
{
	const char *version = aws_sim_form_get(c->form, "Version");
	enum aws_sim_service service = a ? a->service : AWS_SIM_EC2;
	if (!a || !version || strcmp(version, SERVICES[service].version) != 0)
		sim_errors_set(&c->f, 400, c->action[0] ? "InvalidAction" : "MissingAction", "The action %.60s is not valid for this web service version.", c->action);
	else if (may_pass(s, service, c->action, c))
		a->answer(s, c);
	if (c->f.status)
		refuse(s, service, &c->f, r);
	else
		give(a, c, r);
}

static void answer_parameter(struct simulator *s, struct aws_sim_call *c, struct sim_reply *r)
{
	if (strcmp(c->action, "GetParameter") != 0)
		sim_errors_set(&c->f, 400, "UnknownOperationException", "%.60s", c->action);
	else if (may_pass(s, AWS_SIM_SSM, c->action, c)) {
		aws_sim_network_parameter(s, c->q, r);
		return;
	}
	refuse(s, AWS_SIM_SSM, &c->f, r);
}

static void answer_metadata(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	if (aws_sim_keys_answer(s, q, r))
		return;
	r->status = 404;
	r->type = "text/plain";
	buf_puts(&r->body, "nothing is here\n");
}

/* --- one request -------------------------------------------------------------------------------------------------------- */

static const struct action *find(const char *name)
{
	for (size_t i = 0; i < sizeof ACTIONS / sizeof ACTIONS[0]; i++)
		if (strcmp(ACTIONS[i].name, name) == 0)
			return &ACTIONS[i];
	return NULL;
}

/* A script's {code, message} with a status is a refusal in the service's own shape. */
static void refuse_scripted(struct simulator *s, enum aws_sim_service service, struct sim_effect *e, struct sim_reply *r)
{
	struct sim_failure f = {0};
	if (!e->operation_error || e->body || e->action != SIM_REPLY)
		return;
	sim_errors_set(&f, e->status < 400 ? 400 : e->status, json_text_at(e->operation_error, "", "code", NULL), "%s", json_text_at(e->operation_error, "", "message", NULL));
	refuse(s, service, &f, r);
}

/* Requests are logged and scripted by their action, as their path is always the same: "/CreateFleet". */
static enum aws_sim_service classify(struct sim_request *q, const struct aws_sim_form *form, struct aws_sim_call *c, const struct action **a)
{
	const char *target = http_header(q->x, "X-Amz-Target"), *action = aws_sim_form_get(form, "Action");
	if (!str_eqz(q->method, "POST") || !str_eqz(q->path, "/")) {
		q->class = SIM_METADATA;
		return AWS_SIM_METADATA;
	}
	c->action = target && strncmp(target, "AmazonSSM.", 10) == 0 ? target + 10 : action ? action : "";
	*a = find(c->action);
	q->class = target ? SIM_SSM : *a ? (*a)->class : SIM_EC2_OTHER;
	q->path = str_of(arena_printf(http_arena(q->x), "/%.60s", c->action));
	return target ? AWS_SIM_SSM : *a ? (*a)->service : AWS_SIM_EC2;
}

void aws_sim_answer_request(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	CLEANUP(aws_sim_form_done) struct aws_sim_form form = {0};
	struct aws_sim_call c = {.q = q, .form = &form, .action = "", .xml.max = SIZE_MAX / 2};
	const struct action *a = NULL;
	struct err bad = ERR_INIT;
	int read = q->body ? 0 : aws_sim_form_read(&form, http_body(q->x), &bad);
	enum aws_sim_service service = classify(q, &form, &c, &a);
	if (sim_exchange_scripted(s, q, q->path, service == AWS_SIM_METADATA ? 0 : s->settings.delay_ms, r)) {
		refuse_scripted(s, service, &q->effect, r);
	} else if (service == AWS_SIM_METADATA) {
		answer_metadata(s, q, r);
	} else if (service == AWS_SIM_SSM) {
		answer_parameter(s, &c, r);
	} else if (read < 0) {
		sim_errors_set(&c.f, 400, "MalformedQueryString", "%s", bad.message);
		refuse(s, service, &c.f, r);
	} else {
		answer_query(s, a, &c, r);
	}
	buf_done(&c.xml);
	json_decref(c.f.details);
}

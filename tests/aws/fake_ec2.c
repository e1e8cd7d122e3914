/* fake_ec2.c: see fake_ec2.h. */
#include "fake_ec2.h"

#include "aws/fleet_request.h"
#include "aws/machine.h"
#include "base/clock.h"
#include "http/server.h"
#include "kube/meta.h"
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct fault { char action[40], code[80], message[300]; int times, status; enum fake_ec2_fault kind; };
struct made { char id[24], token[80], form_hash[600], state[20], reason[100], type[40], zone[20], cluster[64], claim[100], uid[80]; bool spot, hidden, gone; };
static struct {
	pthread_mutex_t mu;
	struct http_server *server;
	struct fault faults[16];
	size_t n_faults;
	struct made made[64];
	size_t n_made, requested, n_templates, page, n_sold_out;
	char templates[16][64], sold_out[16][80];
	int hidden_lists, lifetime_s, refuse_keys, refuse_status;
	bool slow_end;
	char refuse_body[300], key_id[40];
	struct buf log;  /* "ACTION\n" */
	char last[32][2][16384];
	size_t n_last;
	char headers[6][2000];
} f = {.mu = PTHREAD_MUTEX_INITIALIZER};

static const char *const HEADERS[] = {"authorization", "x-amz-security-token", "x-aws-ec2-metadata-token", "x-amz-target", "content-type", "x-amz-date"};
static const struct { const char *id, *zone, *free; } SUBNETS[] = {{"subnet-0a", "us-east-1a", "100"}, {"subnet-0a2", "us-east-1a", "10"}, {"subnet-0b", "us-east-1b", "100"}};

/* --- replies ------------------------------------------------------------------------------------------------------- */

static int refuse(struct http_exchange *x, int status, const char *code, const char *message)
{
	CLEANUP(mem_freep) char *body = mem_printf("<?xml version=\"1.0\"?><Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>r</RequestID></Response>", code, message);
	return http_reply(x, status, "text/xml", str_of(body));
}

static int give(struct http_exchange *x, const char *action, struct buf *content)
{
	CLEANUP(mem_freep) char *body =
		mem_printf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%sResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\n  <requestId>r</requestId>\n%s</%sResponse>", action,
			   content->data ? content->data : "", action);
	buf_done(content);
	return http_reply(x, 200, "text/xml", str_of(body));
}

/* --- instances ------------------------------------------------------------------------------------------------------- */

static bool is_sold_out(const char *type, const char *zone, bool spot)
{
	char exact[100], any[100];
	snprintf(exact, sizeof exact, "%s/%s/%s", type, zone, spot ? "spot" : "on-demand");
	snprintf(any, sizeof any, "%s//%s", type, spot ? "spot" : "on-demand");
	for (size_t i = 0; i < f.n_sold_out; i++)
		if (strcmp(f.sold_out[i], exact) == 0 || strcmp(f.sold_out[i], any) == 0)
			return true;
	return false;
}

static void tag_value(const char *form, const char *key, char *out, size_t size)
{
	out[0] = 0;
	for (int n = 1; n < 12; n++) {
		char name[60];
		snprintf(name, sizeof name, "TagSpecification.1.Tag.%d.Key", n);
		CLEANUP(mem_freep) char *k = fleet_request_field(form, name);
		snprintf(name, sizeof name, "TagSpecification.1.Tag.%d.Value", n);
		CLEANUP(mem_freep) char *v = fleet_request_field(form, name);
		if (k && strcmp(k, key) == 0)
			snprintf(out, size, "%s", v);
	}
}

static struct made *make(const char *form, const char *token, const char *type, const char *zone, bool spot)
{
	struct made *m = &f.made[f.n_made++];
	*m = (struct made){.spot = spot, .hidden = f.hidden_lists > 0};
	f.requested++;
	snprintf(m->id, sizeof m->id, "i-%017zx", f.n_made);
	snprintf(m->token, sizeof m->token, "%s", token);
	snprintf(m->form_hash, sizeof m->form_hash, "%zu/%.500s", strlen(form), form);
	snprintf(m->type, sizeof m->type, "%s", type);
	snprintf(m->zone, sizeof m->zone, "%s", zone);
	snprintf(m->state, sizeof m->state, "pending");
	tag_value(form, MACHINE_TAG_CLUSTER, m->cluster, sizeof m->cluster);
	tag_value(form, MACHINE_TAG_CLAIM, m->claim, sizeof m->claim);
	tag_value(form, MACHINE_TAG_UID, m->uid, sizeof m->uid);
	return m;
}

struct wish { const char *form, *token; bool spot; struct made *made; struct buf errors; };

static void fulfil(void *context, const char *type, const char *zone)
{
	struct wish *w = context;
	if (w->made)
		return;
	if (!is_sold_out(type, zone, w->spot))
		w->made = make(w->form, w->token, type, zone, w->spot);
	else
		buf_printf(&w->errors, "<item><errorCode>InsufficientInstanceCapacity</errorCode><errorMessage>We currently do not have sufficient %s capacity in %s.</errorMessage>"
			   "<launchTemplateAndOverrides><overrides><instanceType>%s</instanceType><availabilityZone>%s</availabilityZone></overrides></launchTemplateAndOverrides></item>",
			   type, zone, type, zone);
}

static bool template_known(const char *form)
{
	CLEANUP(mem_freep) char *name = fleet_request_template(form);
	for (size_t i = 0; name && i < f.n_templates; i++)
		if (strcmp(f.templates[i], name) == 0)
			return true;
	return false;
}

static int make_instance(struct http_exchange *x, const char *action, const char *form)
{
	bool fleet = fleet_request_is_fleet(form);
	CLEANUP(mem_freep) char *token = fleet_request_field(form, "ClientToken");
	CLEANUP(mem_freep) char *capacity = fleet_request_field(form, fleet ? "TargetCapacitySpecification.DefaultTargetCapacityType" : "InstanceMarketOptions.MarketType");
	struct wish w = {.form = form, .token = token, .spot = capacity && strcmp(capacity, "spot") == 0};
	char hash[600];
	struct buf out = {0};
	snprintf(hash, sizeof hash, "%zu/%.500s", strlen(form), form);
	if (!template_known(form))
		return refuse(x, 400, "InvalidLaunchTemplateName.NotFoundException", "no such template");
	for (size_t i = 0; i < f.n_made; i++)
		if (strcmp(f.made[i].token, token) == 0) {
			if (strcmp(f.made[i].form_hash, hash) != 0)
				return refuse(x, 400, "IdempotentParameterMismatch", "another request");
			w.made = &f.made[i];
		}
	if (!w.made)
		fleet_request_each(form, fulfil, &w);
	if (!w.made && !fleet) {
		buf_done(&w.errors);
		return refuse(x, 500, "InsufficientInstanceCapacity", "We currently do not have sufficient capacity.");
	}
	if (w.made && fleet)
		buf_printf(&out, "<fleetId>fleet-1</fleetId><errorSet/><fleetInstanceSet><item><instanceIds><item>%s</item></instanceIds><instanceType>%s</instanceType></item></fleetInstanceSet>", w.made->id,
			   w.made->type);
	else if (w.made)
		buf_printf(&out, "<instancesSet><item><instanceId>%s</instanceId></item></instancesSet>", w.made->id);
	else
		buf_printf(&out, "<fleetId>fleet-1</fleetId><errorSet>%s</errorSet><fleetInstanceSet/>", w.errors.data ? w.errors.data : "");
	buf_done(&w.errors);
	return give(x, action, &out);
}

static void put_instance(struct buf *out, const struct made *m)
{
	buf_printf(out, "<item><reservationId>r-1</reservationId><instancesSet><item><instanceId>%s</instanceId><imageId>ami-1</imageId><instanceState><code>0</code><name>%s</name></instanceState>"
		   "<stateReason><code>%s</code><message>why</message></stateReason><instanceType>%s</instanceType><launchTime>2026-11-24T08:00:00.000Z</launchTime><placement><availabilityZone>%s</availabilityZone>"
		   "</placement>%s<tagSet><item><key>" MACHINE_TAG_CLUSTER "</key><value>%s</value></item><item><key>" MACHINE_TAG_CLAIM "</key><value>%s</value></item>"
		   "<item><key>" MACHINE_TAG_UID "</key><value>%s</value></item></tagSet></item></instancesSet></item>",
		   m->id, m->state, m->reason, m->type, m->zone, m->spot ? "<instanceLifecycle>spot</instanceLifecycle>" : "", m->cluster, m->claim, m->uid);
}

static int describe_one(struct http_exchange *x, const char *id)
{
	struct buf out = {0};
	for (size_t i = 0; i < f.n_made; i++)
		if (strcmp(f.made[i].id, id) == 0 && !f.made[i].gone) {
			buf_puts(&out, "<reservationSet>");
			put_instance(&out, &f.made[i]);
			buf_puts(&out, "</reservationSet>");
			return give(x, "DescribeInstances", &out);
		}
	return refuse(x, 400, "InvalidInstanceID.NotFound", "The instance ID does not exist");
}

static int describe(struct http_exchange *x, const char *action, const char *form)
{
	CLEANUP(mem_freep) char *id = fleet_request_field(form, "InstanceId.1"), *next = fleet_request_field(form, "NextToken");
	size_t from = next ? (size_t)strtoul(next, NULL, 10) : 0, shown = 0, i = from;
	struct buf out = {0};
	if (id)
		return describe_one(x, id);
	bool hide = f.hidden_lists > 0;
	f.hidden_lists -= hide;
	buf_puts(&out, "<reservationSet>");
	for (; i < f.n_made && (f.page == 0 || shown < f.page); i++)
		if (!f.made[i].gone && !(hide && f.made[i].hidden)) {
			put_instance(&out, &f.made[i]);
			shown++;
		}
	buf_puts(&out, "</reservationSet>");
	if (i < f.n_made)
		buf_printf(&out, "<nextToken>%zu</nextToken>", i);
	return give(x, action, &out);
}

static int terminate(struct http_exchange *x, const char *action, const char *form)
{
	struct buf out = {0};
	for (int n = 1;; n++) {
		char name[32];
		snprintf(name, sizeof name, "InstanceId.%d", n);
		CLEANUP(mem_freep) char *id = fleet_request_field(form, name);
		bool found = false;
		if (!id)
			return give(x, action, &out);
		for (size_t i = 0; i < f.n_made; i++)
			if (strcmp(f.made[i].id, id) == 0 && !f.made[i].gone) {
				snprintf(f.made[i].state, sizeof f.made[i].state, f.slow_end ? "shutting-down" : "terminated");
				found = true;
			}
		if (!found) {
			buf_done(&out);
			return refuse(x, 400, "InvalidInstanceID.NotFound", "The instance ID does not exist");
		}
	}
}

/* --- the rest -------------------------------------------------------------------------------------------------------- */

static int make_template(struct http_exchange *x, const char *action, const char *form)
{
	CLEANUP(mem_freep) char *name = fleet_request_field(form, "LaunchTemplateName");
	struct buf out = {0};
	for (size_t i = 0; i < f.n_templates; i++)
		if (strcmp(f.templates[i], name) == 0)
			return refuse(x, 400, "InvalidLaunchTemplateName.AlreadyExistsException", "it exists");
	snprintf(f.templates[f.n_templates++], 64, "%s", name);
	return give(x, action, &out);
}

static int describe_templates(struct http_exchange *x, const char *action, const char *form)
{
	CLEANUP(mem_freep) char *name = fleet_request_field(form, "Filter.1.Value.1");
	struct buf out = {0};
	buf_puts(&out, "<launchTemplates>");
	for (size_t i = 0; i < f.n_templates; i++)
		if (strcmp(f.templates[i], name) == 0)
			buf_printf(&out, "<item><launchTemplateName>%s</launchTemplateName></item>", name);
	buf_puts(&out, "</launchTemplates>");
	return give(x, action, &out);
}

static int describe_subnets(struct http_exchange *x, const char *action, const char *form)
{
	struct buf out = {0};
	(void)form;
	buf_puts(&out, "<subnetSet>");
	for (size_t i = 0; i < sizeof SUBNETS / sizeof SUBNETS[0]; i++)
		buf_printf(&out, "<item><subnetId>%s</subnetId><availabilityZone>%s</availabilityZone><availableIpAddressCount>%s</availableIpAddressCount></item>", SUBNETS[i].id, SUBNETS[i].zone,
			   SUBNETS[i].free);
	buf_puts(&out, "</subnetSet>");
	return give(x, action, &out);
}

static int describe_groups(struct http_exchange *x, const char *action, const char *form)
{
	struct buf out = {0};
	(void)form;
	buf_puts(&out, "<securityGroupInfo><item><groupId>sg-1</groupId><groupName>nodes</groupName></item></securityGroupInfo>");
	return give(x, action, &out);
}

static int sts(struct http_exchange *x, const char *action, const char *form)
{
	char until[32];
	struct buf out = {0};
	CLEANUP(mem_freep) char *token = fleet_request_field(form, "WebIdentityToken");
	if (f.refuse_keys > 0 || !token || !token[0]) {
		f.refuse_keys--;
		return http_reply(x, f.refuse_status, "text/xml", str_of(f.refuse_body));
	}
	clock_rfc3339(clock_wall_s() + f.lifetime_s, until);
	buf_printf(&out, "<%sResult><Credentials><SessionToken>session</SessionToken><SecretAccessKey>hush</SecretAccessKey><Expiration>%s</Expiration><AccessKeyId>%s</AccessKeyId></Credentials></%sResult>",
		   action, until, f.key_id, action);
	return give(x, action, &out);
}

static const struct { const char *action; int (*answer)(struct http_exchange *x, const char *action, const char *form); } ACTIONS[] = {
	{"CreateFleet", make_instance}, {"RunInstances", make_instance}, {"DescribeInstances", describe}, {"TerminateInstances", terminate}, {"CreateLaunchTemplate", make_template},
	{"DescribeLaunchTemplates", describe_templates}, {"DescribeSubnets", describe_subnets}, {"DescribeSecurityGroups", describe_groups}, {"AssumeRoleWithWebIdentity", sts},
};

static int parameter(struct http_exchange *x)
{
	return http_reply(x, 200, "application/x-amz-json-1.1", STR("{\"Parameter\":{\"Name\":\"n\",\"Value\":\"ami-0123456789abcdef0\"}}"));
}

static int act(struct http_exchange *x, const char *action, const char *form)
{
	if (strcmp(action, "GetParameter") == 0)
		return parameter(x);
	for (size_t i = 0; i < sizeof ACTIONS / sizeof ACTIONS[0]; i++)
		if (strcmp(ACTIONS[i].action, action) == 0)
			return ACTIONS[i].answer(x, action, form);
	return refuse(x, 400, "InvalidAction", action);
}

static struct fault *fault_of(const char *action)
{
	for (size_t i = 0; i < f.n_faults; i++)
		if (f.faults[i].times > 0 && strcmp(f.faults[i].action, action) == 0)
			return f.faults[i].times--, &f.faults[i];
	return NULL;
}

/* What is done and not told: a second, unanswered exchange would be needed, so the answer is made and thrown away by hanging up. */
static int with_fault(struct http_exchange *x, const struct fault *t, const char *action, const char *form)
{
	struct buf out = {0};
	if (t->kind == FAKE_EC2_DROP_AFTER || t->kind == FAKE_EC2_REPLY_AFTER) {
		CLEANUP(mem_freep) char *token = fleet_request_field(form, "ClientToken"), *capacity = fleet_request_field(form, "TargetCapacitySpecification.DefaultTargetCapacityType");
		struct wish w = {.form = form, .token = token, .spot = capacity && strcmp(capacity, "spot") == 0};
		if (token)
			fleet_request_each(form, fulfil, &w);
		buf_done(&w.errors);
	}
	switch (t->kind) {
	case FAKE_EC2_REPLY:
	case FAKE_EC2_REPLY_AFTER:
		return refuse(x, t->status, t->code, t->message);
	case FAKE_EC2_DROP:
	case FAKE_EC2_DROP_AFTER:
		return http_hang_up(x), 0;
	case FAKE_EC2_FLEET_ERROR:
		break;
	}
	buf_printf(&out, "<errorSet><item><errorCode>%s</errorCode><errorMessage>%s</errorMessage></item></errorSet><fleetInstanceSet/>", t->code, t->message);
	return give(x, action, &out);
}

static void note(const char *action, const char *form)
{
	size_t i = 0;
	buf_printf(&f.log, "%s\n", action);
	while (i < f.n_last && strcmp(f.last[i][0], action) != 0)
		i++;
	f.n_last += i == f.n_last;
	snprintf(f.last[i][0], sizeof f.last[i][0], "%s", action);
	snprintf(f.last[i][1], sizeof f.last[i][1], "%s", form);
}

static int on_post(struct http_exchange *x, struct err *err)
{
	CLEANUP(mem_freep) char *form = mem_strndup(http_body(x).data, http_body(x).len);
	char action[64];
	(void)err;
	ec2_action(form, action);
	if (http_header(x, "x-amz-target"))
		snprintf(action, sizeof action, "GetParameter");
	pthread_mutex_lock(&f.mu);
	note(action, form);
	for (size_t i = 0; i < 6; i++)
		snprintf(f.headers[i], sizeof f.headers[i], "%s", http_header(x, HEADERS[i]) ? http_header(x, HEADERS[i]) : "");
	const struct fault *t = fault_of(action);
	int rc = t ? with_fault(x, t, action, form) : act(x, action, form);
	pthread_mutex_unlock(&f.mu);
	return rc;
}

static int on_metadata(struct http_exchange *x, struct err *err)
{
	char line[300], until[32];
	bool put = str_eqz(http_method(x), "PUT");
	(void)err;
	snprintf(line, sizeof line, "%s %.*s", put ? "PUT" : "GET", STR_FMT(http_path(x)));
	pthread_mutex_lock(&f.mu);
	note(line, "");
	bool refused = f.refuse_keys > 0;
	f.refuse_keys -= refused;
	for (size_t i = 0; i < 6; i++)
		snprintf(f.headers[i], sizeof f.headers[i], "%s", http_header(x, HEADERS[i]) ? http_header(x, HEADERS[i]) : "");
	clock_rfc3339(clock_wall_s() + f.lifetime_s, until);
	CLEANUP(mem_freep) char *keys = mem_printf("{\"Code\":\"Success\",\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"hush\",\"Token\":\"session\",\"Expiration\":\"%s\"}", f.key_id, until);
	bool session = strcmp(f.headers[2], "imds-session") == 0 || str_starts(http_path(x), STR("/pod"));
	pthread_mutex_unlock(&f.mu);
	if (refused)
		return http_reply(x, f.refuse_status, "text/plain", str_of(f.refuse_body));
	if (put)
		return http_reply(x, http_header(x, "x-aws-ec2-metadata-token-ttl-seconds") ? 200 : 400, "text/plain", STR("imds-session"));
	if (!session)
		return http_reply(x, 401, "text/plain", STR("no session"));
	return str_ends(http_path(x), STR("security-credentials/")) ? http_reply(x, 200, "text/plain", STR("node-role\n")) : http_reply(x, 200, "application/json", str_of(keys));
}

static const struct http_route ROUTES[] = {{.method = "POST", .path = "/", .handler = on_post}, {.method = "GET", .path = "/{path...}", .handler = on_metadata}, {.method = "PUT", .path = "/{path...}", .handler = on_metadata}};

int fake_ec2_start(void)
{
	struct err err = ERR_INIT;
	f.lifetime_s = 3600;
	snprintf(f.key_id, sizeof f.key_id, "ASIAKEY");
	ck_assert_msg(http_server_start(&f.server, &(struct http_server_options){.host = "127.0.0.1", .routes = ROUTES, .n_routes = 3, .max_workers = 4}, &err) == 0, "%s", err.message);
	return http_server_port(f.server);
}

void fake_ec2_stop(void)
{
	http_server_free(f.server);
	buf_done(&f.log);
	pthread_mutex_t mu = f.mu;
	memset(&f, 0, sizeof f);
	f.mu = mu;
}

/* --- for tests --------------------------------------------------------------------------------------------------------- */

#define LOCKED(statement) do { pthread_mutex_lock(&f.mu); statement; pthread_mutex_unlock(&f.mu); } while (0)

void fake_ec2_fail(const char *action, int times, enum fake_ec2_fault fault, int status, const char *code, const char *message)
{
	pthread_mutex_lock(&f.mu);
	ck_assert_uint_lt(f.n_faults, 16);
	struct fault *t = &f.faults[f.n_faults++];
	*t = (struct fault){.times = times, .status = status, .kind = fault};
	snprintf(t->action, sizeof t->action, "%s", action);
	snprintf(t->code, sizeof t->code, "%s", code ? code : "");
	snprintf(t->message, sizeof t->message, "%s", message ? message : "");
	pthread_mutex_unlock(&f.mu);
}

void fake_ec2_sold_out(const char *offering) { LOCKED(snprintf(f.sold_out[f.n_sold_out++], 80, "%s", offering)); }
void fake_ec2_hide(int lists) { LOCKED(f.hidden_lists = lists); }
void fake_ec2_slow_end(bool on) { LOCKED(f.slow_end = on); }
void fake_ec2_page(size_t n) { LOCKED(f.page = n); }
void fake_ec2_drop_templates(void) { LOCKED(f.n_templates = 0); }

static struct made *made_of(const char *id)
{
	for (size_t i = 0; i < f.n_made; i++)
		if (strcmp(f.made[i].id, id) == 0)
			return &f.made[i];
	ck_abort_msg("no instance %s", id);
	return NULL;
}

void fake_ec2_set_state(const char *id, const char *state, const char *reason)
{
	pthread_mutex_lock(&f.mu);
	struct made *m = made_of(id);
	snprintf(m->state, sizeof m->state, "%s", state);
	snprintf(m->reason, sizeof m->reason, "%s", reason);
	pthread_mutex_unlock(&f.mu);
}

void fake_ec2_end(void)
{
	pthread_mutex_lock(&f.mu);
	for (size_t i = 0; i < f.n_made; i++)
		if (strcmp(f.made[i].state, "shutting-down") == 0)
			snprintf(f.made[i].state, sizeof f.made[i].state, "terminated");
	pthread_mutex_unlock(&f.mu);
}

void fake_ec2_forget(const char *id) { LOCKED(made_of(id)->gone = true); }

const char *fake_ec2_put(const char *cluster, const char *claim, const char *uid)
{
	pthread_mutex_lock(&f.mu);
	struct made *m = &f.made[f.n_made++];
	*m = (struct made){0};
	snprintf(m->id, sizeof m->id, "i-%017zx", f.n_made);
	snprintf(m->state, sizeof m->state, "running");
	snprintf(m->type, sizeof m->type, "m5.large");
	snprintf(m->zone, sizeof m->zone, "us-east-1a");
	snprintf(m->cluster, sizeof m->cluster, "%s", cluster);
	snprintf(m->claim, sizeof m->claim, "%s", claim);
	snprintf(m->uid, sizeof m->uid, "%s", uid);
	pthread_mutex_unlock(&f.mu);
	return m->id;
}

size_t fake_ec2_alive(void)
{
	size_t n = 0;
	pthread_mutex_lock(&f.mu);
	for (size_t i = 0; i < f.n_made; i++)
		n += !f.made[i].gone && strcmp(f.made[i].state, "terminated") != 0 && strcmp(f.made[i].state, "shutting-down") != 0;
	pthread_mutex_unlock(&f.mu);
	return n;
}

size_t fake_ec2_made(void)
{
	size_t n;
	LOCKED(n = f.requested);
	return n;
}

size_t fake_ec2_templates(void)
{
	size_t n;
	LOCKED(n = f.n_templates);
	return n;
}

const char *fake_ec2_state(const char *id)
{
	static char state[20];
	LOCKED(snprintf(state, sizeof state, "%s", made_of(id)->state));
	return state;
}

const char *fake_ec2_first(void) { return f.made[0].id; }

size_t fake_ec2_count(const char *action)
{
	char line[320];
	size_t n = 0, len = (size_t)snprintf(line, sizeof line, "%s\n", action);
	pthread_mutex_lock(&f.mu);
	for (const char *at = f.log.data; at && *at; at = strchr(at, '\n') + 1)
		n += !action[0] || strncmp(at, line, len) == 0;
	pthread_mutex_unlock(&f.mu);
	return n;
}

const char *fake_ec2_last(const char *action)
{
	static char body[16384];
	body[0] = 0;
	pthread_mutex_lock(&f.mu);
	for (size_t i = 0; i < f.n_last; i++)
		if (strcmp(f.last[i][0], action) == 0)
			snprintf(body, sizeof body, "%s", f.last[i][1]);
	pthread_mutex_unlock(&f.mu);
	return body;
}

const char *fake_ec2_header(const char *name)
{
	static char value[2000];
	value[0] = 0;
	pthread_mutex_lock(&f.mu);
	for (size_t i = 0; i < 6; i++)
		if (strcmp(HEADERS[i], name) == 0)
			snprintf(value, sizeof value, "%s", f.headers[i]);
	pthread_mutex_unlock(&f.mu);
	return value;
}

void fake_ec2_keys(int lifetime_s, const char *id) { LOCKED((f.lifetime_s = lifetime_s, snprintf(f.key_id, sizeof f.key_id, "%s", id))); }

void fake_ec2_refuse_keys(int times, int status, const char *body)
{
	LOCKED((f.refuse_keys = times, f.refuse_status = status, snprintf(f.refuse_body, sizeof f.refuse_body, "%s", body)));
}

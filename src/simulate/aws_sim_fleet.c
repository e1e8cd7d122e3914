/* aws_sim_fleet.c: requests that make an instance: CreateFleet of type instant and RunInstances. Both are remembered by their client token: the
 * same request again is answered with what came of it, another one with the same token is refused. */
#include "simulate/aws_sim.h"

#include "catalog/sku.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <inttypes.h>
#include <stdio.h>

enum { OVERRIDES_MAX = 300 };
struct wish { /* one way in which the request may be fulfilled */
	const char *type, *subnet;
	char zone[64]; /* the subnet's */
	double priority;
};
struct error { const char *code; char text[300]; };

void aws_sim_fleet_request_free(void *request)
{
	struct aws_sim_request *q = request;
	free(q->answer);
	free(q);
}

/* --- what can be had ------------------------------------------------------------------------------------------------- */

static const char *market(bool spot) { return spot ? "spot" : "on-demand"; }

/* A row of the setting capacity: "TYPE", "TYPE/ZONE", "TYPE/spot", "TYPE/ZONE/on-demand". */
static bool row_concerns(const char *row, const char *type, const char *zone, bool spot)
{
	str rest = str_of(row);
	for (size_t part = 0, from = 0; from <= rest.len && part < 4; part++) {
		size_t end = str_find(rest, '/', from);
		str word = str_sub(rest, from, end);
		if (part == 0 ? !str_eqz(word, type) : !str_eqz(word, zone) && !str_eqz(word, market(spot)))
			return false;
		from = end + 1;
	}
	return true;
}

static bool capacity_left(struct simulator *s, const struct wish *w, bool spot)
{
	const char *row;
	json_t *limit;
	struct map_entry e;
	json_object_foreach(s->settings.capacity, row, limit) {
		json_int_t used = 0;
		if (!row_concerns(row, w->type, w->zone, spot))
			continue;
		for (size_t at = 0; map_next(&s->aws->instances, &at, &e);) {
			const struct aws_sim_instance *i = e.value;
			used += aws_sim_instances_is_alive(i) && row_concerns(row, i->type, i->zone, i->spot);
		}
		if (used >= json_integer_value(limit))
			return false;
	}
	return true;
}

static int cores(const char *type)
{
	const struct sku *sku = sku_find("aws", type);
	return sku && sku->cpus ? sku->cpus : 2;
}

static bool quota_left(struct simulator *s, const struct wish *w, bool spot, int64_t *limit)
{
	struct map_entry e;
	int64_t used = cores(w->type);
	*limit = json_int_at(s->settings.quotas, INT64_MAX, market(spot), NULL);
	for (size_t at = 0; map_next(&s->aws->instances, &at, &e);) {
		const struct aws_sim_instance *i = e.value;
		used += aws_sim_instances_is_alive(i) && i->spot == spot ? cores(i->type) : 0;
	}
	return used <= *limit;
}

/* General purpose types are not in the catalogue. */
static bool type_known(const char *type) { return sku_find("aws", type) || (strchr("cmrt", type[0]) && type[0] && strchr(type, '.')); }

static void set_error(struct error *e, const char *code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void set_error(struct error *e, const char *code, const char *fmt, ...)
{
	va_list ap;
	e->code = code;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
}

static bool can_have(struct simulator *s, const struct wish *w, bool spot, struct error *e)
{
	int64_t limit;
	if (aws_sim_network_subnet(w->subnet) < 0)
		set_error(e, "InvalidSubnetID.NotFound", "The subnet ID '%.60s' does not exist", w->subnet);
	else if (!type_known(w->type))
		set_error(e, "InvalidInstanceType", "The following supplied instance types do not exist: [%.40s]", w->type);
	else if (!quota_left(s, w, spot, &limit) && spot)
		set_error(e, "MaxSpotInstanceCountExceeded", "Max spot instance count exceeded");
	else if (!quota_left(s, w, spot, &limit))
		set_error(e, "VcpuLimitExceeded", "You have requested more vCPU capacity than your current vCPU limit of %" PRId64 " allows for the instance bucket that the specified instance type "
			  "belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.", limit);
	else if (!capacity_left(s, w, spot))
		set_error(e, "InsufficientInstanceCapacity", "We currently do not have sufficient %.40s capacity in the Availability Zone you requested (%.60s). Our system will be working on "
			  "provisioning additional capacity.", w->type, w->zone);
	else
		return true;
	return false;
}

/* --- what the template says ---------------------------------------------------------------------------------------------- */

#define DATA "LaunchTemplateData."

static bool template_usable(const struct simulator *s, const struct aws_sim_template *t, struct error *e)
{
	const char *image = aws_sim_form_get(&t->form, DATA "ImageId"), *profile = aws_sim_form_get(&t->form, DATA "IamInstanceProfile.Name"), *group;
	if (!image || strncmp(image, "ami-", 4) != 0)
		return set_error(e, "InvalidAMIID.Malformed", "Invalid id: \"%.60s\" (expecting \"ami-...\")", image ? image : ""), false;
	for (int n = 1; (group = aws_sim_form_get(&t->form, DATA "SecurityGroupId.%d", n)); n++)
		if (strcmp(group, AWS_SIM_GROUP) != 0)
			return set_error(e, "InvalidGroup.NotFound", "The security group '%.60s' does not exist", group), false;
	if (profile && strcmp(profile, s->settings.instance_profile) != 0)
		return set_error(e, "InvalidParameterValue", "Value (%.60s) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name", profile), false;
	return true;
}

static struct aws_sim_instance *make(struct simulator *s, struct aws_sim_call *c, const struct aws_sim_template *t, const struct wish *w, bool spot, const char *fleet)
{
	const char *image = aws_sim_form_get(&t->form, DATA "ImageId"), *data = aws_sim_form_get(&t->form, DATA "UserData"), *kind;
	const char *size = aws_sim_form_get(&t->form, DATA "BlockDeviceMapping.1.Ebs.VolumeSize"), *token = aws_sim_form_get(c->form, "ClientToken");
	struct aws_sim_instance *i = aws_sim_instances_make(s, w->type, w->zone, spot, json_object());
	for (int n = 1; (kind = aws_sim_form_get(c->form, "TagSpecification.%d.ResourceType", n)); n++) {
		char prefix[40];
		snprintf(prefix, sizeof prefix, "TagSpecification.%d.Tag", n);
		if (strcmp(kind, "instance") == 0)
			aws_sim_form_tags(c->form, prefix, i->tags);
	}
	if (fleet[0])
		json_object_set_new(i->tags, "aws:ec2:fleet-id", json_string(fleet));
	json_object_set_new(i->tags, "aws:ec2launchtemplate:id", json_string(t->id));
	snprintf(i->subnet, sizeof i->subnet, "%s", w->subnet);
	snprintf(i->image, sizeof i->image, "%s", image);
	i->client_token = token ? mem_strdup(token) : NULL;
	i->taints = aws_sim_boot_taints(s, data ? data : "", i->why);
	if (size && !str_to_i64(str_of(size), &i->disk_gib))
		i->disk_gib = 100;
	s->aws->launched++;
	aws_sim_instances_start(s, i);
	return i;
}

/* --- client tokens ---------------------------------------------------------------------------------------------------------- */

static void digest_request(const struct aws_sim_call *c, char out[DIGEST_TEXT])
{
	str body = http_body(c->q->x);
	digest_of(body.data, body.len, out);
}

/* True: the request was answered before, or is refused. */
static bool answered_before(struct simulator *s, struct aws_sim_call *c)
{
	const char *token = aws_sim_form_get(c->form, "ClientToken");
	const struct aws_sim_request *before = token ? map_get(&s->aws->requests, str_of(token)) : NULL;
	char digest[DIGEST_TEXT];
	if (!before)
		return false;
	digest_request(c, digest);
	const struct aws_sim_instance *i = aws_sim_instances_find(s, before->instance);
	if (strcmp(digest, before->digest) != 0)
		sim_errors_set(&c->f, 400, "IdempotentParameterMismatch", "The client token you have provided is associated with a resource that is already deleted, or was used with other parameters.");
	else if (strcmp(c->action, "RunInstances") == 0 && (!i || !aws_sim_instances_is_alive(i)))
		sim_errors_set(&c->f, 400, "IdempotentInstanceTerminated", "The request uses the client token of an instance that has been terminated.");
	else
		buf_puts(&c->xml, before->answer);
	return true;
}

static void remember(struct simulator *s, struct aws_sim_call *c, const struct aws_sim_instance *i)
{
	const char *token = aws_sim_form_get(c->form, "ClientToken");
	struct map_entry e;
	size_t at = 0;
	if (!token)
		return;
	if (s->aws->requests.count >= LIMIT_SIMULATOR_OPERATIONS && map_next(&s->aws->requests, &at, &e))
		map_remove(&s->aws->requests, e.key); /* the oldest */
	struct aws_sim_request *q = mem_alloc(sizeof *q);
	digest_request(c, q->digest);
	q->answer = mem_strndup(buf_str(&c->xml).data, c->xml.len);
	snprintf(q->instance, sizeof q->instance, "%s", i ? i->id : "");
	map_put(&s->aws->requests, str_of(token), q);
}

static bool room_left(struct simulator *s, struct aws_sim_call *c)
{
	if (s->aws->instances.count < LIMIT_SIMULATOR_MACHINES)
		return true;
	sim_errors_set(&c->f, 400, "InstanceLimitExceeded", "There are %d instances already.", LIMIT_SIMULATOR_MACHINES);
	return false;
}

/* --- CreateFleet -------------------------------------------------------------------------------------------------------------- */

#define CONFIG "LaunchTemplateConfigs.1."

static void put_pair(struct buf *xml, const struct wish *w, bool spot)
{
	buf_puts(xml, "<launchTemplateAndOverrides><overrides>");
	aws_sim_answer_put(xml, "instanceType", w->type);
	aws_sim_answer_put(xml, "subnetId", w->subnet);
	aws_sim_answer_put(xml, "availabilityZone", w->zone);
	buf_puts(xml, "</overrides></launchTemplateAndOverrides>");
	aws_sim_answer_put(xml, "lifecycle", market(spot));
}

static void put_error(struct buf *xml, const struct wish *w, bool spot, const char *code, const char *text)
{
	buf_puts(xml, "<item>");
	put_pair(xml, w, spot);
	aws_sim_answer_put(xml, "errorCode", code);
	aws_sim_answer_put(xml, "errorMessage", text);
	buf_puts(xml, "</item>");
}

/* The overrides, by priority where there is one. */
static size_t read_wishes(struct simulator *s, const struct aws_sim_call *c, struct wish *out)
{
	size_t n = 0;
	for (; n < OVERRIDES_MAX; n++) {
		const char *type = aws_sim_form_get(c->form, CONFIG "Overrides.%zu.InstanceType", n + 1), *subnet = aws_sim_form_get(c->form, CONFIG "Overrides.%zu.SubnetId", n + 1);
		const char *priority = aws_sim_form_get(c->form, CONFIG "Overrides.%zu.Priority", n + 1);
		int zone = subnet ? aws_sim_network_subnet(subnet) : 0;
		if (!type)
			break;
		struct wish w = {.type = type, .subnet = subnet ? subnet : aws_sim_network_subnet_id(0), .priority = priority ? strtod(priority, NULL) : (double)n};
		aws_sim_network_zone(s, zone < 0 ? 0 : zone, w.zone);
		size_t at = n;
		for (; at > 0 && out[at - 1].priority > w.priority; at--)
			out[at] = out[at - 1];
		out[at] = w;
	}
	return n;
}

static bool fleet_ok(struct aws_sim_call *c)
{
	static const struct { const char *field, *words; } RULES[] = {
		{"Type", "|instant|"},
		{"TargetCapacitySpecification.TotalTargetCapacity", "|1|"},
		{"TargetCapacitySpecification.DefaultTargetCapacityType", "|spot|on-demand|"},
	};
	for (size_t i = 0; i < sizeof RULES / sizeof RULES[0]; i++) {
		const char *value = aws_sim_form_get(c->form, "%s", RULES[i].field);
		CLEANUP(mem_freep) char *word = mem_printf("|%.40s|", value ? value : "");
		if (value && strstr(RULES[i].words, word))
			continue;
		sim_errors_set(&c->f, 400, value ? "InvalidParameterValue" : "MissingParameter", "The parameter %s must be one of %s (this is a simulator)", RULES[i].field, RULES[i].words);
		return false;
	}
	return true;
}

static struct aws_sim_instance *try_wishes(struct simulator *s, struct aws_sim_call *c, const struct aws_sim_template *t, const char *fleet, struct buf *errors, struct wish *made)
{
	struct wish *wishes = mem_array(OVERRIDES_MAX, sizeof *wishes);
	bool spot = strcmp(aws_sim_form_get(c->form, "TargetCapacitySpecification.DefaultTargetCapacityType"), "spot") == 0;
	const json_t *scripted = c->q->effect.operation_error;
	struct aws_sim_instance *i = NULL;
	size_t n = read_wishes(s, c, wishes);
	for (size_t k = 0; k < n && !i; k++) {
		struct error e = {0};
		if (scripted)
			put_error(errors, &wishes[k], spot, json_text_at(scripted, "", "code", NULL), json_text_at(scripted, "", "message", NULL));
		else if (!template_usable(s, t, &e) || !can_have(s, &wishes[k], spot, &e))
			put_error(errors, &wishes[k], spot, e.code, e.text);
		else
			*made = wishes[k], i = make(s, c, t, &wishes[k], spot, fleet);
	}
	if (n == 0)
		sim_errors_set(&c->f, 400, "MissingParameter", "The request names no instance type (this is a simulator: give Overrides)");
	free(wishes);
	return i;
}

void aws_sim_fleet_create(struct simulator *s, struct aws_sim_call *c)
{
	CLEANUP(buf_done) struct buf errors = {0};
	struct wish made;
	char fleet[SIM_GUID + 8] = "fleet-";
	if (!fleet_ok(c) || answered_before(s, c) || !room_left(s, c))
		return;
	const struct aws_sim_template *t = aws_sim_templates_of(s, c, CONFIG "LaunchTemplateSpecification");
	if (!t)
		return;
	sim_routes_guid(fleet + 6);
	const struct aws_sim_instance *i = try_wishes(s, c, t, fleet, &errors, &made);
	aws_sim_answer_put(&c->xml, "fleetId", fleet);
	buf_puts(&c->xml, "<errorSet>");
	buf_put_str(&c->xml, buf_str(&errors));
	buf_puts(&c->xml, "</errorSet><fleetInstanceSet>");
	if (i) {
		buf_puts(&c->xml, "<item>");
		put_pair(&c->xml, &made, i->spot);
		buf_printf(&c->xml, "<instanceIds><item>%s</item></instanceIds>", i->id);
		aws_sim_answer_put(&c->xml, "instanceType", i->type);
		buf_puts(&c->xml, "</item>");
	}
	buf_puts(&c->xml, "</fleetInstanceSet>");
	if (!c->f.status)
		remember(s, c, i);
}

/* --- RunInstances ---------------------------------------------------------------------------------------------------------------- */

void aws_sim_fleet_run(struct simulator *s, struct aws_sim_call *c)
{
	const char *type = aws_sim_form_get(c->form, "InstanceType"), *subnet = aws_sim_form_get(c->form, "SubnetId"), *kind = aws_sim_form_get(c->form, "InstanceMarketOptions.MarketType");
	const char *least = aws_sim_form_get(c->form, "MinCount"), *most = aws_sim_form_get(c->form, "MaxCount");
	bool spot = kind && strcmp(kind, "spot") == 0;
	struct error e = {0};
	if (!type || !subnet || !least || !most || strcmp(least, "1") != 0 || strcmp(most, "1") != 0)
		sim_errors_set(&c->f, 400, "MissingParameter", "The request must contain InstanceType, SubnetId, MinCount=1 and MaxCount=1 (this is a simulator)");
	if (c->f.status || answered_before(s, c) || !room_left(s, c))
		return;
	const struct aws_sim_template *t = aws_sim_templates_of(s, c, "LaunchTemplate");
	int n = aws_sim_network_subnet(subnet);
	if (!t)
		return;
	struct wish w = {.type = type, .subnet = subnet};
	aws_sim_network_zone(s, n < 0 ? 0 : n, w.zone);
	if (!template_usable(s, t, &e) || !can_have(s, &w, spot, &e)) {
		sim_errors_set(&c->f, strcmp(e.code, "InsufficientInstanceCapacity") == 0 ? 500 : 400, e.code, "%s", e.text);
		return;
	}
	const struct aws_sim_instance *i = make(s, c, t, &w, spot, "");
	buf_puts(&c->xml, "<instancesSet><item>");
	aws_sim_answer_put(&c->xml, "instanceId", i->id);
	aws_sim_answer_put(&c->xml, "instanceType", i->type);
	buf_puts(&c->xml, "</item></instancesSet>");
	remember(s, c, i);
}

/* fleet_request.c: see fleet_request.h. */
#include "aws/fleet_request.h"

#include "aws/machine.h"
#include "base/clock.h"
#include "base/limits.h"
#include "kube/meta.h"
#include <string.h>

#define FLEET "Action=CreateFleet&"
#define RUN_TEMPLATE "LaunchTemplate"
#define FLEET_TEMPLATE "LaunchTemplateConfigs.1.LaunchTemplateSpecification"
#define OVERRIDE "LaunchTemplateConfigs.1.Overrides."

/* --- which ------------------------------------------------------------------------------------------------------------- */

struct choosing {
	const struct fleet_context *c;
	const struct claim_view *claim;
	const struct plan *plan;
	struct fleet_choice *choice;
	struct buf *form, *note;
};

static const char *capacity_type(bool spot) { return spot ? "spot" : "on-demand"; }

static void note_line(struct choosing *g, const char *type, const char *zone, bool spot, const char *why)
{
	if (g->note)
		buf_printf(g->note, "  - %s, %s, zone %s%s%s\n", type, capacity_type(spot), zone, why[0] ? ": " : "", why);
}

static bool open_for(struct choosing *g, const char *type, const char *zone, bool spot)
{
	char reason[65] = "";
	int64_t ends_s = 0;
	if (!offerings_blocked(g->c->offerings, type, "", zone, capacity_type(spot), reason, &ends_s))
		return true;
	if (!g->choice->reason[0])
		snprintf(g->choice->reason, sizeof g->choice->reason, "%s", reason);
	if (g->choice->ends_s == 0 || ends_s < g->choice->ends_s)
		g->choice->ends_s = ends_s;
	note_line(g, type, zone, spot, reason);
	return false;
}

/* Without questions the zone is not known. */
static bool zone_allowed(const struct claim_view *claim, const char *zone) { return !zone[0] || claim_view_allows(claim, LABEL_ZONE, zone); }

static void put_override(struct choosing *g, const char *type, const json_t *subnet, bool spot)
{
	const char *id = json_text_at(subnet, "", "id", NULL), *zone = json_text_at(subnet, "", "zone", NULL);
	size_t n = ++g->choice->n;
	char priority[24];
	if (g->c->run_instances) {
		ec2_put(g->form, type, "InstanceType");
		ec2_put(g->form, id, "SubnetId");
		ec2_put(g->form, zone, "Placement.AvailabilityZone");
		return;
	}
	snprintf(priority, sizeof priority, "%zu", n - 1);
	ec2_put(g->form, type, OVERRIDE "%zu.InstanceType", n);
	ec2_put(g->form, id, OVERRIDE "%zu.SubnetId", n);
	if (zone[0])
		ec2_put(g->form, zone, OVERRIDE "%zu.AvailabilityZone", n);
	if (!spot) /* spot is chosen by price and capacity */
		ec2_put(g->form, priority, OVERRIDE "%zu.Priority", n);
}

static bool full(const struct choosing *g) { return g->choice->n >= (g->c->run_instances ? 1 : LIMIT_EC2_OVERRIDES); }

static void add_zone(struct choosing *g, const char *type, const json_t *subnet, bool spot)
{
	const char *zone = json_text_at(subnet, "", "zone", NULL);
	if (full(g) || !zone_allowed(g->claim, zone) || !open_for(g, type, zone, spot))
		return;
	put_override(g, type, subnet, spot);
	note_line(g, type, zone[0] ? zone : json_text_at(subnet, "", "id", NULL), spot, "");
}

/* The zones of the claim in its order, else those of the subnets in theirs. */
static void add_type(struct choosing *g, const char *type, bool spot)
{
	const json_t *subnet;
	size_t i;
	for (size_t z = 0; z < g->claim->n_zones; z++)
		json_array_foreach(g->plan->subnets, i, subnet)
			if (strcmp(json_text_at(subnet, "", "zone", NULL), g->claim->zones[z]) == 0)
				add_zone(g, type, subnet, spot);
	json_array_foreach(g->plan->subnets, i, subnet)
		if (g->claim->n_zones == 0 || !json_text_at(subnet, "", "zone", NULL)[0])
			add_zone(g, type, subnet, spot);
}

static void add_all(struct choosing *g, bool spot)
{
	for (size_t t = 0; t < g->claim->n_instance_types; t++)
		add_type(g, g->claim->instance_types[t], spot);
}

/* --- the form ------------------------------------------------------------------------------------------------------------ */

static void put_tag(struct buf *f, int kind, int n, const char *key, const char *value)
{
	ec2_put(f, key, "TagSpecification.%d.Tag.%d.Key", kind, n);
	ec2_put(f, value, "TagSpecification.%d.Tag.%d.Value", kind, n);
}

static void put_tags(struct choosing *g, struct buf *f)
{
	static const char *const KINDS[] = {"instance", "volume"};
	CLEANUP(mem_freep) char *owned = mem_printf("kubernetes.io/cluster/%s", g->c->settings->cluster);
	const struct { const char *key, *value; } OWN[] = {
		{"Name", g->claim->name}, {owned, "owned"}, {MACHINE_TAG_CLUSTER, g->c->settings->cluster}, {MACHINE_TAG_CLAIM, g->claim->name}, {MACHINE_TAG_UID, g->claim->uid},
	};
	const char *key;
	const json_t *value;
	for (int k = 0; k < 2; k++) {
		int n = 0;
		ec2_put(f, KINDS[k], "TagSpecification.%d.ResourceType", k + 1);
		for (size_t i = 0; i < sizeof OWN / sizeof OWN[0]; i++)
			put_tag(f, k + 1, ++n, OWN[i].key, OWN[i].value);
		json_object_foreach(g->plan->tags, key, value)
			if (strcmp(key, "Name") != 0 && strncmp(key, "kaito.sh/", 9) != 0 && strcmp(key, owned) != 0 && n < 50)
				put_tag(f, k + 1, ++n, key, json_string_value(value) ? json_string_value(value) : "");
	}
}

static void put_head(struct choosing *g, int64_t attempt, struct buf *f)
{
	char token[100];
	snprintf(token, sizeof token, "%.50s-%lld", g->claim->uid, (long long)attempt);
	ec2_begin(f, g->c->run_instances ? "RunInstances" : "CreateFleet");
	ec2_put(f, token, "ClientToken");
	const char *prefix = g->c->run_instances ? RUN_TEMPLATE : FLEET_TEMPLATE;
	ec2_put(f, g->plan->template_name, "%s.LaunchTemplateName", prefix);
	ec2_put(f, "1", "%s.Version", prefix);
}

static void put_run(struct buf *f, bool spot)
{
	ec2_put(f, "1", "MinCount");
	ec2_put(f, "1", "MaxCount");
	if (spot)
		ec2_put(f, "spot", "InstanceMarketOptions.MarketType");
}

static void put_fleet(struct buf *f, bool spot)
{
	ec2_put(f, "instant", "Type");
	ec2_put(f, "1", "TargetCapacitySpecification.TotalTargetCapacity");
	ec2_put(f, capacity_type(spot), "TargetCapacitySpecification.DefaultTargetCapacityType");
	if (spot)
		ec2_put(f, "price-capacity-optimized", "SpotOptions.AllocationStrategy");
	else
		ec2_put(f, "prioritized", "OnDemandOptions.AllocationStrategy");
}

void fleet_request_make(const struct fleet_context *c, const struct claim_view *claim, const struct plan *p, int64_t attempt, char **form, struct fleet_choice *choice, struct buf *note)
{
	CLEANUP(buf_done) struct buf f = {0}, overrides = {0};
	struct choosing g = {.c = c, .claim = claim, .plan = p, .choice = choice, .form = &overrides, .note = note};
	*choice = (struct fleet_choice){.spot = claim->spot};
	*form = NULL;
	if (claim->spot)
		add_all(&g, true);
	if (choice->n == 0 && claim->on_demand) {
		choice->spot = false;
		add_all(&g, false);
	}
	if (choice->n == 0)
		return;
	put_head(&g, attempt, &f);
	if (c->run_instances)
		put_run(&f, choice->spot);
	else
		put_fleet(&f, choice->spot);
	buf_put_str(&f, buf_str(&overrides));
	put_tags(&g, &f);
	*form = buf_take(&f);
}

/* --- reading it again ------------------------------------------------------------------------------------------------------ */

bool fleet_request_is_fleet(const char *form) { return strncmp(form, FLEET, sizeof FLEET - 1) == 0; }

static int digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

static char *decode(const char *text, size_t n)
{
	char *out = mem_alloc(n + 1);
	size_t used = 0;
	for (size_t i = 0; i < n; i++) {
		bool escaped = text[i] == '%' && i + 2 < n && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
		out[used++] = escaped ? (char)(digit(text[i + 1]) * 16 + digit(text[i + 2])) : text[i];
		i += escaped ? 2 : 0;
	}
	return out;
}

char *fleet_request_field(const char *form, const char *name)
{
	size_t n = strlen(name);
	for (const char *at = form; at; at = strchr(at, '&') ? strchr(at, '&') + 1 : NULL)
		if (strncmp(at, name, n) == 0 && at[n] == '=')
			return decode(at + n + 1, strcspn(at + n + 1, "&"));
	return NULL;
}

char *fleet_request_template(const char *form)
{
	return form ? fleet_request_field(form, fleet_request_is_fleet(form) ? FLEET_TEMPLATE ".LaunchTemplateName" : RUN_TEMPLATE ".LaunchTemplateName") : NULL;
}

void fleet_request_each(const char *form, void (*fn)(void *context, const char *type, const char *zone), void *context)
{
	bool fleet = fleet_request_is_fleet(form);
	for (size_t n = 1; n <= LIMIT_EC2_OVERRIDES; n++) {
		char type_name[100], zone_name[100];
		snprintf(type_name, sizeof type_name, OVERRIDE "%zu.InstanceType", n);
		snprintf(zone_name, sizeof zone_name, OVERRIDE "%zu.AvailabilityZone", n);
		CLEANUP(mem_freep) char *type = fleet_request_field(form, fleet ? type_name : "InstanceType");
		CLEANUP(mem_freep) char *zone = fleet_request_field(form, fleet ? zone_name : "Placement.AvailabilityZone");
		if (!type)
			return;
		fn(context, type, zone ? zone : "");
		if (!fleet)
			return;
	}
}

const char *fleet_request_instance(const json_t *body)
{
	const char *fleet = json_text_at(body, "", "fleetInstanceSet", "#0", "instanceIds", "#0", NULL);
	const char *run = json_text_at(body, "", "instancesSet", "#0", "instanceId", NULL);
	return fleet[0] ? fleet : run[0] ? run : NULL;
}

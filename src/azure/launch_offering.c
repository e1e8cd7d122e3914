/* launch_offering.c: which machine is asked for next: instance types in the order of the claim, spot before on-demand, zones in the order
 * of the claim; without those that were refused a while ago, and those for which the subscription has no vCPUs left. */
#include "azure/launch.h"

#include "base/clock.h"
#include "kube/meta.h"
#include <string.h>

/* --- the order --------------------------------------------------------------------------------------------------- */

#define AZURE_ZONES 3

/* A claim that only excludes zones is given those that are left. */
static size_t zones_left(const struct claim_view *claim, const char *location, char left[AZURE_ZONES][64])
{
	size_t n = 0;
	for (int i = 1; i <= AZURE_ZONES; i++) {
		char digit[2] = {(char)('0' + i), 0};
		snprintf(left[n], 64, "%.50s-%d", location, i);
		n += claim_view_allows(claim, LABEL_ZONE, digit) && claim_view_allows(claim, LABEL_ZONE, left[n]);
	}
	return n;
}

static bool each_zone(const struct claim_view *claim, const char *location, struct offering *o, bool (*fn)(void *context, const struct offering *o), void *context)
{
	char left[AZURE_ZONES][64];
	size_t n = claim->n_zones || claim->regional ? 0 : zones_left(claim, location, left);
	for (size_t i = 0; i < claim->n_zones; i++)
		if (o->zone = claim->zones[i], fn(context, o))
			return true;
	for (size_t i = 0; n < AZURE_ZONES && i < n; i++)
		if (o->zone = left[i], fn(context, o))
			return true;
	o->zone = "";
	return claim->n_zones == 0 && (n == 0 || n == AZURE_ZONES) && fn(context, o);
}

bool launch_each_offering(const struct claim_view *claim, const char *location, bool (*fn)(void *context, const struct offering *o), void *context)
{
	for (size_t i = 0; i < claim->n_instance_types; i++) {
		for (int spot = 1; spot >= 0; spot--) {
			struct offering o = {.instance_type = claim->instance_types[i], .spot = spot};
			if ((spot ? claim->spot : claim->on_demand) && each_zone(claim, location, &o, fn, context))
				return true;
		}
	}
	return false;
}

/* --- quota ------------------------------------------------------------------------------------------------------- */

static int read_quota_page(struct azure *a, char **url, struct err *err)
{
	int64_t wait_ms = 0;
	struct arm_request q = {.method = "GET", .url = *url, .api_version = (*url)[0] == '/' ? QUOTA_API_VERSION : "", .class = ARM_OTHER};
	CLEANUP(arm_answer_done) struct arm_answer answer = {0};
	const char *next = NULL;
	if (arm_send(a->arm, &q, &answer, &wait_ms, err) != 0 || answer.status != 200 || quota_feed(a->quota, answer.body, clock_now_ms(), &next, err) < 0)
		return -1;
	free(*url);
	*url = next ? mem_strdup(next) : NULL;
	return 0;
}

void launch_read_quota(struct azure *a)
{
	struct err ignored = ERR_INIT; /* what is not known is no obstacle */
	if (!a->options.quota_preflight || !a->arm || !quota_due(a->quota, clock_now_ms()))
		return;
	char *url = quota_path(a->environment);
	while (url && read_quota_page(a, &url, &ignored) == 0)
		;
	if (url)
		quota_failed(a->quota, clock_now_ms());
	free(url);
}

/* --- which are open ---------------------------------------------------------------------------------------------- */

static const char *capacity_type(bool spot) { return spot ? "spot" : "on-demand"; }

static const char *family_of(const char *instance_type)
{
	const char *family = quota_family(instance_type);
	return family ? family : "";
}

static bool short_of_quota(struct azure *a, const struct offering *o, struct failure *f)
{
	return a->options.quota_preflight && quota_check(a->quota, o->instance_type, o->spot, a->environment->location, clock_now_ms(), f) == QUOTA_SHORT;
}

bool launch_offering_open(struct azure *a, const struct offering *o, char reason[65], int64_t *ends_s)
{
	struct failure f;
	if (offerings_blocked(a->offerings, o->instance_type, family_of(o->instance_type), o->zone, capacity_type(o->spot), reason, ends_s))
		return false;
	if (!short_of_quota(a, o, &f))
		return true;
	snprintf(reason, 65, "%.64s", f.row->reason);
	offerings_tell(a->offerings, f.row->reason, f.message);
	*ends_s = clock_wall_s() + QUOTA_SHORT_AGE_MS / 1000;
	return false;
}

void launch_cool(struct azure *a, const struct memo *m, const struct failure *f)
{
	static const char ANY[] = "";
	char family[MEMO_SKU_MAX + 8];
	const char *type = m->sku, *zone = ANY, *capacity = capacity_type(m->spot);
	switch (f->row->scope) {
	case SCOPE_NONE:
		return;
	case SCOPE_SKU:
		zone = m->zone;
		break;
	case SCOPE_ZONE:
		zone = m->zone;
		break;
	case SCOPE_FAMILY:
		snprintf(family, sizeof family, "family:%.90s", family_of(m->sku));
		type = family[7] ? family : m->sku;
		break;
	case SCOPE_SPOT:
		type = ANY;
		capacity = "spot";
		break;
	case SCOPE_REGION:
		type = ANY;
		break;
	}
	offerings_block(a->offerings, type, zone, capacity, f->cooldown_s, f->row->reason);
	offerings_tell(a->offerings, f->row->reason, f->message);
}

/* --- the next one ------------------------------------------------------------------------------------------------ */

struct choice {
	struct azure *a;
	struct offering found;
	char zone[64];
	size_t closed;
	char reason[65];  /* why the most wanted one is closed */
	char type[96];
	int64_t ends_s;   /* when the first of them opens */
};

static bool try_offering(void *context, const struct offering *o)
{
	struct choice *c = context;
	char reason[65] = "";
	int64_t ends_s = 0;
	if (launch_offering_open(c->a, o, reason, &ends_s)) {
		c->found = *o;
		snprintf(c->zone, sizeof c->zone, "%s", o->zone);
		c->found.zone = c->zone;
		return true;
	}
	if (c->closed++ == 0) {
		snprintf(c->reason, sizeof c->reason, "%s", reason);
		snprintf(c->type, sizeof c->type, "%s", o->instance_type);
		c->ends_s = ends_s;
	}
	c->ends_s = ends_s < c->ends_s ? ends_s : c->ends_s;
	return false;
}

/* Whether a cause always means that there is no capacity, and not that somebody must act. */
static bool means_insufficient(const char *reason)
{
	bool known = false;
	for (size_t i = 0; i < FAILURE_COUNT; i++) {
		if (strcmp(FAILURES[i].reason, reason) != 0)
			continue;
		if (FAILURES[i].handling != HANDLE_OFFERING)
			return false;
		known = true;
	}
	return known;
}

static int none_left(struct launch *l, const struct choice *c)
{
	struct flight *f = l->flight;
	char until[32];
	int64_t wait_s = c->ends_s - clock_wall_s();
	clock_rfc3339(c->ends_s, until);
	pools_settled(l->a->pools, l->pool);
	l->out->step = STEP_FAILED;
	l->out->retry_ms = (wait_s > 1 ? wait_s : 1) * 1000 + azure_jitter(0, 1000);
	if (f->reason[0]) { /* this claim's own refusal says more */
		l->out->insufficient = f->insufficient;
		snprintf(l->out->reason, sizeof l->out->reason, "%s", f->reason);
		snprintf(l->out->message, sizeof l->out->message, "%s", f->message);
	} else {
		l->out->insufficient = means_insufficient(c->reason);
		snprintf(l->out->reason, sizeof l->out->reason, "%.64s", c->reason);
		char told[501];
		offerings_told(l->a->offerings, c->reason, told, sizeof told);
		snprintf(l->out->message, sizeof l->out->message, "%s%snone of the %zu offerings of this claim can be had now (%.95s was refused lately), tried again at %.31s",
			 told[0] ? told : c->reason, told[0] ? "; " : ": ", c->closed, c->type, until);
	}
	snprintf(l->out->event, sizeof l->out->event, "%s", l->out->reason);
	return 0;
}

/* A fallback is told with the refusal. */
static void add_next(struct flight *f, const struct memo *m)
{
	size_t n = strlen(f->message);
	snprintf(f->message + n, sizeof f->message - n, "; next: %s%s%s%s", m->sku, m->spot ? " spot" : "", m->zone[0] ? " in " : "", m->zone);
}

int launch_next_offering(struct launch *l)
{
	struct choice c = {.a = l->a};
	struct memo *m = &l->memo;
	launch_read_quota(l->a);
	if (l->claim->n_instance_types == 0)
		return launch_terminal(l, "InvalidClaim", "InvalidClaim: the claim names no instance type: add a requirement node.kubernetes.io/instance-type In [...]");
	if (!launch_each_offering(l->claim, l->a->environment->location, try_offering, &c))
		return none_left(l, &c);
	if (strlen(c.found.instance_type) > MEMO_SKU_MAX)
		return launch_terminal(l, "InvalidClaim", "InvalidClaim: the instance type's name is too long for Azure");
	m->attempt += m->phase != MEMO_NONE;
	m->spot = c.found.spot;
	snprintf(m->sku, sizeof m->sku, "%s", c.found.instance_type);
	snprintf(m->zone, sizeof m->zone, "%s", c.found.zone);
	if (l->flight->tell)
		add_next(l->flight, m);
	return launch_persist(l, MEMO_INTENT, NULL);
}

/* explain.c: the request that would be sent for a claim and why, as text for people. Nothing is sent. */
#include "azure/launch.h"

#include "base/clock.h"
#include "codec/json.h"
#include <string.h>

struct explanation { struct azure *a; struct buf *out; bool found; struct offering chosen; char zone[64]; };

static void put_offering(struct buf *out, const struct offering *o)
{
	buf_printf(out, "%s, %s, %s%s", o->instance_type, o->spot ? "spot" : "on-demand", o->zone[0] ? "zone " : "any zone", o->zone);
}

static bool each_offering(void *context, const struct offering *o)
{
	struct explanation *e = context;
	char reason[65] = "", until[32];
	int64_t ends_s = 0;
	buf_puts(e->out, "  - ");
	put_offering(e->out, o);
	if (!launch_offering_open(e->a, o, reason, &ends_s)) {
		clock_rfc3339(ends_s, until);
		buf_printf(e->out, ": left out until %s, %s\n", until, reason);
		return false;
	}
	buf_puts(e->out, e->found ? ": if the ones before it fail\n" : ": chosen\n");
	if (!e->found) {
		e->chosen = *o;
		snprintf(e->zone, sizeof e->zone, "%s", o->zone);
		e->chosen.zone = e->zone;
		e->found = true;
	}
	return false;
}

static void put_request(struct azure *a, const char *pool, const json_t *body, struct buf *out)
{
	CLEANUP(mem_freep) char *path = arm_pool_path(a->environment, pool);
	buf_printf(out, "PUT %s%s?api-version=%s\nIf-None-Match: *\nContent-Type: application/json\n\n", a->environment->arm, path,
		   azure_unit_version(a, pool) ? azure_unit_version(a, pool) : ARM_API_VERSION);
	json_print(body, JSON_PRINT_INDENT, out);
	buf_putc(out, '\n');
}

/* Labels of the claim that the pool does not get. */
static void put_left_out(const struct claim_view *claim, const json_t *labels, struct buf *out)
{
	const char *key;
	json_t *value;
	size_t n = 0;
	json_object_foreach((json_t *)(uintptr_t)claim->labels, key, value)
		if (!json_object_get(labels, key))
			buf_printf(out, "%s%s", n++ ? ", " : "labels left out, because AKS sets or refuses them (the Node gets them when it is registered): ", key);
	if (n)
		buf_putc(out, '\n');
}

static void put_facts(const struct claim_view *claim, const char *pool, const json_t *body, struct buf *out)
{
	const json_t *p = json_object_get(body, "properties");
	const char *name = aks_machine_is(pool) ? aks_machine_name_of(pool) : pool;
	buf_printf(out, "%s: %s%s%s\n", azure_unit_word(pool), pool, strcmp(name, claim->name) == 0 ? ", as the claim" : ", a hash of the claim's name, which is no name for an ",
		   strcmp(name, claim->name) == 0 ? "" : azure_unit_word(pool));
	buf_printf(out, "disk: %lld GiB (requested %lld)\n", (long long)json_integer_value(json_object_get(p, "osDiskSizeGB")), (long long)(claim->storage_bytes >> 30));
	buf_printf(out, "image: %s%s%s\n", json_string_value(json_object_get(p, "osSKU")), claim->image_family && claim->image_family[0] ? ", from " ANNOTATION_IMAGE_FAMILY "=" : "",
		   claim->image_family ? claim->image_family : "");
	buf_printf(out, "node class: %s\n", claim->node_class ? claim->class_name : "none found, the defaults hold");
	put_left_out(claim, json_object_get(p, "nodeLabels"), out);
}

static void put_quota(struct azure *a, const struct offering *o, struct buf *out)
{
	struct failure f;
	switch (quota_check(a->quota, o->instance_type, o->spot, a->environment->location, clock_now_ms(), &f)) {
	case QUOTA_UNKNOWN:
		buf_puts(out, "quota: not known here\n");
		break;
	case QUOTA_ENOUGH:
		buf_puts(out, "quota: enough\n");
		break;
	case QUOTA_SHORT:
		buf_printf(out, "quota: %s\n", f.message);
		break;
	}
}

int azure_explain(struct cloud *c, const struct claim_view *claim, struct buf *out, struct err *err)
{
	struct azure *a = (struct azure *)c;
	struct explanation e = {.a = a, .out = &(struct buf){0}};
	char pool[UNIT_NAME_MAX + 1];
	CLEANUP(json_decrefp) json_t *body = NULL, *request = NULL;
	azure_unit_of(a, claim, pool);
	launch_each_offering(claim, a->environment->location, each_offering, &e);
	/* Without an open offering the most wanted one shows what is wrong with the claim, if anything is. */
	const struct offering wanted = {claim->n_instance_types ? claim->instance_types[0] : NULL, claim->n_zones ? claim->zones[0] : "", claim->spot};
	int made = agent_pool_body(claim, e.found ? &e.chosen : &wanted, pool, azure_unit_version(a, pool), &body, err);
	if (made == 0)
		made = azure_unit_body(a, claim, e.found ? &e.chosen : &wanted, pool, &request, err);
	if (made == 0) {
		put_request(a, pool, request, out);
		buf_puts(out, "\nwhy\n");
		put_facts(claim, pool, body, out);
		put_quota(a, e.found ? &e.chosen : &wanted, out);
		buf_puts(out, "offerings, in the order they are tried:\n");
		buf_put_str(out, buf_str(e.out));
	}
	buf_done(e.out);
	return made < 0 ? -1 : 0;
}

/* aws_explain.c: the requests that would be sent for a claim and why, as text for people. Nothing is sent: what selectors would find stands
 * there in words. */
#include "aws/aws_parts.h"
#include "aws/fleet_request.h"

#include "kube/meta.h"
#include <string.h>

/* A field a line, decoded. */
static void put_form(const char *form, struct buf *out)
{
	for (const char *at = form; at; at = strchr(at, '&') ? strchr(at, '&') + 1 : NULL) {
		CLEANUP(mem_freep) char *name = mem_strndup(at, strcspn(at, "="));
		CLEANUP(mem_freep) char *value = fleet_request_field(at, name);
		buf_printf(out, "%s=%s\n", name, value ? value : "");
	}
}

static json_t *ec2_class(const struct aws *a, const struct claim_view *claim)
{
	json_t *object = NULL;
	struct err ignored = ERR_INIT; /* without the class the defaults are shown, and it is said */
	bool named = strcmp(claim->class_group, KUBE_EC2_NODE_CLASSES.group) == 0 && strcmp(claim->class_kind, KUBE_EC2_NODE_CLASSES.kind) == 0;
	if (!named || !a->options.kube || kube_get(a->options.kube, &KUBE_EC2_NODE_CLASSES, NULL, claim->class_name, &object, &ignored) < 0)
		return NULL;
	json_t *spec = json_incref(json_object_get(object, "spec"));
	json_decref(object);
	return spec;
}

static void put_why(const struct claim_view *claim, const struct claim_view *seen, const struct plan *p, const struct fleet_choice *choice, const struct buf *offerings, struct buf *out)
{
	buf_puts(out, "\nwhy\n");
	buf_printf(out, "node class: %s%s\n", claim->class_name, seen->node_class ? "" : claim->class_name[0] ? ", not read here; the defaults hold" : "none, the defaults hold");
	buf_printf(out, "image: %s\n", p->image);
	buf_printf(out, "disk: the claim asks for %lld GiB\n", (long long)(claim->storage_bytes >> 30));
	buf_printf(out, "capacity: %s%s\n", choice->spot ? "spot" : "on-demand", choice->spot && claim->on_demand ? ", on-demand when there is none" : "");
	buf_printf(out, "the same ClientToken comes with the same request, so that a repetition makes no second instance\noffered to EC2, in this order:\n%.*s", (int)offerings->len,
		   offerings->len ? offerings->data : "");
}

int aws_explain(struct cloud *c, const struct claim_view *claim, struct buf *out, struct err *err)
{
	struct aws *a = (struct aws *)c;
	CLEANUP(plan_done) struct plan p = {0};
	CLEANUP(json_decrefp) json_t *spec = ec2_class(a, claim);
	CLEANUP(buf_done) struct buf offerings = {0};
	CLEANUP(mem_freep) char *form = NULL;
	const struct plan_context pc = {.settings = a->settings, .offline = true};
	const struct fleet_context fc = {a->offerings, a->settings, atomic_load(&a->no_fleet)};
	struct claim_view seen = *claim;
	struct fleet_choice choice;
	bool spent = false;
	int64_t wait_ms = 0;
	seen.node_class = spec;
	if (plan_make(&pc, &seen, &spent, &p, &wait_ms, err) != 0)
		return -1;
	fleet_request_make(&fc, &seen, &p, 0, &form, &choice, &offerings);
	if (!form)
		return err_set(err, ERR_INVALID, "no instance type and zone of the claim can be asked for");
	buf_puts(out, "# unless a launch template of this name exists\n");
	put_form(p.template_form, out);
	buf_putc(out, '\n');
	put_form(form, out);
	put_why(claim, &seen, &p, &choice, &offerings, out);
	return 0;
}

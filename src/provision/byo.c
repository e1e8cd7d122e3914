/* byo.c: the cluster's own nodes. Nothing is created or deleted; the nodes that match the Workspace's labels are counted. Who waits
 * is woken by a node's event: the Workspace controller looks for the selectors that match it. */
#include "provision/node.h"
#include "provision/report.h"
#include "provision/ways.h"

static int start(const struct node_context *c, int64_t deadline_ms, struct err *err)
{
	(void)c;
	(void)deadline_ms;
	(void)err;
	return 0;
}

static int release(const struct node_context *c, const struct node_request *r, struct err *err)
{
	(void)c;
	(void)r;
	(void)err;
	return 0;
}

struct search { const struct node_request *r; json_t *usable; };

static void consider(void *context, const json_t *node)
{
	struct search *s = context;
	json_t *one = json_array();
	json_array_append(one, (json_t *)(uintptr_t)node);
	json_t *usable = node_usable(one, s->r, NULL);
	json_array_extend(s->usable, usable);
	json_decref(usable);
	json_decref(one);
}

static int ensure(const struct node_context *c, const struct node_request *r, struct node_report *out, struct err *err)
{
	(void)err;
	struct node_request any_type = *r; /* own machines need not tell a type, and a selector says enough */
	any_type.instance_type = "";
	struct search s = {&any_type, json_array()};
	informer_each(c->nodes, consider, &s);
	out->ready = report_nodes(out, s.usable, r->count, "Enough Nodes are ready");
	json_decref(s.usable);
	return 0;
}

static json_t *terms(const struct node_context *c, const struct node_request *r)
{
	(void)c;
	(void)r;
	return json_array();
}

const struct provisioner BYO_PROVISIONER = {.name = "byo", .start = start, .ensure = ensure, .release = release, .terms = terms};

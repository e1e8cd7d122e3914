/* gpu_provisioner.c: one claim per node, fulfilled by Azure's gpu-provisioner, by Karpenter or by `kaito provisioner`.
 *
 * Own nodes count where the pods can land on them: the pods are tied to kaito.sh/workspace and kaito.sh/workspacenamespace, so a node
 * that its administrator labelled so, without a taint of its own, saves a claim, and any other does not. Surplus claims stay until the Workspace goes. */
#include "base/mem.h"
#include "provision/claims.h"
#include "provision/gpu_plugin.h"
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

static json_t *usable_nodes(const struct node_context *c, const struct node_request *r)
{
	CLEANUP(mem_freep) char *key = identity_key(r);
	CLEANUP(json_decrefp) json_t *candidates = informer_find(c->nodes, key);
	return node_usable(candidates, r, &IDENTITY_CLAIM);
}

static int own_nodes(const json_t *usable)
{
	int own = 0;
	const json_t *node;
	size_t i;
	json_array_foreach(usable, i, node)
		own += node_own(node) && node_takes_pods(node);
	return own;
}

static int report(const struct node_context *c, const struct node_request *r, const json_t *claims, const json_t *usable, int needed, struct node_report *out,
		  struct err *err)
{
	bool claims_ready = report_claims(out, claim_dialect_of(c->options), claims, needed);
	bool nodes_ready = report_nodes(out, usable, r->count, "Enough Nodes are ready");
	out->ready = claims_ready && nodes_ready;
	if (!out->ready || !r->gpu)
		return 0;
	int waiting = gpu_plugin_check(c, r, usable, err);
	if (waiting < 0)
		return -1;
	if (waiting) {
		report_plugins_missing(out);
		out->ready = false;
	}
	return 0;
}

static int release(const struct node_context *c, const struct node_request *r, struct err *err)
{
	return claims_release(c, r, err);
}

static int ensure(const struct node_context *c, const struct node_request *r, struct node_report *out, struct err *err)
{
	if (r->release) {
		if (release(c, r, err) < 0)
			return -1;
		report_released(out);
		return 0;
	}
	CLEANUP(json_decrefp) json_t *usable = usable_nodes(c, r), *claims = claims_of(c, r);
	int own = own_nodes(usable), needed = r->count > own ? r->count - own : 0;
	if (claims_request(c, r, needed, claims, err) < 0)
		return -1;
	struct node_report found = {0};
	if (report(c, r, claims, usable, needed, &found, err) < 0) {
		node_report_done(&found);
		return -1;
	}
	*out = found;
	return 0;
}

static json_t *terms(const struct node_context *c, const struct node_request *r)
{
	(void)c;
	return identity_terms(&IDENTITY_CLAIM, r);
}

const struct provisioner GPU_PROVISIONER = {
	.name = "azure-gpu-provisioner",
	.uses_claims = true,
	.provisions = true,
	.start = start,
	.ensure = ensure,
	.release = release,
	.terms = terms,
};

/* gpu_plugin.c: see gpu_plugin.h. */
#include "provision/gpu_plugin.h"

#include "base/mem.h"
#include "kube/meta.h"
#include "provision/node.h"

static int label(const struct node_context *c, const json_t *node, struct err *err)
{
	if (node_own(node) || meta_label(node, "accelerator"))
		return 0;
	CLEANUP(json_decrefp) json_t *body = json_pack("{s:{s:{s:s}}}", "metadata", "labels", "accelerator", "nvidia"), *answer = NULL;
	struct err failure = ERR_INIT;
	if (kube_patch(c->kube, &KUBE_NODES, NULL, meta_name(node), NULL, KUBE_PATCH_MERGE, body, &answer, &failure) < 0) {
		if (failure.kind == ERR_NOT_FOUND)
			return 0;
		*err = failure;
		return err_wrap(err, "label node %s", meta_name(node));
	}
	informer_learn(c->nodes, answer);
	return 0;
}

int gpu_plugin_check(const struct node_context *c, const struct node_request *r, const json_t *usable, struct err *err)
{
	int with_gpu = 0;
	const json_t *node;
	size_t i;
	json_array_foreach(usable, i, node) {
		if (label(c, node, err) < 0)
			return -1;
		with_gpu += node_gpus(node) > 0;
	}
	return with_gpu < r->count;
}

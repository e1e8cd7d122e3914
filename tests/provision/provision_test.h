/* provision_test.h: a Workspace's request, scripted nodes and claims, and a context over fake_kube. */
#pragma once
#include "base/mem.h"
#include "fake_kube.h"
#include "kube/meta.h"
#include "provision/provision.h"
#include <stdio.h>
#include <string.h>

struct scene {
	struct node_options options;
	struct node_context c;
	struct node_request r;
	json_t *owner, *labels;
};

static inline void scene_open(struct scene *s)
{
	fake_reset();
	*s = (struct scene){0};
	s->options = (struct node_options){"azure", "", "nodeclaim", "karpenter.azure.com", "AKSNodeClass", "v1beta1", "aksnodeclasses",
					   "[{\"name\":\"image-family-ubuntu\",\"default\":true,\"spec\":{\"osDiskSizeGB\":300}},{\"name\":\"image-family-azure-linux\"}]"};
	s->c = (struct node_context){
		.kube = fake_client(),
		.nodes = informer_new(fake_client(), &(struct informer_options){.resource = &KUBE_NODES, .transform = node_transform, .index = node_index}),
		.claims = informer_new(fake_client(), &(struct informer_options){.resource = &KUBE_NODE_CLAIMS, .transform = claim_transform, .index = claim_index}),
		.pools = informer_new(fake_client(), &(struct informer_options){.resource = &KUBE_NODE_POOLS}),
		.events = fake_events(),
		.options = &s->options,
	};
	s->owner = meta_new(&KUBE_WORKSPACES, "ns", "ws");
	s->labels = json_pack("{s:s}", "apps", "phi");
	s->r = (struct node_request){.owner = s->owner, .name = "ws", .namespace_ = "ns", .uid = "u-1", .inference_set = "", .match_labels = s->labels,
				     .instance_type = "Standard_NC24ads_A100_v4", .count = 1, .storage = "87Gi", .image_family = "", .node_class = "", .gpu = true};
}

static inline void scene_close(struct scene *s)
{
	informer_free(s->c.nodes);
	informer_free(s->c.claims);
	informer_free(s->c.pools);
	json_decref(s->owner);
	json_decref(s->labels);
}

/* A Ready node that the pods of the scene can land on; pool NULL: an own node. */
static inline json_t *scene_node(const struct scene *s, const char *name, const char *pool, const char *gpus)
{
	json_t *node = meta_new(&KUBE_NODES, NULL, name);
	meta_set_label(node, "apps", "phi");
	meta_set_label(node, "node.kubernetes.io/instance-type", s->r.instance_type);
	meta_set_label(node, "kaito.sh/workspace", s->r.name);
	meta_set_label(node, "kaito.sh/workspacenamespace", s->r.namespace_);
	if (pool)
		meta_set_label(node, "karpenter.sh/nodepool", pool);
	json_object_set_new(node, "status", json_pack("{s:{s:s,s:s}}", "capacity", "nvidia.com/gpu", gpus, "cpu", "24"));
	fake_set_condition(node, "Ready", "True", "KubeletReady", "");
	fake_put(&KUBE_NODES, node);
	return node;
}

static inline void scene_claim_ready(json_t *claim)
{
	fake_set_condition(claim, "Launched", "True", "Launched", "");
	fake_set_condition(claim, "Registered", "True", "Registered", "");
	fake_set_condition(claim, "Initialized", "True", "Initialized", "");
	fake_set_condition(claim, "Ready", "True", "Ready", "");
}

#define ensure_ok(s, report) \
	do { \
		struct err e_ = ERR_INIT; \
		node_report_done(report); \
		*(report) = (struct node_report){0}; \
		int rc_ = way->ensure(&(s)->c, &(s)->r, report, &e_); \
		ck_assert_msg(rc_ == 0, "%s", e_.message); \
	} while (0)

/* options.h: everything `kaito controller` can be told, from flags, environment and feature gates. Immutable after start. */
#pragma once
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

enum feature_gate { /* order of the table in options.c */
	GATE_VLLM, GATE_BYO /* disableNodeAutoProvisioning */, GATE_GATEWAY_API, GATE_INFERENCE_SET, GATE_MIG, GATE_ACCELERATOR,
	GATE_MULTI_ROLE, GATE_MODEL_MIRROR, GATE_MODEL_STREAMING, GATE_AUTO_UPGRADE, GATE_COUNT
};
struct control_options {
	bool gates[GATE_COUNT];
	const char *cloud;              /* CLOUD_PROVIDER: "azure" "aws" "arc" */
	const char *registry;           /* PRESET_REGISTRY_NAME, "mcr.microsoft.com/aks/kaito" */
	const char *base_tag;           /* CATALOG_BASE_TAG unless overridden */
	const char *legacy_base_image;  /* --legacy-base-image, for GPUs below compute capability 8.0; NULL: run natively on the node's CPU */
	const char *native_image;       /* --native-image: the image that holds this program */
	const char *release_namespace;  /* where the default ConfigMaps and the webhook's Secret are */
	const char *node_provisioner;   /* "azure-gpu-provisioner" "karpenter" "byo" */
	const char *node_api;           /* --node-api: "nodeclaim" (karpenter.sh/v1) or "machine" (karpenter.sh/v1alpha5) */
	const char *default_image_family; /* "", "ubuntu", "azurelinux" */
	const char *node_class_group, *node_class_kind, *node_class_version, *node_class_resource, *node_classes_json;
	/* Images that upstream hard-codes; each has a flag, the default is upstream's. */
	const char *image_skopeo, *image_oras_pull, *image_oras_push, *image_pause, *image_curl, *image_routing_sidecar;
	const char *hub_url;            /* NULL: the hub's default */
	const char *mirror_storage_class, *streaming_service_account, *mirror_cpu, *mirror_memory;
};
/* "a=true,b=false"; an unknown name is ERR_USAGE "invalid feature gate(s) …". */
WARN_UNUSED int control_gates_parse(struct control_options *o, const char *text, struct err *err);
/* Upstream's defaults. */
struct control_options control_options_default(void);

/* options.c: defaults and the feature gates table. */
#include "crd/options.h"

#include "base/mem.h"
#include "base/str.h"
#include "catalog/model.h"
#include <string.h>

/* In the order of enum feature_gate. */
static const struct { const char *name; bool fallback; } GATES[GATE_COUNT] = {
	[GATE_VLLM] = {"vLLM", true},
	[GATE_BYO] = {"disableNodeAutoProvisioning", false},
	[GATE_GATEWAY_API] = {"gatewayAPIInferenceExtension", false},
	[GATE_INFERENCE_SET] = {"enableInferenceSetController", true},
	[GATE_MIG] = {"enableMIG", false},
	[GATE_ACCELERATOR] = {"enableAccelerator", false},
	[GATE_MULTI_ROLE] = {"enableMultiRoleInferenceController", false},
	[GATE_MODEL_MIRROR] = {"ModelMirror", false},
	[GATE_MODEL_STREAMING] = {"ModelStreaming", false},
	[GATE_AUTO_UPGRADE] = {"enableBaseImageAutoUpgrade", false},
};

struct control_options control_options_default(void)
{
	struct control_options o = {
		.cloud = "azure",
		.registry = "mcr.microsoft.com/aks/kaito",
		.base_tag = "0.5.0",
		.native_image = "kaito:latest",
		.release_namespace = "kaito-workspace",
		.node_provisioner = "azure-gpu-provisioner",
		.node_api = "nodeclaim",
		.default_image_family = "",
		.node_class_group = "karpenter.azure.com",
		.node_class_kind = "AKSNodeClass",
		.node_class_version = "v1beta1",
		.node_class_resource = "aksnodeclasses",
		.image_skopeo = "mcr.microsoft.com/aks/skopeo:1.14.4-6",
		.image_oras_pull = "mcr.microsoft.com/oss/v2/oras-project/oras:v1.2.3",
		.image_oras_push = "ghcr.io/oras-project/oras:v1.2.2",
		.image_pause = "registry.k8s.io/pause:latest",
		.image_curl = "curlimages/curl",
		.image_routing_sidecar = "mcr.microsoft.com/oss/v2/llm-d/llm-d-routing-sidecar:v0.8.0",
	};
	for (int i = 0; i < GATE_COUNT; i++)
		o.gates[i] = GATES[i].fallback;
	return o;
}

static int gate_set(struct control_options *o, str pair, struct err *err)
{
	size_t eq = str_find(pair, '=', 0);
	str name = str_trim(str_sub(pair, 0, eq)), value = eq < pair.len ? str_trim(str_sub(pair, eq + 1, pair.len)) : STR("");
	if (!str_eqz(value, "true") && !str_eqz(value, "false"))
		return err_set(err, ERR_USAGE, "feature gate '%.*s' needs =true or =false", STR_FMT(name));
	for (int i = 0; i < GATE_COUNT; i++)
		if (str_eqz(name, GATES[i].name)) {
			o->gates[i] = str_eqz(value, "true");
			return 0;
		}
	return err_set(err, ERR_USAGE, "invalid feature gate(s) %.*s", STR_FMT(name));
}

int control_gates_parse(struct control_options *o, const char *text, struct err *err)
{
	str rest = str_of(text);
	for (size_t from = 0; from < rest.len;) {
		size_t end = str_find(rest, ',', from);
		str pair = str_trim(str_sub(rest, from, end));
		if (pair.len && gate_set(o, pair, err) < 0)
			return -1;
		from = end + 1;
	}
	return 0;
}

/* gateway_api.h: the InferencePool of an InferenceSet or MultiRoleInference behind a Gateway (gate gatewayAPIInferenceExtension): a Flux
 * OCIRepository and HelmRelease "<owner>-inferencepool" that install the llm-d router chart. Owned by the object, so they go with it.
 * Nothing waits: what is not ready yet is told in a condition and looked at again. */
#pragma once
#include "control/control.h"

struct gateway_api_pool {
	const struct kube_resource *kind;
	const json_t *owner;
	const char *label;   /* of the pods: label=<owner's name> */
	const char *plugins; /* the endpoint picker's configuration (YAML); NULL: the chart's */
};
struct gateway_api_state { bool wanted, ready; char reason[64], message[257]; };
enum { GATEWAY_API_POLL_MS = 10000 }; /* Flux objects are not watched */

/* Creates or mends both objects and reports. A cluster without Flux is a state, not an error. */
WARN_UNUSED int gateway_api_ensure(struct control *c, const struct gateway_api_pool *pool, struct gateway_api_state *out, struct err *err);
/* Every member of `wanted` is in `has` with that value; `has` may hold more (defaults). */
bool gateway_api_covers(const json_t *has, const json_t *wanted);

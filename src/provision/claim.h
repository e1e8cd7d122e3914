/* claim.h: the object that asks for one node, in two dialects: karpenter.sh/v1 NodeClaim, and the older karpenter.sh/v1alpha5 Machine
 * that gpu-provisioner 0.1 and 0.2 fulfil. Cluster-scoped. claim_transform and claim_index are in provision.h. */
#pragma once
#include "provision/identity.h"

struct claim_dialect {
	const char *name;                     /* --node-api */
	const struct kube_resource *resource;
	const char *steps[3];                 /* condition types of its life, in order */
	json_t *(*build)(const struct node_options *o, const struct node_request *r, const char *name, const char *storage);
};
/* "machine", else NodeClaim. */
const struct claim_dialect *claim_dialect_of(const struct node_options *o);
bool claim_ready(const json_t *claim);
/* The body of the create request; new reference. ERR_INVALID for a storage size that is no quantity. */
WARN_UNUSED int claim_build(const struct claim_dialect *d, const struct node_options *o, const struct node_request *r, const char *name, json_t **out,
			    struct err *err);

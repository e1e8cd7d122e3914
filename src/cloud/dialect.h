/* dialect.h: the two kinds of object that ask for one node: karpenter.sh/v1 NodeClaim, and the older karpenter.sh/v1alpha5 Machine of
 * gpu-provisioner 0.1 and 0.2. They differ in names only; the life of a claim is the same code. Rows are immutable. */
#pragma once
#include "kube/resource.h"
#include <jansson.h>
#include <stdbool.h>

struct dialect {
	const char *name;                          /* "nodeclaim" | "machine": the first part of a work-queue key */
	const struct kube_resource *claims;
	const char *launched, *registered, *initialized; /* condition types; the root is "Ready" in both */
	const char *pool_label, *pool_default;     /* karpenter.sh/nodepool=kaito | karpenter.sh/provisioner-name=default */
	const char *pod_do_not_disrupt;            /* annotation of a pod that blocks a drain; karpenter.sh/do-not-disrupt is heeded in both */
	bool knative;                              /* conditions without observedGeneration, as knative's sets have them */
};
extern const struct dialect DIALECT_NODE_CLAIM, DIALECT_MACHINE;
const struct dialect *dialect_find(const char *name);              /* NULL: unknown */
const struct dialect *dialect_of(const json_t *claim);             /* by apiVersion and kind; NULL: neither */

/* Names that both sides of a claim use (Karpenter's, gpu-provisioner's, and ours). */
#define FINALIZER_TERMINATION "karpenter.sh/termination"
#define LABEL_INSTANCE_TYPE "node.kubernetes.io/instance-type"
#define LABEL_ZONE "topology.kubernetes.io/zone"
#define LABEL_REGION "topology.kubernetes.io/region"
#define LABEL_CAPACITY_TYPE "karpenter.sh/capacity-type"
#define LABEL_REGISTERED "karpenter.sh/registered"
#define LABEL_INITIALIZED "karpenter.sh/initialized"
#define LABEL_DO_NOT_SYNC_TAINTS "karpenter.sh/do-not-sync-taints"
#define LABEL_EXCLUDE_BALANCERS "node.kubernetes.io/exclude-from-external-load-balancers"
#define LABEL_KAITO_WORKSPACE "kaito.sh/workspace"
#define LABEL_KAITO_RAG_ENGINE "kaito.sh/ragengine"
#define LABEL_NODE_CLASS "kaito.sh/kaitonodeclass"
#define LABEL_MACHINE_TYPE "kaito.sh/machine-type"
#define LABEL_CREATION_TIMESTAMP "kaito.sh/creation-timestamp"
#define LABEL_CLAIM_NAME "kaito.sh/nodeclaim"                      /* on pools and Nodes whose name is not the claim's (long claim names) */
#define ANNOTATION_DO_NOT_DISRUPT "karpenter.sh/do-not-disrupt"
#define ANNOTATION_TERMINATION_TIME "karpenter.sh/nodeclaim-termination-timestamp"
#define ANNOTATION_IMAGE_FAMILY "kaito.sh/node-image-family"
#define ANNOTATION_OPERATION "kaito.sh/cloud-operation"            /* ours: what the cloud is doing for this claim (cloud.h, memo) */
#define TAINT_DISRUPTED "karpenter.sh/disrupted"
#define TAINT_UNREGISTERED "karpenter.sh/unregistered"

/* claim_view.h: a NodeClaim or Machine as fulfillers read it: what is asked for, parsed once and checked. Everything is borrowed from
 * the object, which must outlive the view; claim_view_done frees the lists. */
#pragma once
#include "base/err.h"
#include "cloud/dialect.h"
#include <stdint.h>

struct claim_view {
	const struct dialect *dialect;
	const json_t *object;
	const char *name, *uid;
	int64_t created_s;                    /* metadata.creationTimestamp */
	/* Values of `In` requirements in the order given (the first is preferred); requirements of one key narrow each other. */
	const char **instance_types; size_t n_instance_types;
	const char **zones; size_t n_zones;   /* none: the cloud chooses (claim_view_allows) */
	bool regional;                        /* must not be tied to a zone */
	bool spot, on_demand;                 /* capacity types allowed; spot is tried first when both are. Neither asked: on_demand */
	const char *os, *arch;                /* "linux", "amd64" unless asked */
	int64_t storage_bytes;                /* spec.resources.requests.storage; 0: none */
	const char *image_family;             /* annotation, "" none */
	const char *class_group, *class_kind, *class_name;
	const json_t *labels, *annotations, *taints, *startup_taints; /* may be NULL */
	const char *memo;                     /* annotation ANNOTATION_OPERATION or NULL */
	const json_t *node_class;             /* the node class's spec; NULL: none was found; set by the caller */
};
/* ERR_INVALID for an object that is no claim, or whose requirements contradict each other (the message names the key). */
WARN_UNUSED int claim_view_init(struct claim_view *v, const json_t *claim, struct err *err);
void claim_view_done(struct claim_view *v);
/* Whether all requirements of that key (or one that means the same) let the value pass. A key nobody asks about: true. */
bool claim_view_allows(const struct claim_view *v, const char *key, const char *value);
/* "2026-11-24T08:00:00Z" as Unix time; NULL or no time: 0. */
int64_t claim_view_time(const char *rfc3339);
/* Labels that follow from requirements with a single value; new object. Keys that AKS or Karpenter would refuse on a node are left out. */
json_t *claim_view_requirement_labels(const struct claim_view *v);
/* Whether this provisioner fulfils the claim: nodeClassRef kaito.sh/KaitoNodeClass, or label kaito.sh/workspace or kaito.sh/ragengine. */
bool claim_managed(const json_t *claim);
/* The same for a Node: label kaito.sh/kaitonodeclass or one of those two. */
bool claim_managed_node(const json_t *node);

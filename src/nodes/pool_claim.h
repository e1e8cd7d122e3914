/* pool_claim.h: static NodePools and their claims as values: which pools are ours, how a claim of a pool is named and made, and the hashes
 * by which drift is seen.
 *
 * A claim's name is "np" and nine hex digits of SHA-256 over the pool's uid and a slot number, which fits an agent pool's name. A slot
 * always has the same name, so whoever asks a second time, after a crash or beside another leader, is told by the API server that the
 * claim exists. Karpenter lets the API server draw names (generateName) and can make a claim twice. */
#pragma once
#include "nodes/nodes.h"

#define ANNOTATION_POOL_HASH "karpenter.sh/nodepool-hash"
#define ANNOTATION_POOL_HASH_VERSION "karpenter.sh/nodepool-hash-version"
#define ANNOTATION_CLASS_HASH "kaito.sh/kaitonodeclass-hash"
#define ANNOTATION_CLASS_HASH_VERSION "kaito.sh/kaitonodeclass-hash-version"
#define POOL_HASH_VERSION "kaito-v1" /* of both; a claim with another one is not compared */
#define LABEL_POOL "karpenter.sh/nodepool"
#define POOL_CLASS_DEFAULT "default" /* this node class need not exist: then all is as the cloud has it */

enum { POOL_CLAIM_NAME = 12, POOL_HASH = 17 };
/* A pool with replicas whose template names a KaitoNodeClass: the only ones that this program looks after. */
bool pool_is_static(const json_t *pool);
/* Its ownerReferences name the pool by uid. The label alone is not enough: a Workspace's claims carry it for no pool. */
bool pool_owns(const json_t *pool, const json_t *claim);
const char *pool_class_name(const json_t *pool);
void pool_claim_name(const json_t *pool, unsigned slot, char out[POOL_CLAIM_NAME]);
/* The body of the create request; node_class may be NULL. New reference. */
json_t *pool_claim(const json_t *pool, const json_t *node_class, const char *name);
/* Of what makes a claim different when it changes: the template without its requirements (those are compared with the claim itself). */
void pool_hash(const json_t *pool, char out[POOL_HASH]);
void pool_class_hash(const json_t *node_class, char out[POOL_HASH]); /* of its spec; NULL: of an empty one */

/* identity.h: which Workspace a claim, pool or node belongs to (label pairs), and the deterministic names of what is requested.
 *
 * A name is "ws" and nine hex digits of SHA-256 over namespace, name, uid, slot and attempt of the Workspace, which fits the
 * strictest fulfiller (an AKS agent pool: ^[a-z][a-z0-9]{0,11}$). The same slot always has the same name, so whoever asks a second
 * time, after a crash or with a stale cache, is told by the API server that it exists. The attempt rises only past a name that
 * somebody else holds. */
#pragma once
#include "provision/provision.h"
#include <stdbool.h>

#define LABEL_CLAIM_WORKSPACE "kaito.sh/workspace"
#define LABEL_CLAIM_NAMESPACE "kaito.sh/workspacenamespace"
#define LABEL_POOL_WORKSPACE "karpenter.kaito.sh/workspace-name"
#define LABEL_POOL_NAMESPACE "karpenter.kaito.sh/workspace-namespace"

struct identity_labels { const char *workspace, *namespace_; };
extern const struct identity_labels IDENTITY_CLAIM, IDENTITY_POOL; /* kaito.sh/… and karpenter.kaito.sh/… */

enum { IDENTITY_NAME = 12, IDENTITY_ATTEMPTS = 8 };
void identity_claim_name(const struct node_request *r, int slot, int attempt, char out[IDENTITY_NAME]);
/* The first nine hex digits of SHA-256 over the text. */
void identity_hash(const char *text, char out[10]);

bool identity_owns(const struct identity_labels *pair, const struct node_request *r, const json_t *object);
/* Pushes "namespace/name" for each pair that the object carries. */
void identity_index(const json_t *object, void (*add)(void *list, const char *key), void *list);
/* The request's "namespace/name". Caller frees. */
char *identity_key(const struct node_request *r);
/* Required node-affinity terms that pin pods to nodes with the pair; new reference. */
json_t *identity_terms(const struct identity_labels *pair, const struct node_request *r);

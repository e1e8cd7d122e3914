/* crd.h: the kinds as tables: fields, defaults, rules; schemas and CRD manifests are generated from them. To add a field: a row. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include <jansson.h>
#include <stddef.h>

enum { CRD_COUNT = 5, CRD_PROVISIONER_COUNT = 4 };
/* The CustomResourceDefinition of kind i (Workspace, InferenceSet, MultiRoleInference, ModelMirror, RAGEngine); new reference. */
json_t *crd_manifest(size_t i);
const char *crd_kind(size_t i);
/* The same for what the node provisioner serves: NodeClaim, NodePool, Machine, KaitoNodeClass. A cluster may have Karpenter's own already. */
json_t *crd_provisioner_manifest(size_t i);
const char *crd_provisioner_kind(size_t i);
/* Fills defaults of the version's schema in place, as the API server does at admission. Unknown versions: no change. For `kaito validate`. */
void crd_default(const char *kind, const char *api_version, json_t *object);
/* Unknown and mistyped fields of `object` under the version's schema, one "path: why" a line, as a strict decoder would say. Returns how many. */
size_t crd_check(const char *kind, const char *api_version, const json_t *object, struct buf *out);

"""Stand-ins for the CRDs of others that a workspace controller writes or reads: Karpenter, its Azure node classes, Flux.

They keep every field, and set only the defaults that show in the recorded objects. To add a kind: a row.
"""

CLAIM = {"spec": {"type": "object", "properties": {"expireAfter": {"type": "string", "default": "720h"}}}}
POOL = {
    "spec": {"type": "object", "properties": {
        "disruption": {"type": "object", "default": {"consolidateAfter": "0s"}, "properties": {
            "consolidateAfter": {"type": "string", "default": "0s"},
            "consolidationPolicy": {"type": "string", "default": "WhenEmptyOrUnderutilized"},
            "budgets": {"type": "array", "default": [{"nodes": "10%"}], "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}},
        "template": {"type": "object", "properties": {
            "metadata": {"type": "object"},
            "spec": {"type": "object", "properties": {"expireAfter": {"type": "string", "default": "720h"}}}}}}},
    "status": {"type": "object", "properties": {"nodes": {"type": "integer", "default": 0}}},
}
# group, version, kind, plural, namespaced, properties that carry defaults
STUBS = (
    ("karpenter.sh", "v1", "NodeClaim", "nodeclaims", False, CLAIM),
    ("karpenter.sh", "v1", "NodePool", "nodepools", False, POOL),
    ("karpenter.sh", "v1alpha5", "Machine", "machines", False, {}),
    ("karpenter.azure.com", "v1beta1", "AKSNodeClass", "aksnodeclasses", False, {}),
    ("kaito.sh", "v1alpha1", "KaitoNodeClass", "kaitonodeclasses", False, {}),
    ("source.toolkit.fluxcd.io", "v1", "OCIRepository", "ocirepositories", True, {}),
    ("helm.toolkit.fluxcd.io", "v2", "HelmRelease", "helmreleases", True, {}),
    ("inference.networking.k8s.io", "v1", "InferencePool", "inferencepools", True, {}),
)


def open_everywhere(schema):
    """Every object of the schema keeps what it does not know."""
    if schema.get("type") == "object":
        schema = dict(schema, **{"x-kubernetes-preserve-unknown-fields": True})
        if "properties" in schema:
            schema["properties"] = {key: open_everywhere(value) for key, value in schema["properties"].items()}
    return schema


def manifests():
    made = []
    for group, version, kind, plural, namespaced, properties in STUBS:
        properties = {"spec": {"type": "object"}, "status": {"type": "object"}, **properties}
        schema = open_everywhere({"type": "object", "properties": properties})
        made.append({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {
                "name": f"{plural}.{group}", "annotations": {"api-approved.kubernetes.io": "unapproved, a stand-in for tests"}},
            "spec": {"group": group, "scope": "Namespaced" if namespaced else "Cluster",
                     "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": kind + "List"},
                     "versions": [{"name": version, "served": True, "storage": True, "subresources": {"status": {}},
                                   "schema": {"openAPIV3Schema": schema}}]}})
    return made

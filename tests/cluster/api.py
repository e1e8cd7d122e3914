"""A Kubernetes API client over the standard library: what the harness needs, no more.

One `Api` per user; connections are kept per thread. Nothing here hides an answer: every call returns (status, object),
`must` is the form for calls that have to succeed. Watches are plain generators that end when the server ends them.
"""
import http.client
import json
import ssl
import threading
import urllib.parse

MERGE = "application/merge-patch+json"

# kind -> (path prefix, plural, namespaced). To add a kind: a row.
KINDS = {
    "Workspace": ("/apis/kaito.sh/v1beta1", "workspaces", True),
    "InferenceSet": ("/apis/kaito.sh/v1beta1", "inferencesets", True),
    "MultiRoleInference": ("/apis/kaito.sh/v1alpha1", "multiroleinferences", True),
    "NodeClaim": ("/apis/karpenter.sh/v1", "nodeclaims", False),
    "NodePool": ("/apis/karpenter.sh/v1", "nodepools", False),
    "Machine": ("/apis/karpenter.sh/v1alpha5", "machines", False),
    "Node": ("/api/v1", "nodes", False),
    "Namespace": ("/api/v1", "namespaces", False),
    "PersistentVolume": ("/api/v1", "persistentvolumes", False),
    "Service": ("/api/v1", "services", True),
    "ConfigMap": ("/api/v1", "configmaps", True),
    "Secret": ("/api/v1", "secrets", True),
    "ServiceAccount": ("/api/v1", "serviceaccounts", True),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims", True),
    "Pod": ("/api/v1", "pods", True),
    "Event": ("/api/v1", "events", True),
    "ControllerRevision": ("/apis/apps/v1", "controllerrevisions", True),
    "StatefulSet": ("/apis/apps/v1", "statefulsets", True),
    "Deployment": ("/apis/apps/v1", "deployments", True),
    "Job": ("/apis/batch/v1", "jobs", True),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases", True),
    "StorageClass": ("/apis/storage.k8s.io/v1", "storageclasses", False),
    "CustomResourceDefinition": ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions", False),
    "AKSNodeClass": ("/apis/karpenter.azure.com/v1beta1", "aksnodeclasses", False),
    "KaitoNodeClass": ("/apis/kaito.sh/v1alpha1", "kaitonodeclasses", False),
    "ClusterRole": ("/apis/rbac.authorization.k8s.io/v1", "clusterroles", False),
    "Role": ("/apis/rbac.authorization.k8s.io/v1", "roles", True),
    "OCIRepository": ("/apis/source.toolkit.fluxcd.io/v1", "ocirepositories", True),
    "HelmRelease": ("/apis/helm.toolkit.fluxcd.io/v2", "helmreleases", True),
}


class Refused(Exception):
    """A call that had to succeed did not."""


def path(kind, namespace=None, name=None, sub=None):
    prefix, plural, namespaced = KINDS[kind]
    parts = [prefix]
    if namespaced and namespace:
        parts.append(f"namespaces/{namespace}")
    parts.append(plural)
    if name:
        parts.append(name)
    if sub:
        parts.append(sub)
    return "/".join(parts)


class Api:
    def __init__(self, server, token, ca, timeout=30):
        self.server, self.token, self.timeout = server, token, timeout
        self.host = urllib.parse.urlsplit(server).netloc
        self.tls = ssl.create_default_context(cafile=ca)
        self.local = threading.local()

    def connect(self, timeout=None):
        return http.client.HTTPSConnection(self.host, context=self.tls, timeout=timeout or self.timeout)

    def headers(self, content_type="application/json"):
        return {"Authorization": "Bearer " + self.token, "Content-Type": content_type, "Accept": "application/json"}

    def call(self, method, where, body=None, content_type="application/json"):
        """(status, object); one repeat on a fresh connection when a kept one turns out to be closed."""
        data = None if body is None else json.dumps(body)
        for attempt in (0, 1):
            connection = getattr(self.local, "connection", None)
            if connection is None:
                connection = self.local.connection = self.connect()
            try:
                connection.request(method, where, data, self.headers(content_type))
                answer = connection.getresponse()
                raw = answer.read()
                break
            except (http.client.HTTPException, OSError) as error:
                connection.close()
                self.local.connection = None
                if attempt:
                    raise ConnectionError(f"{method} {where}: {error!r}") from error
        try:
            return answer.status, json.loads(raw)
        except ValueError:
            return answer.status, {"raw": raw.decode("utf-8", "replace")}

    def must(self, method, where, body=None, content_type="application/json", also=()):
        status, answer = self.call(method, where, body, content_type)
        if status >= 300 and status not in also:
            raise Refused(f"{method} {where}: {status} {answer.get('message', answer)}")
        return answer

    # --- shorthands by kind ---
    def get(self, kind, namespace=None, name=None):
        status, answer = self.call("GET", path(kind, namespace, name))
        return answer if status == 200 else None

    def items(self, kind, namespace=None, selector=None):
        where = path(kind, namespace)
        if selector:
            where += "?labelSelector=" + urllib.parse.quote(selector)
        status, answer = self.call("GET", where)
        return answer.get("items") or [] if status == 200 else []

    def create(self, kind, body, namespace=None, also=(409,)):
        return self.must("POST", path(kind, namespace), body, also=also)

    def merge(self, kind, namespace, name, body, sub=None, also=(404, 409)):
        for _ in range(10):  # the API server gives up on a patch when others write the object all the while
            status, answer = self.call("PATCH", path(kind, namespace, name, sub), body, MERGE)
            if status != 409:
                break
        if status >= 300 and status not in also:
            raise Refused(f"PATCH {kind} {name}: {status} {answer.get('message', answer)}")
        return answer

    def delete(self, kind, namespace, name, now=False):
        body = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if now:
            body["gracePeriodSeconds"] = 0
        return self.must("DELETE", path(kind, namespace, name), body, also=(404, 409))

    def watch(self, kind, namespace=None, version="", stop=None, seconds=300):
        """Yields (type, object) from `version`; ends with the server's time-out, an error event or a broken connection."""
        where = path(kind, namespace) + f"?watch=1&timeoutSeconds={seconds}&resourceVersion={version}"
        connection = self.connect(timeout=seconds + 30)
        try:
            connection.request("GET", where, headers=self.headers())
            answer = connection.getresponse()
            if answer.status != 200:
                return
            if stop is not None:
                stop.append(connection)
            while True:
                line = answer.readline()
                if not line:
                    return
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                yield event["type"], event["object"]
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            return
        finally:
            connection.close()

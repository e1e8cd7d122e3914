"""The life that the fault, crash, leader and bench suites put a controller through: Workspaces of both kinds (and, if asked, a
set) from create to Ready or Succeeded to deletion, and what the cluster then looks like.
"""
import time

import compare
import normalise
import play

GOALS = {"inference": ("Ready",), "tuning": ("Succeeded", "Ready")}
MACHINE = "Standard_NC24ads_A100_v4"


def workspace(name, kind, benchmark=True):
    body = {"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": {"name": name},
            "resource": {"instanceType": MACHINE, "labelSelector": {"matchLabels": {"apps": name}}}}
    if not benchmark:
        body["metadata"]["annotations"] = {"kaito.sh/disable-benchmark": "true"}
    if kind == "inference":
        body["inference"] = {"preset": {"name": "phi-4-mini-instruct"}}
    else:
        body["tuning"] = {"preset": {"name": "phi-3-mini-128k-instruct"}, "method": "qlora", "input": {"urls": ["https://example.com/a.parquet"]},
                          "output": {"image": "registry.example.com/acme/a:1", "imagePushSecret": "regcred"}}
    return body


def inference_set(name, replicas):
    return {"apiVersion": "kaito.sh/v1beta1", "kind": "InferenceSet", "metadata": {"name": name}, "spec": {
        "replicas": replicas, "labelSelector": {"matchLabels": {"apps": name}},
        "template": {"resource": {"instanceType": MACHINE}, "inference": {"preset": {"name": "phi-4-mini-instruct"}}}}}


class Life:
    """One namespace's Workspaces from birth to deletion. `names`: {name: kind}."""

    def __init__(self, cluster, mirror, loop, namespace, names, sets=None):
        self.cluster, self.mirror, self.loop, self.namespace, self.kinds, self.sets = cluster, mirror, loop, namespace, names, sets or {}
        self.record = normalise.Names(namespace)

    def create(self):
        self.cluster.namespace(self.namespace)
        self.cluster.admin.create("Secret", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "regcred"}}, self.namespace)
        for name, kind in self.kinds.items():
            self.cluster.admin.create("Workspace", workspace(name, kind), self.namespace)
        for name, replicas in self.sets.items():
            self.cluster.admin.create("InferenceSet", inference_set(name, replicas), self.namespace)

    def state(self, name):
        found = self.mirror.get("Workspace", self.namespace, name)
        return (found or {}).get("status", {}).get("state", "")

    def reached(self):
        if not all(self.state(name) in GOALS[kind] for name, kind in self.kinds.items()):
            return False
        for name, replicas in self.sets.items():
            status = (self.mirror.get("InferenceSet", self.namespace, name) or {}).get("status", {})
            if status.get("readyReplicas") != replicas or not any(c["type"] == "InferenceSetReady" and c["status"] == "True" for c in status.get("conditions", [])):
                return False
        return True

    def wait_reached(self, seconds):
        if not self.mirror.until(self.reached, seconds):
            states = {name: self.state(name) for name in self.kinds}
            raise RuntimeError(f"not at the goal within {seconds} s: {states}")

    def delete(self):
        for name in self.sets:
            self.cluster.admin.delete("InferenceSet", self.namespace, name)
        for name in self.kinds:
            self.cluster.admin.delete("Workspace", self.namespace, name)

    def gone(self):
        """Nothing of the Workspaces is left: not they, nor nodes, claims, workloads, Services."""
        left = [o for o in self.mirror.of(self.namespace) if o["kind"] in
                ("Workspace", "InferenceSet", "NodeClaim", "Node", "NodePool", "StatefulSet", "Job", "Service", "Pod")]
        return not left

    def wait_gone(self, seconds):
        if not self.mirror.until(self.gone, seconds):
            left = [f"{o['kind']} {o['metadata']['name']}" for o in self.mirror.of(self.namespace) if o["kind"] not in ("Event", "ConfigMap", "Secret")]
            raise RuntimeError(f"left after {seconds} s: {left}")

    def snapshot(self):
        """Everything but Events, whose number depends on chance."""
        return normalise.stage([o for o in self.mirror.of(self.namespace) if o["kind"] != "Event"], self.record)

    def settle(self, expected=None, seconds=90):
        """The snapshot once it equals `expected`, or the last one when it does not come to that; without expected: once it is still for
        so long that nothing can be on its way any more."""
        end, quiet = time.monotonic() + seconds, 0.3 if expected is not None else 4
        while True:
            now = self.snapshot()
            if time.monotonic() > end or (self.mirror.quiet_for(self.namespace) > quiet and (expected is None or now == expected)):
                return now
            time.sleep(0.1)

    def claims(self):
        """How many claims there ever were, by Workspace."""
        return {key[1]: len(uids) for key, uids in self.loop.claims_seen.items() if key[0] == self.namespace}

    def clean(self):
        self.cluster.admin.delete("Namespace", None, self.namespace)


def difference(what, expected, got):
    found = compare.stages("", what, expected, got)
    return compare.text_of(found) if found else ""


def cloud_loop(cluster, **options):
    return play.Loop(play.Cloud(cluster), finish=True, **options)

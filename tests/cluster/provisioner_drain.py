"""How a Node is emptied before its machine goes, on a real API server with the disruption controller: budgets, groups in their
order, grace periods, do-not-disrupt, pods that are left alone, volumes. The suite plays the kubelet: a pod that is being deleted goes
when its grace is over.

Usage: provisioner_drain.py [--only PART,...]
"""
import datetime
import sys
import threading
import time

import api
import claims
from azure import Provisioner
from claims import Cases, Stage, expect
from play import condition, now

PAUSE = "registry.k8s.io/pause:3.10"
api.KINDS.update({"PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets", True),
                  "VolumeAttachment": ("/apis/storage.k8s.io/v1", "volumeattachments", False),
                  "DaemonSet": ("/apis/apps/v1", "daemonsets", True)})


def parse(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Kubelets:
    """Runs the pods of every Node and remembers when each was told to go, with which grace, and went."""

    def __init__(self, world):
        self.world, self.lock, self.stopping = world, threading.Lock(), threading.Event()
        self.told, self.went, self.grace, self.stuck, self.due = {}, {}, {}, set(), {}
        self.told_version = {}  # of the pod when it was told
        self.connections = []

    def __enter__(self):
        self.threads = [threading.Thread(target=f, daemon=True) for f in (self.follow, self.reap)]
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for connection in self.connections:
            try:
                connection.sock.close()
            except (OSError, AttributeError):
                pass

    def follow(self):
        while not self.stopping.is_set():
            try:
                answer = self.world.admin.must("GET", api.path("Pod"))
                for pod in answer.get("items") or []:
                    self.seen("ADDED", pod)
                self.missed({pod["metadata"]["name"] for pod in answer.get("items") or []})
                for event, pod in self.world.admin.watch("Pod", version=answer["metadata"]["resourceVersion"], stop=self.connections):
                    self.seen(event, pod)
            except (OSError, api.Refused, KeyError, ValueError):
                self.stopping.wait(0.2)

    def missed(self, names):
        """What went between two watches."""
        with self.lock:
            for name in set(self.told) - names:
                self.went.setdefault(name, time.monotonic())

    def seen(self, event, pod):
        meta = pod["metadata"]
        name = meta["name"]
        with self.lock:
            if event == "DELETED":
                self.went.setdefault(name, time.monotonic())
                return
            if meta.get("deletionTimestamp"):
                if name not in self.told:
                    self.told[name] = time.monotonic()
                    self.told_version[name] = int(meta["resourceVersion"])
                    self.grace[name] = meta.get("deletionGracePeriodSeconds", 0)
                left = min(self.grace[name], meta.get("deletionGracePeriodSeconds", 0), 60)  # it can only get shorter
                self.due[name] = (self.told[name] + left, meta["namespace"])
                return
        if pod["spec"].get("nodeName") and pod.get("status", {}).get("phase") != "Running" and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            self.run(pod)

    def run(self, pod):
        flags = [condition(t) for t in ("PodScheduled", "Initialized", "ContainersReady", "Ready")]
        self.world.admin.merge("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"], {"status": {
            "phase": "Running", "conditions": flags, "startTime": now(), "podIP": "10.244.0.9", "podIPs": [{"ip": "10.244.0.9"}],
            "containerStatuses": [{"name": "main", "image": PAUSE, "imageID": "x", "ready": True, "restartCount": 0, "started": True,
                                   "state": {"running": {"startedAt": now()}}}]}}, "status")

    def reap(self):
        while not self.stopping.wait(0.05):
            with self.lock:
                ready = [(name, where) for name, (due, where) in self.due.items() if time.monotonic() >= due and name not in self.stuck]
                for name, _ in ready:
                    del self.due[name]
            for name, namespace in ready:
                try:
                    self.world.admin.delete("Pod", namespace, name, now=True)
                except (OSError, api.Refused):
                    with self.lock:
                        self.due[name] = (time.monotonic() + 0.2, namespace)


def pod_of(name, node, labels=None, grace=1, owner=None, annotations=None, priority=None, tolerations=(), volumes=()):
    spec = {"nodeName": node, "terminationGracePeriodSeconds": grace, "automountServiceAccountToken": False,
            "containers": [{"name": "main", "image": PAUSE}], "tolerations": [{"key": "sku", "operator": "Exists"}, *tolerations], "volumes": list(volumes)}
    if priority:
        spec["priorityClassName"] = priority
    meta = {"name": name, "namespace": "default", "labels": labels or {"app": name}, "annotations": annotations or {}}
    if owner:
        meta["ownerReferences"] = [owner]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def put(world, kubelets, *pods):
    """Pods that run on their Node."""
    for pod in pods:
        world.admin.must("POST", api.path("Pod", "default"), pod)
    names = [p["metadata"]["name"] for p in pods]
    world.until(f"pods {names} run", lambda: all((world.mirror.get("Pod", "default", n) or {}).get("status", {}).get("phase") == "Running" for n in names), 15)


def daemon_set(world, name, pool, priority=None):
    """A DaemonSet for the Nodes of one pool; returns the name of its pod there, which runs."""
    spec = {"nodeSelector": {"agentpool": pool}, "tolerations": [{"key": "sku", "operator": "Exists"}], "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "main", "image": PAUSE}]}
    if priority:
        spec["priorityClassName"] = priority
    world.admin.must("POST", api.path("DaemonSet", "default"), {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": name, "namespace": "default"}, "spec": {
        "selector": {"matchLabels": {"daemon": name}}, "template": {"metadata": {"labels": {"daemon": name}}, "spec": spec}}})
    mine = lambda: [p for p in world.mirror.all("Pod") if p["metadata"].get("labels", {}).get("daemon") == name and p.get("status", {}).get("phase") == "Running"]
    world.until(f"the pod of DaemonSet {name}", mine, 20)
    return mine()[0]["metadata"]["name"]


def alive(world, name):
    pod = world.mirror.get("Pod", "default", name)
    return bool(pod) and not pod["metadata"].get("deletionTimestamp")


def tainted(world, node):
    found = world.mirror.get("Node", None, node)
    return bool(found) and any(t["key"] == "karpenter.sh/disrupted" and t["effect"] == "NoSchedule" for t in found["spec"].get("taints", []))


def events_of(world, name):
    return [e["reason"] for e in world.admin.items("Event") if e.get("involvedObject", {}).get("name") == name]


def budget(world, kubelets):
    """A PodDisruptionBudget that allows nothing holds the Node; freed, it goes. The machine waits for it."""
    world.live("budget")
    node = world.node_of("budget")
    put(world, kubelets, pod_of("guarded", node, {"app": "guarded"}), pod_of("free", node))
    world.admin.must("POST", api.path("PodDisruptionBudget", "default"), {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {
        "name": "guard"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "guarded"}}}})
    world.until("the budget is counted", lambda: (world.admin.get("PodDisruptionBudget", "default", "guard") or {}).get("status", {}).get("currentHealthy") == 1, 15)
    world.delete("budget")
    world.until("the taint", lambda: tainted(world, node), 10)
    world.until("the other pod goes", lambda: not world.mirror.get("Pod", "default", "free"), 10)
    said = lambda: events_of(world, node) + events_of(world, "guarded")
    world.until(lambda: f"the event FailedDraining: {said()}", lambda: "FailedDraining" in said(), 10)
    time.sleep(3)
    expect(alive(world, "guarded"), "a pod was evicted against its budget")
    expect(world.mirror.get("Node", None, node) is not None and "budget" in world.simulator.pools(), "Node or pool went before the pod")
    expect(world.claim("budget") is not None, "the claim went before the pod")
    excluded = world.mirror.get("Node", None, node)["metadata"]["labels"].get("node.kubernetes.io/exclude-from-external-load-balancers")
    expect(excluded == "karpenter", f"load-balancer exclusion is {excluded}")
    world.admin.delete("PodDisruptionBudget", "default", "guard")
    world.wait_gone("budget", seconds=30)
    expect(not world.mirror.get("Pod", "default", "guarded"), "the pod is still there")


def groups(world, kubelets):
    """Four groups, one after the other: ordinary pods, daemons, critical pods, critical daemons."""
    world.live("groups")
    node = world.node_of("groups")
    critical = "system-cluster-critical"
    put(world, kubelets, pod_of("g1a", node), pod_of("g1b", node), pod_of("g3a", node, priority=critical), pod_of("g3b", node, priority="system-node-critical"),
        pod_of("tolerant", node, tolerations=({"operator": "Exists"},)))
    daemon, critical_daemon = daemon_set(world, "agents", "groups"), daemon_set(world, "vital", "groups", critical)
    world.delete("groups")
    order = (("g1a", "g1b"), (daemon,), ("g3a", "g3b"), (critical_daemon,))
    world.until(lambda: f"all evicted: told {sorted(kubelets.told)}", lambda: all(n in kubelets.went for g in order for n in g), 40)
    for earlier, later in zip(order, order[1:]):
        end = max(kubelets.went[n] for n in earlier)
        begin = min(kubelets.told[n] for n in later)
        expect(begin >= end - 0.15, f"{later} was told to go {end - begin:.2f} s before {earlier} had gone")
    expect(kubelets.told.get("tolerant", 1e9) >= kubelets.went[critical_daemon] - 0.15, "a pod that tolerates the taint was evicted")
    world.wait_gone("groups", seconds=30)
    for name in ("agents", "vital"):
        world.admin.delete("DaemonSet", "default", name)
    if world.mirror.get("Pod", "default", "tolerant"):
        world.admin.delete("Pod", "default", "tolerant", now=True)
    first = min(kubelets.told[n] for n in order[0])
    return "told and gone, s: " + " ".join(f"{kubelets.told[n] - first:.1f}-{kubelets.went[n] - first:.1f}" for g in order for n in g)


def grace(world, kubelets):
    """A pod has its own grace period, and the machine waits for it."""
    world.live("grace")
    node = world.node_of("grace")
    put(world, kubelets, pod_of("slowpod", node, grace=5), pod_of("fastpod", node, grace=1))
    world.delete("grace")
    world.until("the slow pod is told", lambda: "slowpod" in kubelets.told, 10)
    world.until("the slow pod goes", lambda: "slowpod" in kubelets.went, 15)
    expect(kubelets.grace["slowpod"] == 5, f"it was given {kubelets.grace['slowpod']} s")
    took = kubelets.went["slowpod"] - kubelets.told["slowpod"]
    expect(took >= 4.5, f"it went after {took:.1f} s")
    expect("grace" in world.simulator.pools(), "the pool went before the pod")
    world.wait_gone("grace", seconds=25)


def do_not_disrupt(world, kubelets):
    """do-not-disrupt holds the drain until terminationGracePeriod ends; then pods are deleted with what grace is left."""
    world.live("patient", more={"terminationGracePeriod": "9s"})
    node = world.node_of("patient")
    put(world, kubelets, pod_of("holdout", node, grace=2, annotations={"karpenter.sh/do-not-disrupt": "true"}), pod_of("yielding", node))
    begin = time.monotonic()
    world.delete("patient")
    world.until("the annotation", lambda: "karpenter.sh/nodeclaim-termination-timestamp" in (world.claim("patient") or {}).get("metadata", {}).get("annotations", {}), 10)
    claim = world.claim("patient")
    due = parse(claim["metadata"]["annotations"]["karpenter.sh/nodeclaim-termination-timestamp"])
    expect(abs(due - parse(claim["metadata"]["deletionTimestamp"]) - 9) <= 1.1, "the termination timestamp is not deletion plus nine seconds")
    world.until("the other pod goes", lambda: "yielding" in kubelets.went, 10)
    world.wait_gone("patient", seconds=25)
    told = kubelets.told["holdout"] - begin
    expect(told >= 5, f"it was told to go after {told:.1f} s, expected about seven (nine less its grace)")  # times are in whole seconds
    expect(kubelets.grace["holdout"] <= 2, f"it was given {kubelets.grace['holdout']} s")
    expect(kubelets.told["holdout"] >= kubelets.told["yielding"], "the pod that may be disrupted was told later")
    return f"told after {told:.1f} s, gone after {time.monotonic() - begin:.1f} s"


def held_for_ever(world, kubelets):
    """Without terminationGracePeriod do-not-disrupt holds until somebody takes it away."""
    world.live("held")
    node = world.node_of("held")
    put(world, kubelets, pod_of("anchor", node, annotations={"karpenter.sh/do-not-disrupt": "true"}))
    world.delete("held")
    time.sleep(5)
    expect(alive(world, "anchor") and world.claim("held") and "held" in world.simulator.pools(), "it did not hold")
    world.admin.merge("Pod", "default", "anchor", {"metadata": {"annotations": {"karpenter.sh/do-not-disrupt": None}}})
    world.wait_gone("held", seconds=25)


def left_alone(world, kubelets):
    """Static pods, finished pods and pods that tolerate the taint are no reason to wait and are not evicted."""
    world.live("alone")
    node = world.node_of("alone")
    uid = world.mirror.get("Node", None, node)["metadata"]["uid"]
    mirror = pod_of("static", node, annotations={"kubernetes.io/config.mirror": "x", "kubernetes.io/config.source": "file"}, owner={
        "apiVersion": "v1", "kind": "Node", "name": node, "uid": uid, "controller": True})
    tolerant = pod_of("tolerates", node, tolerations=({"key": "karpenter.sh/disrupted", "operator": "Exists", "effect": "NoSchedule"},))
    put(world, kubelets, mirror, tolerant, pod_of("done", node))
    world.admin.merge("Pod", "default", "done", {"status": {"phase": "Succeeded"}}, "status")
    world.delete("alone")
    world.wait_gone("alone", seconds=20)
    end = world.gone.get(("Node", node), 0)  # what its Node owned is garbage from then on
    told = {n: kubelets.told_version[n] for n in ("static", "tolerates", "done") if kubelets.told_version.get(n, end) < end}
    for name in ("static", "tolerates", "done"):
        world.admin.delete("Pod", "default", name, now=True)
    expect(not told, f"told to go before version {end}: {told}")


def stuck_pod(world, kubelets):
    """A pod that hangs past its deletion is waited for a minute only; here it goes when the kubelet wakes up."""
    world.live("stuck")
    node = world.node_of("stuck")
    put(world, kubelets, pod_of("hanging", node))
    kubelets.stuck.add("hanging")
    world.delete("stuck")
    world.until("it is told", lambda: "hanging" in kubelets.told, 10)
    time.sleep(3)
    expect("stuck" in world.simulator.pools() and world.claim("stuck"), "the pool went before the pod")
    kubelets.stuck.discard("hanging")
    world.wait_gone("stuck", seconds=25)


def attached(world, node, name, claim):
    """A bound claim and volume that an attacher has attached to the Node; returns the pod's volume."""
    world.admin.must("POST", api.path("PersistentVolume"), {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "nfs": {"server": "127.0.0.1", "path": "/"}, "storageClassName": "by-hand",
        "persistentVolumeReclaimPolicy": "Retain", "claimRef": {"namespace": "default", "name": claim, "apiVersion": "v1", "kind": "PersistentVolumeClaim"}}})
    world.admin.must("POST", api.path("PersistentVolumeClaim", "default"), {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": claim}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "by-hand", "volumeName": name}})
    world.admin.must("POST", api.path("VolumeAttachment"), {"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": {"name": name}, "spec": {
        "attacher": "by.hand", "nodeName": node, "source": {"persistentVolumeName": name}}})
    return {"name": "d", "persistentVolumeClaim": {"claimName": claim}}


def detach(world, name, claim):
    world.admin.delete("VolumeAttachment", None, name)
    world.admin.delete("PersistentVolumeClaim", "default", claim)
    world.admin.delete("PersistentVolume", None, name)


def volumes(world, kubelets):
    """Volumes of drained pods are waited for; the machine goes when they are detached."""
    world.live("volumes")
    node = world.node_of("volumes")
    put(world, kubelets, pod_of("writer", node, volumes=(attached(world, node, "disk", "data"),)))
    world.delete("volumes")
    world.until("the pod goes", lambda: "writer" in kubelets.went, 15)
    time.sleep(3)
    expect("volumes" in world.simulator.pools() and world.mirror.get("Node", None, node), "the machine went while a volume was attached")
    expect(world.admin.get("VolumeAttachment", None, "disk"), "somebody else took the attachment away")
    world.admin.delete("VolumeAttachment", None, "disk")
    world.wait_gone("volumes", seconds=20)
    detach(world, "disk", "data")


def volume_that_stays(world, kubelets):
    """The volume of a pod that is not drained, because it tolerates the taint, is not waited for."""
    world.live("stays")
    node = world.node_of("stays")
    tolerant = ({"key": "karpenter.sh/disrupted", "operator": "Exists", "effect": "NoSchedule"},)
    put(world, kubelets, pod_of("keeper", node, tolerations=tolerant, volumes=(attached(world, node, "kept-disk", "kept-data"),)))
    world.delete("stays")
    world.until("the machine goes", lambda: "stays" not in world.simulator.pools(), 15)
    world.wait_gone("stays", seconds=15)
    world.admin.delete("Pod", "default", "keeper", now=True)
    detach(world, "kept-disk", "kept-data")


def forced(world, kubelets):
    """terminationGracePeriod ends everything: budget, hanging pod's grace and volume."""
    world.live("forced", more={"terminationGracePeriod": "6s"})
    node = world.node_of("forced")
    put(world, kubelets, pod_of("clings", node, {"app": "clings"}, grace=60))
    world.admin.must("POST", api.path("PodDisruptionBudget", "default"), {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {
        "name": "clings"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "clings"}}}})
    world.admin.must("POST", api.path("VolumeAttachment"), {"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": {"name": "clings"}, "spec": {
        "attacher": "by.hand", "nodeName": node, "source": {"persistentVolumeName": "nowhere"}}})
    begin = time.monotonic()
    world.delete("forced")
    world.until(lambda: f"all gone: {world.left('forced')} {world.describe('forced')}", lambda: not world.claim("forced") and not world.left("forced"), 30)
    took = time.monotonic() - begin
    expect(took < 50, f"it took {took:.1f} s")  # the pod's own grace is a minute
    expect(kubelets.grace.get("clings", 60) <= 8, f"the pod was given {kubelets.grace.get('clings')} s, more than there was left")
    world.admin.delete("VolumeAttachment", None, "clings")
    world.admin.delete("PodDisruptionBudget", "default", "clings")
    world.admin.delete("Pod", "default", "clings", now=True)
    return f"{took:.1f} s, grace {kubelets.grace.get('clings')} s"


CASES = (budget, groups, grace, do_not_disrupt, held_for_ever, left_alone, stuck_pod, volumes, volume_that_stays, forced)


def main(argv=None):
    options = claims.arguments(__doc__).parse_args(argv)
    cases = Cases(options.only)
    with Stage(managers=True, create_time="0.3s", delete_time="0.2s") as world:
        with Kubelets(world) as kubelets, Provisioner(world.cluster, world.simulator) as provisioner:
            cases.together(CASES, world, kubelets, workers=5)
            if cases.bad:
                print(provisioner.tail(12))
    return cases.status()


if __name__ == "__main__":
    sys.exit(claims.main_of(main))

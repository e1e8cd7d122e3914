"""Static NodePools on a real API server with a simulated cloud and no garbage collector of Kubernetes' own: their numbers, limits, node
classes, drift within budgets, kills in the middle, and their end.

Usage: provisioner_pools.py [--only PART,...]
"""
import signal
import time

import api
import claims
from azure import FAST, Provisioner
from claims import Cases, Stage, expect

KINDS = (*claims.KINDS, "KaitoNodeClass")
GATES = "--feature-gates=StaticCapacity=true,NodeRepair=true,Drift=true"


def make_class(world, name, **spec):
    world.admin.must("POST", api.path("KaitoNodeClass"), {"apiVersion": "kaito.sh/v1alpha1", "kind": "KaitoNodeClass", "metadata": {"name": name},
                                                          "spec": {"osDiskSizeGB": 200, **spec}})


def make_pool(world, name, replicas, node_class, **more):
    world.admin.must("POST", api.path("NodePool"), {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": name}, "spec": {
        "replicas": replicas, "template": {"metadata": {"labels": {"team": name}}, "spec": {
            "nodeClassRef": {"group": "kaito.sh", "kind": "KaitoNodeClass", "name": node_class}, "expireAfter": "Never",
            "requirements": [{"key": "node.kubernetes.io/instance-type", "operator": "In", "values": [claims.MACHINE_TYPE]}]}}, **more}})


def members(world, name):
    return [c for c in world.mirror.all("NodeClaim") if (c["metadata"].get("labels") or {}).get("karpenter.sh/nodepool") == name]


def uids(world, name):
    """A slot's name comes again once its claim is gone."""
    return {c["metadata"]["uid"] for c in members(world, name)}


def ready(world, name):
    return [c for c in members(world, name) if not c["metadata"].get("deletionTimestamp") and world.condition(c["metadata"]["name"], "Ready")[0] == "True"]


def pool_condition(world, name, kind):
    conditions = ((world.mirror.get("NodePool", None, name) or {}).get("status") or {}).get("conditions", [])
    return next(((c["status"], c["reason"]) for c in conditions if c["type"] == kind), ("", ""))


def wait_count(world, name, count, seconds=25):
    world.until(lambda: f"{count} nodes of {name}: {[world.describe(c['metadata']['name']) for c in members(world, name)]}",
                lambda: len(ready(world, name)) == count and len(members(world, name)) == count, seconds)


def end(world, name):
    """The pool goes after its claims, and they after their machines."""
    names = [c["metadata"]["name"] for c in members(world, name)]
    world.admin.delete("NodePool", None, name)
    world.until(f"{name} and its claims are gone", lambda: not members(world, name) and not world.mirror.get("NodePool", None, name), 25)
    expect(not [n for n in names if n in world.simulator.pools()], "an agent pool is left")


def numbers(world):
    """Up, down and to nothing; the status and its scale subresource follow."""
    make_pool(world, "numbers", 2, "default")
    wait_count(world, "numbers", 2)
    world.until("the pool's status", lambda: ((world.mirror.get("NodePool", None, "numbers") or {}).get("status") or {}).get("nodes") == 2, 5)
    line = world.cluster.kubectl("get", "nodepool", "numbers").splitlines()[1].split()
    expect(line[1:4] == ["default", "2", "True"], f"kubectl get nodepool: {line}")
    nodes = {n["metadata"]["name"] for n in world.nodes() if n["metadata"]["labels"].get("team") == "numbers"}
    expect(len(nodes) == 2, f"Nodes with the template's label: {sorted(nodes)}")
    kept = {c["metadata"]["name"] for c in ready(world, "numbers")}
    world.cluster.kubectl("scale", "nodepool", "numbers", "--replicas=1")
    wait_count(world, "numbers", 1)
    expect({c["metadata"]["name"] for c in ready(world, "numbers")} < kept, "another machine was made")
    end(world, "numbers")


def limits(world):
    make_pool(world, "limits", 3, "default", limits={"nodes": 2})
    wait_count(world, "limits", 2)
    first, most = members(world, "limits")[0]["metadata"], 0
    world.delete(first["name"])

    def replaced():
        nonlocal most
        most = max(most, len(members(world, "limits")))
        return first["uid"] not in uids(world, "limits") and len(ready(world, "limits")) == 2
    world.until("another in its place", replaced, 25)
    expect(most <= 2, "more machines than the limit")
    end(world, "limits")


def waits_for_class(world):
    make_pool(world, "patient", 1, "later")
    world.until("NodeClassReady", lambda: pool_condition(world, "patient", "NodeClassReady") == ("False", "NodeClassNotFound"), 10)
    time.sleep(1)
    expect(not members(world, "patient"), "a claim without a class")
    make_class(world, "later")
    wait_count(world, "patient", 1)
    line = world.cluster.kubectl("get", "knc", "later").splitlines()[1].split()
    expect(line[1] == "True", f"kubectl get knc: {line}")
    end(world, "patient")


def lost_member(world):
    """A deleted claim is replaced at once, before its machine is gone."""
    make_pool(world, "lost", 1, "default")
    wait_count(world, "lost", 1)
    world.delete(members(world, "lost")[0]["metadata"]["name"])
    wait_count(world, "lost", 1)
    end(world, "lost")


def drift(world):
    """A changed class: one node after the other, each replacement first; never fewer than replicas are Ready."""
    make_class(world, "changing", maxPods=30)
    make_pool(world, "drift", 2, "changing", disruption={"consolidateAfter": "0s", "budgets": [{"nodes": "1", "reasons": ["Drifted"]}]})
    wait_count(world, "drift", 2)
    old, fewest, most = uids(world, "drift"), 9, 0
    world.admin.merge("KaitoNodeClass", None, "changing", {"spec": {"maxPods": 50}})
    until = time.monotonic() + 40 * claims.PATIENCE
    while uids(world, "drift") & old and time.monotonic() < until:
        fewest, most = min(fewest, len(ready(world, "drift"))), max(most, len(members(world, "drift")))
        time.sleep(0.05)
    wait_count(world, "drift", 2)
    left = [world.describe(c["metadata"]["name"]) for c in members(world, "drift") if c["metadata"]["uid"] in old]
    expect(not left, f"not replaced: {left}")
    expect(fewest >= 2 and most <= 3, f"{fewest} to {most} nodes meanwhile")
    properties = [world.simulator.properties(world.pool_of(c["metadata"]["name"])) for c in members(world, "drift")]
    expect(all(p["maxPods"] == 50 for p in properties), f"made as {properties}")
    end(world, "drift")
    return f"{fewest} to {most} nodes meanwhile"


def closed_budget(world):
    """A budget of nothing: the condition, and no more."""
    make_class(world, "closed", maxPods=30)
    make_pool(world, "closed", 1, "closed", disruption={"consolidateAfter": "0s", "budgets": [{"nodes": "0"}]})
    wait_count(world, "closed", 1)
    name, old = members(world, "closed")[0]["metadata"]["name"], uids(world, "closed")
    world.admin.merge("KaitoNodeClass", None, "closed", {"spec": {"maxPods": 50}})
    world.wait_condition(name, "Drifted", "True", "NodeClassDrifted")
    time.sleep(1)
    expect(uids(world, "closed") == old, "it was replaced")
    world.admin.merge("NodePool", None, "closed", {"spec": {"disruption": {"budgets": [{"nodes": "1"}]}}})
    world.until("replaced when the budget opens", lambda: not uids(world, "closed") & old, 25)
    end(world, "closed")


def killed(world, start):
    """kill -9 while pools are made, grow and shrink: in the end as many claims and agent pools as wanted."""
    make_pool(world, "killed", 4, "default")
    for replicas, pause in ((4, 0.15), (6, 0.1), (3, 0.2), (5, 0.05)):
        world.cluster.kubectl("scale", "nodepool", "killed", f"--replicas={replicas}")
        time.sleep(pause)
        world.provisioner.stop(signal.SIGKILL)
        world.provisioner = start()
    wait_count(world, "killed", 5, 40)
    names = {c["metadata"]["name"] for c in members(world, "killed")}
    world.until("no agent pool without a claim", lambda: {p for p in world.simulator.pools() if p.startswith("np")} == names, 25)
    end(world, "killed")


def main(argv=None):
    options = claims.arguments(__doc__).parse_args(argv)
    cases = Cases(options.only)
    with Stage(create_time="0.5s", delete_time="0.2s", kinds=KINDS) as world:
        make_class(world, "default")

        def start():
            return Provisioner(world.cluster, world.simulator, fast=FAST, extra=[GATES]).start()
        world.provisioner = start()
        try:
            cases.together((numbers, limits, waits_for_class, lost_member, drift, closed_budget), world, workers=6)
            cases.one(killed, world, start)
            if cases.bad:
                print(world.provisioner.tail(12))
        finally:
            world.provisioner.stop()
    return cases.status()


if __name__ == "__main__":
    claims.leave(main)

"""Nothing is deleted that should live, and nothing is left that should go: stopped clusters, vanished Nodes and pools, foreign and
orphan pools, claims deleted at every stage, a cloud that answers nonsense, and two replicas that hand over in the middle.

Usage: provisioner_safety.py [--only PART,...]
Garbage collection runs every second here, an orphan is old after three.
"""
import signal
import sys
import time

import api
import claims
from azure import FAST, Provisioner
from claims import Cases, Stage, expect, state_of

GC_ROUNDS_S = 4  # long enough for several rounds of garbage collection
REPAIR_S, STOP_S = 2, 6  # how long a Node may be NotReady; the latter where clusters are stopped, as one that runs again takes its time


def steady(world, names, seconds=GC_ROUNDS_S):
    """For so long no claim, pool or Node of these goes, and nothing is deleted in the cloud."""
    before = {name: world.claim(name)["metadata"]["uid"] for name in names}
    deletes = sum(c.what == "DELETE" for c in world.simulator.calls())
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name, uid in before.items():
            claim = world.claim(name)
            expect(claim and claim["metadata"]["uid"] == uid and not claim["metadata"].get("deletionTimestamp"), f"claim {name} is being deleted: {world.describe(name)}")
        time.sleep(0.2)
    expect(sum(c.what == "DELETE" for c in world.simulator.calls()) == deletes, "a DELETE was sent")
    pools = world.simulator.pools()
    expect(all(name in pools for name in names), f"pools {sorted(pools)} of {names}")


def gone_again(world, *names):
    world.delete(*names)
    world.wait_gone(*names)


# --- these disturb the whole cluster: one after the other -----------------------------------------------------------------
def stop_and_start(way):
    def case(world):
        """`az aks stop`: Nodes get NotReady or vanish, pools stay; then they come back."""
        names = [f"stop{way[:3]}{i}" for i in range(3)]
        for name in names:
            world.create(name)
        world.wait_ready(*names)
        world.simulator.settings(stop_nodes=way)
        world.simulator.power("Stopped")
        node = world.node_of(names[0])
        try:
            world.until("Nodes that are gone" if way == "remove" else "Nodes that are NotReady", lambda: not ready_node(world, node), 10)
            steady(world, names, STOP_S + 2)
        finally:
            world.simulator.power("Running")
        world.until("Nodes that are back", lambda: all(ready_node(world, world.node_of(n)) for n in names), 20)
        steady(world, names, 2)
        expect(all(len([c for c in world.puts(n) if c.accepted]) == 1 for n in names), "a pool was made twice")
        gone_again(world, *names)
    case.__name__ = f"stopped and started, Nodes {way}"
    return case


def ready_node(world, name):
    node = world.mirror.get("Node", None, name)
    return bool(node) and any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", []))


NO_LIST = {
    "refused": {"status": 500, "body": {"error": {"code": "InternalServerError", "message": "no"}}}, "malformed": {"action": "malformed"}, "dropped": {"action": "drop"},
    "without the cluster": {"status": 404, "body": {"error": {"code": "ResourceNotFound", "message":
                            "The Resource 'Microsoft.ContainerService/managedClusters/c' under resource group 'rg' was not found."}}},
    "forbidden": {"status": 403, "body": {"error": {"code": "AuthorizationFailed", "message": "no"}}}, "of something else": {"status": 200, "body": {"items": []}}}


def list_fails(world):
    """No list, or a broken one, while the Nodes look dead: nothing may be concluded from it."""
    names = ["list0", "list1"]
    for name in names:
        world.create(name)
    world.wait_ready(*names)
    for name in names:
        world.simulator.node(world.node_of(name), ready="False")
    for how, row in NO_LIST.items():
        world.simulator.script({"match": {"method": "GET", "path": "/agentPools(\\?|$|/list)"}, "times": 1000, **row})
        try:
            steady(world, names, 2.5)
        except RuntimeError as error:
            raise RuntimeError(f"list {how}: {error}") from None
        finally:
            world.simulator.clear_script()
    for name in names:
        world.simulator.node(world.node_of(name), ready="True")
    gone_again(world, *names)


# --- these are about claims of their own: side by side ----------------------------------------------------------------------
def vanished_node(world):
    """The Node object is deleted behind everybody's back while the pool lives: pool and claim are still there or were replaced by
    nothing else than a new Node; nothing hangs."""
    world.live("vanish")
    world.simulator.node(world.node_of("vanish"), vanish=True)
    world.until("the Node is gone", lambda: not any(n["metadata"]["labels"].get("agentpool") == "vanish" and not n["metadata"].get("deletionTimestamp") for n in world.nodes()), 10)
    time.sleep(GC_ROUNDS_S)
    together = lambda: bool(world.claim("vanish")) == ("vanish" in world.simulator.pools())
    world.until(lambda: f"claim and pool both or neither: {world.describe('vanish')}, pools {sorted(world.simulator.pools())}", together, 10)
    claim = world.claim("vanish")
    if claim:
        gone_again(world, "vanish")
    return "the claim stays" if claim else "claim and pool went together"


def vanished_pool(world):
    """Somebody deletes the pool by hand: the claim is collected."""
    world.live("byhand")
    world.simulator.ask("DELETE", "pools/byhand")
    world.until(lambda: f"the claim is collected: {world.describe('byhand')} {world.left('byhand')}", lambda: not world.claim("byhand") and not world.left("byhand"), 25)


def foreign_is_left(world):
    """Pools without our marks are never collected, whatever they are called."""
    for name, labels in (("system", {}), ("wsabcdef012", {"team": "other"}), ("half", {"karpenter.sh/nodepool": "kaito"})):
        world.simulator.foreign_pool(name, {"count": 1, "vmSize": "Standard_D4s_v5", "osType": "Linux", "mode": "User", "type": "VirtualMachineScaleSets", "nodeLabels": labels})
    time.sleep(GC_ROUNDS_S + 3)
    pools = world.simulator.pools()
    expect(all(n in pools and state_of(pools[n]) == "Succeeded" for n in ("system", "wsabcdef012", "half")), f"pools left: {sorted(pools)}")


def stamp(age_s):
    return time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime(time.time() - age_s))


def orphan(world):
    """A pool with our labels and no claim is collected, with its Node, once it is old enough."""
    labels = {"karpenter.sh/nodepool": "kaito", "kaito.sh/workspace": "ws", "kaito.sh/workspacenamespace": "default", "kaito.sh/creation-timestamp": stamp(3600)}
    body = {"count": 1, "vmSize": claims.MACHINE_TYPE, "osType": "Linux", "mode": "User", "type": "VirtualMachineScaleSets"}
    world.simulator.foreign_pool("orphanold", dict(body, nodeLabels=labels))
    begin = time.monotonic()
    world.simulator.foreign_pool("orphannew", dict(body, nodeLabels=dict(labels, **{"kaito.sh/creation-timestamp": stamp(0)})))
    world.until("the old orphan is collected", lambda: "orphanold" not in world.simulator.pools(), 10)
    young = "orphannew" in world.simulator.pools()
    expect(young or time.monotonic() - begin > 2, "an orphan of less than three seconds was collected")
    world.until("the young orphan is collected when it is older", lambda: "orphannew" not in world.simulator.pools(), 12)
    world.until("no Node is left of them", lambda: not world.left("orphanold", "orphannew"), 15)


def deleted_before_put(world):
    """Deleted before the request could be sent: no pool, ever."""
    world.simulator.script({"match": {"method": "PUT", "path": "/agentPools/early(\\?|$)"}, "times": 1000, "status": 503, "text": "", "headers": {"Retry-After": "1"}})
    world.create("early")
    world.until("a first try", lambda: world.puts("early"), 10)
    world.delete("early")
    world.wait_gone("early", seconds=15)
    time.sleep(1)
    expect(not any(c.accepted for c in world.puts("early")), "a pool was made")


def deleted_while_made(world):
    """Deleted while the pool is being made, which takes long: the creation is aborted or followed by the deletion."""
    world.create("midway")
    world.until("an accepted PUT", lambda: any(c.accepted for c in world.puts("midway")), 10)
    begin = time.monotonic()
    world.delete("midway")
    world.wait_gone("midway", seconds=20)
    calls = [c.what for c in world.simulator.calls() if c.pool == "midway" and c.what in ("ABORT", "DELETE")]
    return f"{time.monotonic() - begin:.1f} s, {' '.join(calls)}"


def deleted_when_ready(world):
    world.live("late")
    gone_again(world, "late")


def node_deleted(world):
    """kubectl delete node: pool and claim go."""
    world.live("bynode")
    world.cluster.kubectl("delete", "node", world.node_of("bynode"), "--wait=false")
    world.until(lambda: f"all gone: {world.left('bynode')} {world.describe('bynode')}", lambda: not world.claim("bynode") and not world.left("bynode"), 25)


def startup_taints(world):
    """Taints that somebody else takes away: until then the claim is not initialized."""
    world.create("startup", more={"startupTaints": [{"key": "example.com/agent", "value": "missing", "effect": "NoSchedule"}]})
    world.wait_condition("startup", "Initialized", "Unknown", "StartupTaintsExist", 15)
    node = world.admin.get("Node", None, world.node_of("startup"))
    rest = [t for t in node["spec"]["taints"] if t["key"] != "example.com/agent"]
    world.admin.must("PATCH", "/api/v1/nodes/" + world.node_of("startup"), {"spec": {"taints": rest}}, api.MERGE)
    world.wait_ready("startup")
    time.sleep(1)
    node = world.admin.get("Node", None, world.node_of("startup"))
    expect(not any(t["key"] == "example.com/agent" for t in node["spec"].get("taints", [])), "the startup taint was put back")
    gone_again(world, "startup")


def slow_to_ready(world):
    """A Node that takes its time, and GPUs that take longer: the claim says what it waits for."""
    world.simulator.settings(ready_ms=300000, device_plugin_ms=600000)
    try:
        world.create("slow", more={"resources": {"requests": {"storage": "120Gi", "nvidia.com/gpu": "1"}}})
        world.wait_condition("slow", "Initialized", "Unknown", "NodeNotReady", 10)
        world.simulator.advance(300)
        world.wait_condition("slow", "Initialized", "Unknown", "ResourceNotRegistered", 10)
        world.simulator.advance(300)
        world.wait_ready("slow")
    finally:
        world.simulator.settings(ready_ms=0, device_plugin_ms=0)
    gone_again(world, "slow")


def repair(world):
    """A Node that stays NotReady is replaced: its claim goes, by force."""
    name = "sick"
    world.live(name)
    world.simulator.node(world.node_of(name), ready="False")
    world.until(lambda: f"the claim is deleted: {world.describe(name)}", lambda: not world.claim(name) and not world.left(name), 30)


def recovers(world):
    """A Node that is NotReady for less than the toleration stays. Whether it was so short is known only afterwards."""
    for attempt in range(8):
        name = f"flap{attempt}"
        world.live(name)
        begin = time.monotonic()
        world.simulator.node(world.node_of(name), ready="Unknown")
        time.sleep(REPAIR_S / 5)
        world.simulator.node(world.node_of(name), ready="True")
        short = time.monotonic() - begin < REPAIR_S - 1  # a condition's time is in whole seconds
        time.sleep(REPAIR_S + 2)
        lives = world.claim(name) and not world.claim(name)["metadata"].get("deletionTimestamp")
        gone_again(world, name)
        if short:
            return expect(lives, "the claim was deleted")
    raise RuntimeError("this machine is too slow to let a Node be NotReady for less than a second")


def expires(world):
    """expireAfter, where it is set: not before, be the machine there by then or not."""
    begin = time.monotonic()
    world.create("old", more={"expireAfter": "5s"})
    world.until("an accepted PUT", lambda: any(c.accepted for c in world.puts("old")), 10)
    world.until(lambda: f"expired: {world.describe('old')}", lambda: not world.claim("old") and not world.left("old"), 25)
    expect(time.monotonic() - begin >= 4, "it went before its time")  # creation times are in whole seconds


def timeouts(world):
    """--registration-timeout: a machine that never joins costs its claim. --launch-timeout the same for a refused one."""
    world.simulator.settings(join=False)
    try:
        world.create("nojoin")
        world.until(lambda: f"the claim is given up: {world.describe('nojoin')} {world.left('nojoin')}", lambda: not world.claim("nojoin") and not world.left("nojoin"), 30)
    finally:
        world.simulator.settings(join=True)


SIDE_BY_SIDE = (vanished_node, vanished_pool, foreign_is_left, orphan, deleted_before_put, deleted_while_made, deleted_when_ready, node_deleted, startup_taints)


# --- two replicas -----------------------------------------------------------------------------------------------------------
ELECTED = [*(f for f in FAST), "--disable-leader-election=false", "--leader-election-namespace=default"]
LEASE = "gpu-provisioner-leader-election"


def holder(world):
    lease = world.admin.get("Lease", "default", LEASE)
    return ((lease or {}).get("spec") or {}).get("holderIdentity") or ""


class Pair:
    """Two replicas; which leads is known by the order of their starts."""

    def __init__(self, world):
        self.world, self.number = world, 0
        self.leader = self.replica()
        world.cluster.wait("the lease", lambda: holder(world), 60)
        self.follower = self.replica(wait=False)

    def replica(self, wait=True):
        self.number += 1
        return Provisioner(self.world.cluster, self.world.simulator, name=f"replica-{self.number}", fast=ELECTED).start(wait=wait)

    def swap(self):
        self.leader, self.follower = self.follower, self.replica(wait=False)

    def stop(self):
        for replica in (self.leader, self.follower):
            replica.stop(signal.SIGKILL)


def hand_over(number, what):
    def case(world, pair):
        """In the middle of creations and deletions the leader goes: one pool for each claim, nothing left."""
        old = [f"{what[3:].lower()}old{i}" for i in range(4)]
        new = [f"{what[3:].lower()}new{i}" for i in range(4)]
        for name in old:
            world.create(name)
        world.wait_ready(*old)
        before = holder(world)
        world.delete(*old)
        for name in new:
            world.create(name)
        world.until("a PUT under way", lambda: any(world.puts(n) for n in new), 10)
        begin = time.monotonic()
        if number == signal.SIGSTOP:
            pair.leader.process.send_signal(number)
        else:
            pair.leader.stop(number)
        world.cluster.wait("another leader", lambda: holder(world) not in ("", before), 90)
        took = time.monotonic() - begin
        if number == signal.SIGSTOP:
            pair.leader.process.send_signal(signal.SIGCONT)
            try:
                status = pair.leader.process.wait(60)
            except Exception:
                raise RuntimeError("a leader that lost its lease must leave, it goes on") from None
            expect(status != 0, "a leader that lost its lease left with status 0")
            pair.leader.stop()
        pair.swap()
        world.wait_ready(*new, seconds=30)
        world.wait_gone(*old, seconds=30)
        for name in old + new:
            accepted = [c for c in world.puts(name) if c.accepted]
            expect(len(accepted) == 1, f"{name}: PUTs {[str(c) for c in world.puts(name)]}")
        world.delete(*new)
        world.wait_gone(*new, seconds=30)
        return f"the other led after {took:.1f} s"
    case.__name__ = f"hand-over by {what}"
    return case


def main(argv=None):
    options = claims.arguments(__doc__).parse_args(argv)
    cases = Cases(options.only)
    with Stage(create_time="1s", delete_time="0.3s", max_pools=1000) as world:
        with Provisioner(world.cluster, world.simulator, extra=[f"--repair-toleration={REPAIR_S}s"]) as provisioner:
            cases.together(SIDE_BY_SIDE, world, workers=5)
            cases.one(repair, world)
            cases.one(recovers, world)
            cases.one(expires, world)
            if cases.bad:
                print(provisioner.tail(12))
        with Provisioner(world.cluster, world.simulator, name="provisioner-stop", extra=[f"--repair-toleration={STOP_S}s"]) as provisioner:
            for way in ("notready", "remove"):
                cases.one(stop_and_start(way), world)
            if cases.bad:
                print(provisioner.tail(12))
        with Provisioner(world.cluster, world.simulator, name="provisioner-2", extra=["--registration-timeout=20s", "--repair-toleration=10m"]):
            cases.one(list_fails, world)
            cases.one(timeouts, world)
            cases.one(slow_to_ready, world)
        pair = Pair(world)
        try:
            for number, what in ((signal.SIGTERM, "SIGTERM"), (signal.SIGKILL, "SIGKILL"), (signal.SIGSTOP, "SIGSTOP")):
                before = cases.bad
                cases.one(hand_over(number, what), world, pair)
                if cases.bad > before:
                    print(pair.leader.tail(8))
                    break  # the roles of the pair are unknown now
        finally:
            pair.stop()
    return cases.status()


if __name__ == "__main__":
    sys.exit(claims.main_of(main))

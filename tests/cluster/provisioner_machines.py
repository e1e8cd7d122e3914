"""Claims that become machines of one agent pool (`--azure-instances machines`): more of them than a cluster may have pools, the quick
start's Workspace, kills in the middle, pools of others, and a cluster that changes from one way to the other.

Usage: provisioner_machines.py [--claims N] [--every N] [--only PART,...] [--part first|second]
"""
import subprocess
import sys
import time

import claims
import golden
import provisioner as ways
import provisioner_crash as crash
from azure import Provisioner, Simulator, need_commands
from claims import World, expect
from cluster import Cluster
from controller import Controller
from mirror import KINDS, Mirror
from play import Kubelet

HOLDER = "kaitomach"
MACHINES = "--azure-instances=machines"
LIMIT = 100  # agent pools of a cluster


class MachineSimulator(Simulator):
    """The pool that holds the machines is not among the pools that come and go."""

    def pools(self):
        return {name: pool for name, pool in super().pools().items() if name != HOLDER}

    def properties(self, name):
        """Of a machine, those that the stories read of a pool."""
        found = super().properties(name.replace("/", "/machines/"))
        return {**found, "vmSize": found["hardware"]["vmSize"], "count": 1} if "hardware" in found else found


class MachineWorld(World):
    def unit(self, name):
        return f"{HOLDER}/{name}"

    def pool_of(self, name):
        return self.unit(name) if super().pool_of(name) == HOLDER else super().pool_of(name)

    def puts(self, name):
        return [c for c in self.simulator.calls() if c.what == "PUT" and c.pool in (name, self.unit(name))]

    def left(self, *names):
        found, pools = super().left(*names), self.simulator.pools()
        found += [f"machine {n} ({claims.state_of(pools[self.unit(n)])})" for n in names if self.unit(n) in pools]
        owned = {n["metadata"]["name"]: n["metadata"]["labels"].get("kaito.sh/nodeclaim") for n in self.nodes()}
        return found + [f"Node {node}" for node, claim in owned.items() if claim in names]


def many(world, count):
    """All at once, in one pool, though the cluster may not have so many; and all away with a few requests."""
    names = [f"many{i}" for i in range(count)]
    begin = time.monotonic()
    for name in names:
        world.admin.must("POST", claims.api.path("NodeClaim"), claims.body_of(name))
    world.wait_ready(*names, seconds=60)
    ready = time.monotonic() - begin
    pools = world.simulator.pools()
    expect(sorted(pools) == sorted(world.unit(n) for n in names), f"{len(pools)} machines for {count} claims, {[p for p in pools if '/' not in p]} are pools")
    ids = {(world.claim(n)["status"]["providerID"], world.claim(n)["status"]["nodeName"]) for n in names}
    expect(len(ids) == count, f"{len(ids)} machines in {count} claims")
    calls = [c for c in world.simulator.calls() if c.what == "PUT" and c.accepted]
    expect(len(calls) == count + 1, f"{len(calls)} accepted PUTs for {count} machines and their pool")
    begin = time.monotonic()
    world.delete(*names)
    world.wait_gone(*names, seconds=40)
    gone = time.monotonic() - begin
    deletions = [c for c in world.simulator.calls() if c.what == "DELETE MACHINES"]
    expect(0 < sum(c.accepted for c in deletions) <= count / 3, f"{len(deletions)} requests deleted {count} machines: they were not collected")
    expect(HOLDER in Simulator.pools(world.simulator), "the pool of the machines went with them")
    return f"{count} Ready after {ready:.1f} s, gone after {gone:.1f} s with {len(deletions)} requests"


def foreign(world, cluster, simulator):
    """A pool of somebody else is not used, and the claim says what to do; with the tag it is."""
    simulator.foreign_pool("theirs", {"vmSize": "Standard_D2s_v3"})
    with Provisioner(cluster, simulator, name="provisioner-theirs", extra=[MACHINES, "--aks-machines-pool=theirs"]):
        world.create("stranger")
        _, _, said = world.wait_condition("stranger", "Launched", "Unknown", "AgentPoolNameConflict")
        expect("--aks-machines-pool" in said and "kaito-machines" in said and "theirs" in said, f"it does not say what to do: {said}")
        expect(not [n for n in simulator.pools() if n.startswith("theirs/")], "a machine in a pool of somebody else")
        world.delete("stranger")
        world.wait_gone("stranger")
    expect("theirs" in simulator.pools() and simulator.pools()["theirs"]["foreign"], "the pool was touched")
    simulator.ask("DELETE", "pools/theirs")
    simulator.foreign_pool("theirs", {"mode": "Machines", "tags": {"Kaito-Machines": "true"}})
    with Provisioner(cluster, simulator, name="provisioner-ours", extra=[MACHINES, "--aks-machines-pool=theirs"]):
        world.live("guest")
        expect("theirs/guest" in simulator.pools(), f"machines {list(simulator.pools())}")
        world.delete("guest")
        world.wait_gone("guest")
        world.until("the machine is gone", lambda: "theirs/guest" not in simulator.pools())
    simulator.ask("DELETE", "pools/theirs")
    return said[:120]


def change_of_mode(world, cluster, simulator):
    """Each claim keeps what it has, whichever way the provisioner goes on, and gives it back."""
    def running(mode):
        return Provisioner(cluster, simulator, name=f"provisioner-{mode}", extra=[f"--azure-instances={mode}"])

    def there_are(*units):
        expect(sorted(simulator.pools()) == sorted(units), f"there are {sorted(simulator.pools())}")
    with running("pools"):
        world.live("first")
    with running("machines"):
        world.live("second")
        time.sleep(4)  # three rounds of collection
        there_are("first", world.unit("second"))
    with running("pools"):
        world.live("third")
        time.sleep(4)
        there_are("first", "third", world.unit("second"))
        for name in ("first", "second", "third"):
            expect(len([c for c in world.puts(name) if c.accepted]) == 1 and world.condition(name, "Ready")[0] == "True", f"{name}: {world.describe(name)}")
        world.delete("second", "third")
        world.wait_gone("second", "third")
    with running("machines"):
        world.delete("first")
        world.wait_gone("first")


def leaked(world, cluster, simulator):
    """Machines whose claims went while nobody watched are collected."""
    with Provisioner(cluster, simulator, name="provisioner-before", extra=[MACHINES]):
        world.live("leaked")
    world.admin.merge("NodeClaim", None, "leaked", {"metadata": {"finalizers": None}})
    world.delete("leaked")
    world.until("the claim is gone", lambda: not world.claim("leaked"))
    expect(world.unit("leaked") in simulator.pools(), "the machine is gone already")
    with Provisioner(cluster, simulator, name="provisioner-after", extra=[MACHINES]):
        world.wait_gone("leaked")


def refused(world, cluster, simulator):
    """Why Azure could not make a machine is in the machine itself; the next type is tried, and the last refusal is told."""
    text = "Operation could not be completed as it results in exceeding approved standardNCADSA100v4Family Cores quota."
    simulator.script({"match": {"method": "PUT", "path": "/machines/poor$"}, "operation": {
        "code": "QuotaExceeded", "message": text, "details": [{"code": "OperationNotAllowed", "message": text}]}})
    with Provisioner(cluster, simulator, name="provisioner-refused", extra=[MACHINES]):
        world.create("poor", types=(claims.MACHINE_TYPE, "Standard_NC6s_v3"))
        world.wait_ready("poor")
        size = simulator.properties(world.unit("poor"))["vmSize"]
        expect(size == "Standard_NC6s_v3", f"the second machine is a {size}")
        world.until(lambda: f"an event tells of the quota: {[e.get('message') for e in world.events('poor')]}",
                    lambda: any("quota" in e.get("message", "") for e in world.events("poor")))
        world.delete("poor")
        world.wait_gone("poor")


def kills(world, every, cases):
    bench = MachineBench(world)
    for abandon in (False, True):
        kind = "deleted while being made" if abandon else "whole life"
        calm, at = crash.Killer(), 0

        def undisturbed(calm=calm, abandon=abandon):
            bench.life(calm, abandon)
        cases.one(undisturbed, name=f"kills: {kind}, undisturbed")
        for what, number in list(crash.steps(calm.order)):
            for moment in crash.MOMENTS[what.split()[0] if what.startswith("ARM") else "kube"]:
                at += 1
                if at % every:
                    continue
                killer = crash.Killer()
                killer.arm(what, number, moment)
                cases.one(lambda killer=killer, abandon=abandon: bench.life(killer, abandon), name=f"kills: {kind}: {moment} {what} {number}")


class MachineBench(crash.Bench):
    FLAGS = (*crash.OURS, MACHINES)

    @staticmethod
    def check(world, name):
        accepted = [c for c in world.puts(name) if c.accepted]
        expect(len(accepted) == 1, f"{len(accepted)} accepted PUTs: {[str(c) for c in world.puts(name)]}")


def first_cluster(cases, options):
    """The Workspace, and as many claims as make a cluster of pools full."""
    with Cluster(provisioner=True, audit=False) as cluster:
        kubelet = Kubelet(cluster)
        golden.release_objects(cluster)
        cluster.kubectl("create", "secret", "docker-registry", "regcred", "--docker-server=myregistry.azurecr.io", "--docker-username=u", "--docker-password=p")
        with Mirror(cluster.admin, (*KINDS, "Machine")) as mirror:
            with MachineSimulator(cluster, name="simulator-workspace", create_time=f"{ways.FIRST_S}s", join_time=f"{ways.JOIN_S}s") as simulator:
                simulator.foreign_pool(HOLDER, {"mode": "Machines", "tags": {"kaito-machines": "true"}})
                world = MachineWorld(cluster, simulator, mirror)
                with Provisioner(cluster, simulator, name="provisioner-workspace", extra=[MACHINES]) as provisioner, Controller(cluster), ways.Kubelets(cluster, mirror):
                    cases.one(quick_start, world, provisioner)
            cluster.admin.delete("KaitoNodeClass", None, "default")  # without it a claim must say how large its disk is
            with MachineSimulator(cluster, create_time="1s", delete_time="500ms", join_time="300ms", max_pools=LIMIT) as simulator:
                world = MachineWorld(cluster, simulator, mirror)
                with Provisioner(cluster, simulator, name="provisioner-many", extra=[MACHINES]):
                    cases.one(many, world, options.claims)
        kubelet.close()


def second_cluster(cases, options):
    with Cluster(provisioner=True, audit=False) as cluster, Mirror(cluster.admin, (*KINDS, "Machine")) as mirror, \
            MachineSimulator(cluster, create_time="1s", delete_time="500ms", join_time="300ms", max_pools=LIMIT) as simulator:
        world = MachineWorld(cluster, simulator, mirror)
        for case in (foreign, change_of_mode, leaked, refused):
            cases.one(case, world, cluster, simulator)
        simulator.settings(create_ms=crash.CREATE_MS, delete_ms=crash.DELETE_MS, join_ms=crash.JOIN_MS)
        kills(world, options.every, cases)


PARTS = {"first": first_cluster, "second": second_cluster}


def main(argv=None):
    options = claims.arguments(__doc__, claims=(120, "claims at once"), every=(3, "a kill at every Nth step"), part=("", "only one of the two clusters: " + ", ".join(PARTS))).parse_args(argv)
    need_commands("simulate azure", "provisioner")
    cases = claims.Cases(options.only)
    if options.part:
        PARTS[options.part](cases, options)
        return 1 if cases.bad else 0
    begin = time.monotonic()
    told = [__file__, "--claims", str(options.claims), "--every", str(options.every), "--only", options.only]
    parts = [subprocess.Popen([sys.executable, *told, "--part", name]) for name in PARTS]  # both mostly wait for the clock
    try:
        bad = [part.wait() for part in parts]
    finally:
        for part in parts:
            if part.poll() is None:
                part.terminate()
                part.wait()
    print(f"-- {time.monotonic() - begin:.0f} s")
    return 1 if any(bad) else 0


def quick_start(world, provisioner):
    story = ways.Story(world, False, "machines")
    said = story.run()
    expect(not story.problems, "; ".join(story.problems) + f"\n{provisioner.tail(6)}" if story.problems else "")
    return said


if __name__ == "__main__":
    sys.exit(claims.main_of(main))

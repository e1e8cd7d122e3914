"""Both controllers with a simulated cloud: the quick start's Workspace gets its node from an agent pool and gives it back, with
NodeClaims, with Machines, and with static NodePools; and what the cloud says reaches the user.

Usage: provisioner.py [--show] [--only PART,...]   (--show prints tables and descriptions)
"""
import sys
import threading
import time

import api
import claims
import golden
import quickstart
import scenario
from azure import Provisioner, Simulator, need_commands
from claims import World, expect, state_of
from cluster import Cluster
from controller import Controller
from mirror import KINDS, Mirror
from play import Cloud, Kubelet

FIRST_S, CREATE_S, JOIN_S = 600, 1.0, 0.5  # the first machine takes until the case lets that time pass
GROUP = ["--karpenter-node-class-group=kaito.sh", "--karpenter-node-class-kind=KaitoNodeClass", "--karpenter-node-class-version=v1alpha1",
         "--karpenter-node-class-resource-name=kaitonodeclasses",
         '--karpenter-node-classes=[{"name":"default","default":true,"spec":{"osDiskSizeGB":300}}]']
# name, kind of claim, the controller's mode and flags, the provisioner's flags
WAYS = (
    ("nodeclaim", "NodeClaim", "default", [], ["--node-api=nodeclaim"]),
    ("machine", "Machine", "default", ["--node-api=machine"], ["--node-api=machine"]),
    ("nodepool", "NodeClaim", "karpenter", GROUP, ["--feature-gates=StaticCapacity=true,NodeRepair=true"]),
)


class Kubelets:
    """New Nodes get the address of the kubelets' port, so that logs can be read; pods being deleted go."""

    def __init__(self, cluster, mirror):
        self.cluster, self.mirror, self.stopping = cluster, mirror, threading.Event()
        self.cloud = Cloud(cluster)

    def __enter__(self):
        threading.Thread(target=self.run, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.stopping.set()

    def run(self):
        while not self.stopping.wait(0.1):
            for node in self.mirror.all("Node"):
                if not (node["status"].get("daemonEndpoints") or {}).get("kubeletEndpoint", {}).get("Port"):
                    self.cluster.admin.merge("Node", None, node["metadata"]["name"], {"status": {
                        "daemonEndpoints": {"kubeletEndpoint": {"Port": self.cluster.kubelet_port}},
                        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]}}, "status")
            for pod in self.mirror.all("Pod"):
                if pod["metadata"].get("deletionTimestamp"):
                    self.cluster.admin.delete("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"], now=True)


class Story(quickstart.Story):
    """The quick start with machines that come from the cloud."""

    def __init__(self, world, show, way):
        super().__init__(world.cluster, world.mirror, show)
        self.world, self.way, self.kind = world, way, world.kind

    def run(self):
        text = quickstart.MANIFEST.read_text(encoding="utf-8")
        for placeholder, value in quickstart.REPLACED.items():
            text = text.replace(placeholder, value)
        self.kubectl("apply", "-f", "-", given=text)
        self.until(f"a {self.kind} for the Workspace", lambda: self.mirror.count(self.kind) == 1)
        self.stage("after apply", ["False", "False", "False"])
        self.until("a pool that is being made", lambda: [p for p in self.world.simulator.pools().values() if state_of(p) == "Creating"])
        self.world.simulator.settings(create_ms=int(CREATE_S * 1000))
        begin = time.monotonic()
        self.world.simulator.advance(FIRST_S)
        self.until("the tuning Job", lambda: self.mirror.count("Job") == 1)
        took = time.monotonic() - begin
        self.stage("with its node", ["True", "False", "False"])
        self.machine()
        self.pods("the Job's Pod runs", "Job")
        self.stage("while tuning", ["True", "False", "False"])
        self.cloud.finish(quickstart.NAMESPACE)
        self.until("a StatefulSet that serves the tuned model", lambda: self.mirror.count("StatefulSet") == 1)
        self.pods("the endpoint's Pod runs", "StatefulSet")
        self.stage("serving", ["True", "True", "True"])
        if self.way == "nodepool":
            self.scale()
        self.delete()
        return f"the tuning Job {took:.1f} s after the cloud had made the node"

    def machine(self):
        """Claim, Node and pool as they should be, and as tables show them."""
        claim = self.mirror.all(self.kind)[0]
        name, status = claim["metadata"]["name"], claim["status"]
        node = self.mirror.get("Node", None, status.get("nodeName", ""))
        pool = self.world.pool_of(name)
        self.check(node is not None, f"the claim's nodeName {status.get('nodeName')} is no Node")
        self.check(pool != "", f"no pool of claim {name}")
        if not node or not pool:
            return
        self.check(status.get("providerID") == node["spec"]["providerID"], f"providerID {status.get('providerID')}, of the Node {node['spec']['providerID']}")
        self.check("karpenter.sh/termination" in claim["metadata"].get("finalizers", []), "the claim has no finalizer")
        self.check("karpenter.sh/termination" in node["metadata"].get("finalizers", []), "the Node has no finalizer")
        self.check(any(o["uid"] == claim["metadata"]["uid"] for o in node["metadata"].get("ownerReferences", [])), "the Node has no ownerReference to its claim")
        labels = node["metadata"]["labels"]
        for key, value in (claim["metadata"].get("labels") or {}).items():
            self.check(labels.get(key) == value, f"label {key} of the claim is {labels.get(key)} on the Node")
        for key in ("karpenter.sh/registered", "karpenter.sh/initialized"):
            self.check(labels.get(key) == "true", f"the Node's label {key} is {labels.get(key)}")
        for what in ("Launched", "Registered", "Initialized", "Ready"):
            self.check(self.world.condition(name, what)[0] == "True", f"{what} is {self.world.condition(name, what)}")
        properties = self.world.simulator.properties(pool)
        self.check(properties.get("vmSize") == "Standard_NC6s_v3" and properties.get("count") == 1, f"pool {properties.get('vmSize')} x {properties.get('count')}")
        self.table(claim)

    def table(self, claim):
        plural = {"NodeClaim": "nodeclaims", "Machine": "machines"}[self.kind]
        lines = self.kubectl("get", plural).splitlines()
        self.check({"NAME", "TYPE", "ZONE", "NODE", "READY", "AGE"} <= set(lines[0].split()), f"columns {lines[0].split()}")
        self.check("Standard_NC6s_v3" in lines[1] and claim["status"]["nodeName"] in lines[1] and " True " in lines[1], f"row {lines[1]}")
        text = self.kubectl("describe", plural, claim["metadata"]["name"])
        self.check("Initialized" in text and "Events:" in text, "describe is short of conditions or events")

    def scale(self):
        """A static pool follows `kubectl scale`, both ways."""
        pool = self.mirror.all("NodePool")[0]["metadata"]["name"]
        self.kubectl("scale", "nodepools.karpenter.sh", pool, "--replicas=2")
        self.until("two Nodes of the scaled pool", lambda: sum(self.world.condition(c["metadata"]["name"], "Ready")[0] == "True" for c in self.mirror.all("NodeClaim")) == 2)
        self.kubectl("get", "nodepools.karpenter.sh")
        self.until("the pool counts two", lambda: self.mirror.get("NodePool", None, pool).get("status", {}).get("nodes") == 2)
        self.kubectl("scale", "nodepools.karpenter.sh", pool, "--replicas=1")
        self.until("one claim again", lambda: self.mirror.count("NodeClaim") == 1)

    def delete(self):
        self.kubectl("delete", "workspace", quickstart.NAME, "--timeout=110s")
        left = lambda: [f"{o['kind']}/{o['metadata']['name']}" for o in self.mirror.of(quickstart.NAMESPACE) if o["kind"] in
                        ("Workspace", "NodeClaim", "Machine", "NodePool", "Node", "Pod", "Job", "StatefulSet")]
        self.mirror.until(lambda: not left() and self.mirror.count("Node") == 0 and self.mirror.count(self.kind) == 0 and not self.world.simulator.pools(), 30 * claims.PATIENCE)
        self.check(not left(), f"left after deletion: {left()}")
        self.check(self.mirror.count(self.kind) == 0, f"a {self.kind} is still there")
        self.check(self.mirror.count("Node") == 0, "the Node is still there")
        self.check(not self.world.simulator.pools(), f"pools left: {list(self.world.simulator.pools())}")


def quick_start(cluster, mirror, way, show):
    name, kind, mode, flags, ours = way
    with Simulator(cluster, name=f"simulator-{name}", create_time=f"{FIRST_S}s", join_time=f"{JOIN_S}s") as simulator:
        world = World(cluster, simulator, mirror, kind)
        with Provisioner(cluster, simulator, name=f"provisioner-{name}", extra=ours) as provisioner, \
                Controller(cluster, mode=mode, name=f"controller-{name}", extra=flags), Kubelets(cluster, mirror):
            story = Story(world, show, name)
            said = story.run()
            expect(not story.problems, "; ".join(story.problems) + f"\n{provisioner.tail(6)}" if story.problems else "")
    return said


# --- what the cloud says reaches the user; each case has claims of its own -------------------------------------------
def quota(world, controller_ns="default"):
    """A refusal for quota: reason and code in the claim, code first in the Workspace's conditions."""
    text = "Insufficient regional vcpu quota left for location eastus. left regional vcpu quota 0, requested quota 24."
    world.simulator.script({"match": {"method": "PUT", "path": "/agentPools/ws"}, "times": 1000, "status": 400,
                            "body": {"code": "ErrCode_InsufficientVCPUQuota", "message": text, "details": None, "subcode": ""}})
    world.admin.create("Workspace", scenario.workspace("poor", "inference", benchmark=False), controller_ns)

    def told(kind):
        found = world.mirror.get("Workspace", controller_ns, "poor") or {}
        return next((c.get("message", "") for c in (found.get("status") or {}).get("conditions", []) if c["type"] == kind), "")
    try:
        world.until(lambda: f"the code first in the Workspace: ResourceReady {told('ResourceReady')!r}, NodeClaimReady {told('NodeClaimReady')!r}; claims " +
                    " ".join(world.describe(c["metadata"]["name"]) for c in world.mirror.all("NodeClaim")),
                    lambda: "ErrCode_InsufficientVCPUQuota" in told("NodeClaimReady")[:120] or "ErrCode_InsufficientVCPUQuota" in told("ResourceReady")[:120])
        said = told("ResourceReady")
        claim = next(c for c in world.mirror.all("NodeClaim") if c["metadata"]["labels"].get("kaito.sh/workspace") == "poor")
        _, reason, message = world.condition(claim["metadata"]["name"], "Launched")
        expect(message.startswith("ErrCode_InsufficientVCPUQuota"), f"Launched's message {message}")
        expect(reason == "SubscriptionQuotaReached", f"Launched's reason {reason}")
    finally:
        world.simulator.clear_script()
    world.admin.delete("Workspace", controller_ns, "poor")
    world.until("the Workspace is gone", lambda: not world.mirror.get("Workspace", controller_ns, "poor") and world.mirror.count("NodeClaim", lambda c: c["metadata"]["labels"].get("kaito.sh/workspace") == "poor") == 0)
    return said[:100]


def sku_fallback(world):
    """The first instance type cannot be had: the next one in the order given."""
    world.simulator.script({"match": {"method": "PUT", "path": "/agentPools/fallback"}, "times": 1, "status": 409,
                            "body": {"error": {"code": "SkuNotAvailable", "message": "The requested VM size is not available in location eastus."}}})
    world.live("fallback", types=("Standard_NC48ads_A100_v4", "Standard_NC24ads_A100_v4"))
    size = world.simulator.pools()["fallback"]["vmSize"]
    expect(size == "Standard_NC24ads_A100_v4", f"vmSize {size}")
    node = world.mirror.get("Node", None, world.node_of("fallback"))
    expect(node["metadata"]["labels"]["node.kubernetes.io/instance-type"] == size, f"the Node's type is {node['metadata']['labels'].get('node.kubernetes.io/instance-type')}")
    world.delete("fallback")
    world.wait_gone("fallback")
    return f"{len(world.puts('fallback'))} PUTs"


def spot_fallback(world):
    """Spot first, on demand when the allocation fails after the request was accepted."""
    world.simulator.script({"match": {"method": "PUT", "path": "/agentPools/thrifty"}, "times": 1, "operation": {
        "code": "ReconcileVMSSAgentPoolFailed", "message": "Code=\"AllocationFailed\" Message=\"Allocation failed. We do not have sufficient capacity for the requested VM size in this region.\"",
        "details": [{"code": "AllocationFailed", "message": "Allocation failed. We do not have sufficient capacity for the requested VM size in this region."}]}})
    world.live("thrifty", types=("Standard_NC80adis_H100_v5",), requirements=({"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot", "on-demand"]},))
    priority = world.simulator.properties("thrifty").get("scaleSetPriority", "Regular")
    expect(priority == "Regular", f"scaleSetPriority {priority}")
    kind = world.claim("thrifty")["metadata"]["labels"].get("karpenter.sh/capacity-type")
    expect(kind == "on-demand", f"the claim's capacity type is {kind}")
    world.delete("thrifty")
    world.wait_gone("thrifty")


def spot(world):
    world.live("cheap", requirements=({"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot"]},))
    properties = world.simulator.properties("cheap")
    expect(properties.get("scaleSetPriority") == "Spot", f"scaleSetPriority {properties.get('scaleSetPriority')}")
    world.delete("cheap")
    world.wait_gone("cheap")


def adoption(world):
    """A pool that the original made for the claim is taken over without another PUT, and deleted with the claim."""
    made = world.admin.must("POST", api.path("NodeClaim"), dict(claims.body_of("adopted"), metadata=dict(
        claims.body_of("adopted")["metadata"], labels={"someone": "else"}), spec=dict(claims.body_of("adopted")["spec"], nodeClassRef={
            "group": "karpenter.azure.com", "kind": "AKSNodeClass", "name": "default"})))  # not ours yet: nobody acts on it
    created = made["metadata"]["creationTimestamp"].replace(":", "-")
    world.simulator.foreign_pool("adopted", {
        "count": 1, "vmSize": claims.MACHINE_TYPE, "osType": "Linux", "osSKU": "Ubuntu", "osDiskSizeGB": 120, "type": "VirtualMachineScaleSets", "mode": "User",
        "nodeLabels": {"karpenter.sh/nodepool": "kaito", "kaito.sh/workspace": "ws", "kaito.sh/workspacenamespace": "default", "kaito.sh/machine-type": "gpu",
                       "kaito.sh/creation-timestamp": created}, "nodeTaints": ["sku=gpu:NoSchedule"]})
    world.until("the original's Node", lambda: any(n["metadata"]["labels"].get("agentpool") == "adopted" for n in world.nodes()))
    time.sleep(1)
    expect("adopted" in world.simulator.pools(), "a pool that a claim of its name has was collected")
    world.admin.merge("NodeClaim", None, "adopted", {"metadata": {"labels": {"kaito.sh/workspace": "ws", "kaito.sh/workspacenamespace": "default"}}})
    world.wait_ready("adopted")
    expect(not world.puts("adopted"), f"{len(world.puts('adopted'))} PUTs to a pool that was there")
    world.delete("adopted")
    world.wait_gone("adopted")


def long_name(world):
    """A claim whose name is no pool name: a mapped name, the claim's own in label and columns."""
    name = "default-workspace-with-a-long-name-x7k2p"
    world.live(name)
    pool = world.pool_of(name)
    expect(pool and pool != name and len(pool) <= 12, f"pool {pool!r}")
    world.delete(name)
    world.wait_gone(name, pool)
    return f"pool {pool}"


def foreign(world):
    """A pool of somebody else with the claim's name: untouched, the claim says why, and leaves without it."""
    properties = {"count": 3, "vmSize": "Standard_D4s_v5", "osType": "Linux", "mode": "User", "nodeLabels": {"team": "other"}, "type": "VirtualMachineScaleSets"}
    world.simulator.foreign_pool("theirs", properties)
    world.create("theirs")
    world.until(lambda: f"a refusal in Launched: {world.describe('theirs')}", lambda: world.condition("theirs", "Launched")[0] in ("Unknown", "False") and
                "theirs" in world.condition("theirs", "Launched")[2])
    said = world.condition("theirs", "Launched")
    time.sleep(3)
    world.delete("theirs")
    world.until("the claim leaves", lambda: not world.claim("theirs"), 15)
    after = world.simulator.pools().get("theirs")
    expect(after is not None and state_of(after) == "Succeeded" and after["vmSize"] == "Standard_D4s_v5" and after["count"] == 3, f"the foreign pool is now {after}")
    expect(not any(c.method in ("DELETE",) and c.pool == "theirs" for c in world.simulator.calls()), "a DELETE was sent")
    accepted = [c for c in world.puts("theirs") if c.accepted]
    expect(not accepted, f"a PUT to the foreign pool was accepted: {accepted}")
    return f"{said[1]}: {said[2][:90]}"


def images_and_disk(world):
    """What the claim asks for is what the pool is made of."""
    world.live("azlinux", annotations={"kaito.sh/node-image-family": "azurelinux"}, storage="300Gi", more={
        "startupTaints": [], "taints": [{"key": "sku", "value": "gpu", "effect": "NoSchedule"}, {"key": "team", "value": "a", "effect": "NoExecute"}]})
    p = world.simulator.properties("azlinux")
    expect(p.get("osSKU") == "AzureLinux" and p.get("osDiskSizeGB") == 300, f"osSKU {p.get('osSKU')}, disk {p.get('osDiskSizeGB')}")
    expect(sorted(p.get("nodeTaints", [])) == ["sku=gpu:NoSchedule", "team=a:NoExecute"], f"taints {p.get('nodeTaints')}")
    labels = p.get("nodeLabels", {})
    expect(labels.get("kaito.sh/machine-type") == "gpu" and labels.get("karpenter.sh/nodepool") == "kaito" and "kaito.sh/creation-timestamp" in labels, f"labels {labels}")
    world.delete("azlinux")
    world.wait_gone("azlinux")


def invalid(world):
    """A claim that cannot be fulfilled as it is: says so, and no request is sent."""
    bad = {"nodisk": {"storage": "0"}, "notype": {"types": ()}}
    for name, more in bad.items():
        body = claims.body_of(name, **more)
        body["spec"]["requirements"] = [r for r in body["spec"]["requirements"] if r["values"]]
        world.admin.must("POST", api.path("NodeClaim"), body)
    for name in bad:
        world.until(lambda name=name: f"{name}: why it is not launched: {world.describe(name)}", lambda name=name: world.condition(name, "Launched")[1] not in ("", "AwaitingReconciliation"), 15)
    said = [f"{name}: {world.condition(name, 'Launched')[1]}" for name in bad]
    time.sleep(1)
    expect(not any(world.puts(name) for name in bad), "a PUT was sent")
    world.delete(*bad)
    world.wait_gone(*bad)
    return ", ".join(said)


def others(world):
    """Claims of another Karpenter are left alone."""
    body = claims.body_of("notours")
    body["metadata"]["labels"] = {"karpenter.sh/nodepool": "general"}
    body["spec"]["nodeClassRef"] = {"group": "karpenter.azure.com", "kind": "AKSNodeClass", "name": "default"}
    world.admin.must("POST", api.path("NodeClaim"), body)
    time.sleep(2)
    claim = world.claim("notours")
    expect(not claim["metadata"].get("finalizers") and not (claim.get("status") or {}).get("conditions"), f"it was touched: {claim['metadata']}")
    world.delete("notours")


CASES = (sku_fallback, spot_fallback, spot, adoption, long_name, foreign, images_and_disk, invalid, others)


def main(argv=None):
    options = claims.arguments(__doc__, show=(False, "print tables and descriptions")).parse_args(argv)
    need_commands("simulate azure", "provisioner")
    cases = claims.Cases(options.only)
    with Cluster(provisioner=True, audit=False) as cluster:
        kubelet = Kubelet(cluster)
        golden.release_objects(cluster)
        cluster.kubectl("create", "secret", "docker-registry", "regcred", "--docker-server=myregistry.azurecr.io", "--docker-username=u", "--docker-password=p")
        with Mirror(cluster.admin, (*KINDS, "Machine")) as mirror:
            for way in WAYS:
                cases.one(quick_start, cluster, mirror, way, options.show, name=f"quick start: {way[0]}")
            cluster.admin.delete("KaitoNodeClass", None, "default")  # without it a claim must say how large its disk is
            with Simulator(cluster, create_time="1s") as simulator, Provisioner(cluster, simulator) as provisioner:
                world = World(cluster, simulator, mirror)
                cases.together(CASES, world)
                with Controller(cluster):
                    cases.one(quota, world, name="quota: the reason in claim and Workspace")
                if cases.bad:
                    print(provisioner.tail(10))
        kubelet.close()
    return cases.status()


if __name__ == "__main__":
    sys.exit(claims.main_of(main))

"""AWS as the cloud of the node provisioner's suites: `kaito simulate aws` with its instances, a proxy before it, the provisioner that is
pointed at it, and the world of claims whose machines are instances.
"""
import base64
import http.client
import json
import time

import azure
import claims

MACHINE_TYPE = "g5.xlarge"
TAG_CLAIM, TAG_UID, TAG_CLUSTER = "kaito.sh/nodeclaim", "kaito.sh/nodeclaim-uid", "kaito.sh/cluster"
ALIVE = ("pending", "running", "stopping", "stopped")
CLASS = {"apiVersion": "karpenter.k8s.aws/v1", "kind": "EC2NodeClass", "metadata": {"name": "default"}, "spec": {
    "amiSelectorTerms": [{"alias": "al2023@latest"}], "instanceProfile": "kaito-nodes",
    "subnetSelectorTerms": [{"tags": {"karpenter.sh/discovery": "kaito"}}], "securityGroupSelectorTerms": [{"tags": {"karpenter.sh/discovery": "*"}}]}}
CLASS_CRD = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "ec2nodeclasses.karpenter.k8s.aws"}, "spec": {
    "group": "karpenter.k8s.aws", "scope": "Cluster", "names": {"kind": "EC2NodeClass", "plural": "ec2nodeclasses", "singular": "ec2nodeclass", "listKind": "EC2NodeClassList"},
    "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}}


class Simulator(azure.Simulator):
    CLOUD = "aws"

    def instances(self):
        """{id: {state, type, zone, market, foreign, tags, node, never_joins}}; terminated ones are among them for a while."""
        return self.state()["instances"]

    def of_claim(self, name, alive=True):
        return {i: m for i, m in self.instances().items() if m["tags"].get(TAG_CLAIM) == name and (m["state"] in ALIVE or not alive)}

    def calls(self):
        return [Asked(c) for c in self.ask("GET", "calls")["calls"]]

    def make(self, **what):
        return self.ask("POST", "instances", what)["id"]

    def change(self, instance, **what):
        self.ask("POST", f"instances/{instance}", what)


class Asked:
    """One request as the simulator logged it: `what` is EC2's action, or "METADATA"."""

    def __init__(self, row):
        self.method, self.path, self.status, self.at_ms = row["method"], row["path"], row.get("status", 0), row.get("at_ms", 0)
        self.accepted = self.status == 200
        self.what = self.path[1:] if "/" not in self.path[1:] else "METADATA"

    def __str__(self):
        return f"{self.what} -> {self.status}"


class Call:
    def __init__(self, call):
        self.method, self.path, self.body = call.method, call.path, call.body
        form = (call.body or b"").decode("utf-8", "replace")
        self.what = form.split("&")[0].removeprefix("Action=") if form.startswith("Action=") else "METADATA" if call.method != "POST" else "GetParameter"
        if self.what == "DescribeInstances":
            self.what = "LIST"  # comes by the clock

    def __str__(self):
        return self.what


class Through:
    """What an ArmProxy reads of its simulator."""

    def __init__(self, simulator):
        self.port, self.environment = simulator.port, {"AZURE_RESOURCE_MANAGER_ENDPOINT": simulator.endpoint}


class Proxy(azure.ArmProxy):
    """Between provisioner and AWS. The name of the host is part of what is signed, so it stays."""

    def __init__(self, simulator, policy=None):
        super().__init__(Through(simulator), policy)

    def environment(self):
        return {"AWS_ENDPOINT_URL": self.url}

    def handle(self, handler, call):
        super().handle(handler, Call(call))

    def upstream(self, handler, call):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {k: v for k, v in handler.headers.items() if k.lower() not in ("connection", "accept-encoding", "content-length")}
            connection.request(call.method, call.path, call.body, headers)
            reply = connection.getresponse()
            body = reply.read()
        finally:
            connection.close()
        return reply.status, {k: v for k, v in reply.getheaders() if k.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server")}, body


class Provisioner(azure.Provisioner):
    """`kaito provisioner --cloud aws`. A variable that `environment` sets to "" is not set."""

    def __init__(self, cluster, simulator, extra=(), **more):
        super().__init__(cluster, simulator, extra=["--cloud=aws", *extra], **more)
        ours = {k: v for k, v in self.environment.items() if not k.startswith("AWS_") or k in simulator.environment or k in (more.get("environment") or {})}
        self.environment = {k: v for k, v in ours.items() if v != ""}


class World(claims.World):
    def create(self, name, types=(MACHINE_TYPE,), **more):
        return super().create(name, types=types, **more)

    def puts(self, name):
        """Requests that may make an instance; a world with one claim at a time."""
        return [c for c in self.simulator.calls() if c.what in ("CreateFleet", "RunInstances")]

    def left(self, *names):
        found = [f"{self.kind} {n}" for n in names if self.claim(n)]
        nodes = {n["metadata"]["name"] for n in self.nodes()}
        for name in names:
            for instance, m in self.simulator.of_claim(name, alive=False).items():
                found += [f"instance {instance} ({m['state']})"] if m["state"] != "terminated" else []
                found += [f"Node {m['node']}"] if m["node"] in nodes else []
        owned = {n["metadata"]["name"]: [o["name"] for o in n["metadata"].get("ownerReferences", [])] for n in self.nodes()}
        return found + [f"Node {node} of {owners}" for node, owners in owned.items() if any(o in names for o in owners)]

    def only_instance(self, name):
        """The one living instance of the claim, and all that ever were."""
        alive = self.simulator.of_claim(name)
        claims.expect(len(alive) == 1, f"{name} has {len(alive)} instances: {alive}")
        return next(iter(alive.items()))


class Stage(claims.Stage):
    def __enter__(self):
        self.cluster.__enter__()
        try:
            self.simulator = Simulator(self.cluster, **self.options).start()
            self.mirror = claims.Mirror(self.cluster.admin, self.kinds).__enter__()
            self.cluster.admin.create("CustomResourceDefinition", CLASS_CRD)
            self.cluster.wait("EC2NodeClass", lambda: self.cluster.established([CLASS_CRD["metadata"]["name"]]), 30)
            self.cluster.kubectl("apply", "-f", "-", given=json.dumps(CLASS))
        except BaseException:
            self.cluster.stop()
            raise
        return World(self.cluster, self.simulator, self.mirror, self.kind)


def web_token(audience, lifetime_s=3600):
    """A service account's token as far as the simulator reads it."""
    def part(o):
        return base64.urlsafe_b64encode(json.dumps(o).encode()).rstrip(b"=").decode()
    return ".".join((part({"alg": "RS256"}), part({"aud": [audience], "exp": int(time.time()) + lifetime_s, "sub": "system:serviceaccount:kaito-workspace:provisioner"}), part("signature")))

"""The node provisioner's chart on a real API server: it installs, and its rights are exactly those that are used.

Usage: provisioner_rbac.py [--only PART,...]
Render the chart with helm, apply it, run the provisioner with the arguments and environment of its Deployment and the token of its
service account through the life of claims, Machines, static pools, drains, repair and garbage collection. Then, from the audit log: no
call was refused, and every rule of its roles was used, verb by verb. What no case can use stands in EXEMPT, each with its reason.
"""
import sys
import time

import api
import claims
import provisioner_drain as drain
import provisioner_safety as safety
import rbac
from azure import FAST, Provisioner
from claims import Cases, Stage, World, expect
from cluster import ROOT, Skip

CHART, NAMESPACE = ROOT / "charts/kaito/gpu-provisioner", "gpu-provisioner"
# run, group, resource, verb (globs) and why no case uses it.
EXEMPT = (("chart", "", "events", "patch"),)  # the same event again counts up, but not within two minutes
OURS = ("--metrics-port", "--health-probe-port", "--kubeconfig")


def provisioner_of(world, objects, account, name="chart", extra=()):
    """The Deployment's container as a process, on ports and with a cloud of ours."""
    container = rbac.deployment(objects)["spec"]["template"]["spec"]["containers"][0]
    environment = {e["name"]: e["value"] if "value" in e else NAMESPACE for e in container.get("env", [])}
    for variable in ("METRICS_PORT", "HEALTH_PROBE_PORT", *world.simulator.environment):
        environment.pop(variable, None)
    words = container.get("command", [])[1:] + container.get("args", [])
    arguments = [w for w in words if w.split("=")[0] not in OURS and w not in ("provisioner", "kaito")]
    environment["SYSTEM_NAMESPACE"] = NAMESPACE
    return Provisioner(world.cluster, world.simulator, kubeconfig=account, name=name, fast=arguments, extra=[*FAST, *extra], environment=environment)


def node_pool(world):
    """A static pool from its creation over two scales to its end."""
    world.admin.must("POST", api.path("KaitoNodeClass"), {"apiVersion": "kaito.sh/v1alpha1", "kind": "KaitoNodeClass", "metadata": {"name": "default"}, "spec": {"osDiskSizeGB": 200}})
    world.admin.must("POST", api.path("NodePool"), {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "static"}, "spec": {
        "replicas": 1, "template": {"metadata": {"labels": {"team": "a"}}, "spec": {
            "nodeClassRef": {"group": "kaito.sh", "kind": "KaitoNodeClass", "name": "default"}, "expireAfter": "Never",
            "requirements": [{"key": "node.kubernetes.io/instance-type", "operator": "In", "values": [claims.MACHINE_TYPE]}]}}}})
    ready = lambda: sum(world.condition(c["metadata"]["name"], "Ready")[0] == "True" for c in members())
    members = lambda: [c for c in world.mirror.all("NodeClaim") if (c["metadata"].get("labels") or {}).get("karpenter.sh/nodepool") == "static"]
    world.until(lambda: f"one Node of the pool: {[world.describe(c['metadata']['name']) for c in members()]}", lambda: ready() == 1, 25)
    world.cluster.kubectl("scale", "nodepools.karpenter.sh", "static", "--replicas=2")
    world.until("two Nodes of the pool", lambda: ready() == 2, 25)
    world.cluster.kubectl("scale", "nodepools.karpenter.sh", "static", "--replicas=0")
    world.until("no Node of the pool", lambda: not members(), 25)
    world.admin.delete("NodePool", None, "static")
    world.until("the pool is gone", lambda: not world.mirror.get("NodePool", None, "static"), 10)
    world.admin.delete("KaitoNodeClass", None, "default")


def machine(world):
    other = World(world.cluster, world.simulator, world.mirror, "Machine")
    other.live("machine")
    other.delete("machine")
    other.wait_gone("machine")
    other.live("sickmachine")
    other.simulator.node(other.node_of("sickmachine"), ready="False")
    other.until(lambda: f"repaired: {other.describe('sickmachine')}", lambda: not other.claim("sickmachine") and not other.left("sickmachine"), 25)


def lease(world):
    renewals = lambda: {i["spec"].get("renewTime") for i in world.admin.items("Lease", NAMESPACE) if (i["spec"] or {}).get("holderIdentity")}
    world.cluster.wait("the lease", renewals, 60)
    first = renewals()
    world.cluster.wait("its renewal", lambda: renewals() - first, 60, 0.5)


def main(argv=None):
    options = claims.arguments(__doc__).parse_args(argv)
    if not CHART.is_dir():
        raise Skip(f"no chart in {CHART}")
    cases = Cases(options.only)

    def lint():
        problems = rbac.lint(CHART)
        expect(not problems, "\n".join(problems))
    cases.one(lint, name="helm lint")
    with Stage(managers=True, audit=True, create_time="0.5s", delete_time="0.2s", kinds=(*claims.KINDS, "KaitoNodeClass")) as world:
        cluster = world.cluster
        cluster.namespace(NAMESPACE)
        objects = rbac.render(["replicas=2", *(f"settings.azure.{k}=x" for k in ("clusterName",))], CHART, "gpu-provisioner", NAMESPACE)
        rbac.apply(cluster, objects, NAMESPACE)
        account = next(o["metadata"]["name"] for o in objects if o["kind"] == "ServiceAccount")
        kubeconfig = cluster.service_account(NAMESPACE, account)
        with drain.Kubelets(world) as kubelets, provisioner_of(world, objects, kubeconfig, extra=["--repair-toleration=2s"]) as provisioner:
            cases.one(lease, world)
            cases.together((drain.budget, drain.forced, drain.volumes, drain.volume_that_stays), world, kubelets, workers=4)
            cases.together((node_pool, machine, safety.orphan, safety.node_deleted, safety.vanished_pool), world, workers=5)
            cases.one(safety.repair, world)
            cases.one(safety.expires, world)
            if cases.bad:
                print(provisioner.tail(12))
            status = provisioner.stop()
        time.sleep(0.5)
        ledger = rbac.Ledger(NAMESPACE, EXEMPT)

        def refused():
            problems = ledger.enter("chart", objects, account, cluster.audit_events()[0])
            expect(not problems, "\n  ".join(problems))
            expect(status == 0, f"it left with status {status}")

        def unused():
            never = list(ledger.unused())
            expect(not never, "\n  ".join(never))
            return f"{len(ledger.given)} rights"
        cases.one(refused, name="nothing was refused")
        if not options.only:
            cases.one(unused, name="every right is used")
    return cases.status()


if __name__ == "__main__":
    sys.exit(claims.main_of(main))

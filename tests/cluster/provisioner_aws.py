"""The node provisioner with EC2 instances: claims and a Workspace that become Ready and go away, spot and what comes when there is none,
refusals as the user sees them, credentials, garbage, and kills in the middle; against `kaito simulate aws`, which verifies every signature.

Usage: provisioner_aws.py [--every N] [--only PART,...]
"""
import json
import sys
import time

import aws
import claims
import provisioner_crash as crash
import scenario
from aws import Provisioner, Stage
from claims import Cases, expect
from controller import Controller
from play import Cloud, Kubelet
from provisioner import Kubelets

CREATE_MS, DELETE_MS, JOIN_MS = 400, 300, 200
SPOT = {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot", "on-demand"]}


def requirement(key, *values):
    return {"key": key, "operator": "In", "values": list(values)}


# --- claims, side by side -------------------------------------------------------------------------------------------
def whole_life(world):
    """What a claim says, what its Node and instance are, and nothing left."""
    begin = time.monotonic()
    world.live("whole", storage="300Gi")
    took = time.monotonic() - begin
    instance, machine = world.only_instance("whole")
    claim, node = world.claim("whole"), world.mirror.get("Node", None, world.node_of("whole"))
    labels = claim["metadata"]["labels"]
    expect(claim["status"]["providerID"] == f"aws:///{machine['zone']}/{instance}" == node["spec"]["providerID"], f"providerID {claim['status']['providerID']}")
    expect(labels["node.kubernetes.io/instance-type"] == aws.MACHINE_TYPE and labels["topology.kubernetes.io/zone"] == machine["zone"] and
           labels["karpenter.sh/capacity-type"] == "on-demand", f"labels {labels}")
    expect([t["key"] for t in node["spec"]["taints"]] == ["sku"], f"taints {node['spec']['taints']}")
    expect(node["status"]["capacity"].get("nvidia.com/gpu") == "1" and node["status"]["capacity"]["ephemeral-storage"] == "300Gi", f"capacity {node['status']['capacity']}")
    expect(machine["tags"][aws.TAG_UID] == claim["metadata"]["uid"] and machine["tags"]["Name"] == "whole", f"tags {machine['tags']}")
    world.delete("whole")
    world.wait_gone("whole")
    return f"Ready after {took:.1f} s"


def classes(world):
    """A claim with an EC2NodeClass gets what it says; one whose class selects nothing says so."""
    world.create("classy", more={"nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}})
    wrong = json.loads(json.dumps(aws.CLASS))
    wrong["metadata"]["name"], wrong["spec"]["subnetSelectorTerms"] = "nowhere", [{"tags": {"no": "such"}}]
    world.cluster.kubectl("apply", "-f", "-", given=json.dumps(wrong))
    world.create("lost", more={"nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "nowhere"}})
    world.wait_ready("classy")
    world.until(lambda: f"why: {world.describe('lost')}", lambda: "subnetSelectorTerms" in world.condition("lost", "Launched")[2])
    said = world.condition("lost", "Launched")
    world.delete("classy", "lost")
    world.wait_gone("classy", "lost")
    return f"{said[1]}: {said[2][:90]}"


def spot(world):
    world.create("cheap", types=("g6.xlarge",), requirements=[SPOT])
    world.wait_ready("cheap")
    _, machine = world.only_instance("cheap")
    expect(machine["market"] == "spot" and world.claim("cheap")["metadata"]["labels"]["karpenter.sh/capacity-type"] == "spot", f"it is {machine['market']}")
    world.delete("cheap")
    world.wait_gone("cheap")


def spot_fallback(world):
    """No spot machine of the type anywhere: on demand, and the labels say so."""
    world.create("dear", types=("g6.2xlarge",), requirements=[SPOT])
    world.wait_ready("dear")
    _, machine = world.only_instance("dear")
    expect(machine["market"] == "on-demand" and world.claim("dear")["metadata"]["labels"]["karpenter.sh/capacity-type"] == "on-demand", f"it is {machine['market']}")
    world.delete("dear")
    world.wait_gone("dear")


def other_zone(world):
    """Sold out in two of three zones, in one request."""
    world.live("third", types=("g6.4xlarge",))
    _, machine = world.only_instance("third")
    expect(machine["zone"].endswith("c"), f"zone {machine['zone']}")
    world.delete("third")
    world.wait_gone("third")


def second_type(world):
    """The first type is nowhere to be had, the second is."""
    world.live("second", types=("p4d.24xlarge", "g6.8xlarge"))
    _, machine = world.only_instance("second")
    expect(machine["type"] == "g6.8xlarge", f"type {machine['type']}")
    world.delete("second")
    world.wait_gone("second")


def sold_out(world):
    """EC2's code first, in the claim."""
    world.create("none", types=("p5.48xlarge",))
    world.wait_told("none", "Launched", "Unknown", "InsufficientInstanceCapacity")
    told = [t for t in world.told_of("none", "Launched") if t[2].startswith("InsufficientInstanceCapacity: ") and "p5.48xlarge" in t[2]]
    expect(told, f"no message with the code first: {world.told_of('none', 'Launched')}")
    time.sleep(2)
    asked = [c for c in world.simulator.ask("GET", "calls")["calls"] if c["path"] == "/CreateFleet"]
    expect(len(asked) <= 2 * len(SIDE_BY_SIDE), f"{len(asked)} requests: it is asked for again and again")
    expect(not world.simulator.of_claim("none", alive=False), "there is an instance")
    world.delete("none")
    world.wait_gone("none")
    return told[0][2][:100]


def stillborn(world):
    """The machine ended before EC2 ever listed it: another is made."""
    world.simulator.settings(list_delay_ms=600000)
    world.create("stillborn", types=("g5.2xlarge",))
    world.until("an instance", lambda: world.simulator.of_claim("stillborn"))
    first, _ = world.only_instance("stillborn")
    world.simulator.change(first, state="terminated", reason={"code": "Server.InsufficientInstanceCapacity", "message": "Insufficient capacity"})
    world.simulator.settings(list_delay_ms=0, capacity={**CAPACITY, "g5.2xlarge/us-east-1a": 0})
    world.simulator.advance(600)
    world.wait_ready("stillborn")
    second, machine = world.only_instance("stillborn")
    expect(second != first and machine["zone"] != "us-east-1a", f"it is {second} in {machine['zone']}")
    world.delete("stillborn")
    world.wait_gone("stillborn")


def reclaimed(world):
    """A machine in use is taken away: its Node and its claim go too."""
    world.live("unlucky", types=("g5.2xlarge",))
    first, _ = world.only_instance("unlucky")
    world.simulator.change(first, state="terminated", reason={"code": "Server.SpotInstanceTermination", "message": "Spot instance termination"})
    world.wait_gone("unlucky")


def out_of_quota(world):
    """No vCPU left in the account: the code, the limit, and what to raise."""
    world.simulator.settings(quotas={"on-demand": 4})
    world.create("quota", types=("g5.16xlarge",))
    world.wait_told("quota", "Launched", "Unknown", "VcpuLimitExceeded")
    said = world.condition("quota", "Launched")[2]
    expect("vCPU limit of 4" in said and "Service Quotas" in said, said)
    world.simulator.settings(quotas={})
    world.delete("quota")
    world.wait_gone("quota")


def strangers(world):
    """An orphan of this cluster is ended; instances of others, of another cluster, and without a uid are not."""
    sim, ours = world.simulator, {aws.TAG_CLUSTER: "kaito", aws.TAG_CLAIM: "ghost", aws.TAG_UID: "00000000-1111-2222-3333-444444444444"}
    kept = [sim.make(type="m5.large", tags={"Name": "theirs"}), sim.make(tags={**ours, aws.TAG_CLUSTER: "another"}), sim.make(tags={aws.TAG_CLUSTER: "kaito", aws.TAG_CLAIM: "ghost"})]
    orphan = sim.make(type=aws.MACHINE_TYPE, tags=ours)
    world.until("the orphan is ended", lambda: sim.instances()[orphan]["state"] in ("shutting-down", "terminated"), 25)
    time.sleep(3)
    states = {i: sim.instances()[i]["state"] for i in kept}
    expect(set(states.values()) == {"running"}, f"others: {states}")


def lost_answer(world):
    """The answer to the one request that matters is lost: the same request again, one instance."""
    world.simulator.script({"match": {"path": "^/CreateFleet$"}, "action": "drop_after"})
    world.live("twice", types=("g5.4xlarge",))
    every = world.simulator.of_claim("twice", alive=False)
    expect(len(every) == 1, f"instances {every}")
    world.delete("twice")
    world.wait_gone("twice")


SIDE_BY_SIDE = (whole_life, classes, spot, spot_fallback, other_zone, second_type, sold_out, strangers)
CAPACITY = {"g6.2xlarge/spot": 0, "g6.4xlarge/us-east-1a": 0, "g6.4xlarge/us-east-1b": 0, "p4d.24xlarge": 0, "p5.48xlarge": 0}


# --- one by one ------------------------------------------------------------------------------------------------------
def late_list(world):
    """EC2 shows an instance only seconds after it made it."""
    world.simulator.settings(list_delay_ms=2500)
    world.live("later")
    every = world.simulator.of_claim("later", alive=False)
    expect(len(every) == 1, f"instances {every}")
    world.delete("later")
    world.simulator.settings(list_delay_ms=0)
    world.wait_gone("later")


def deleted_unseen(world):
    """A claim that is deleted before EC2 shows its instance; whose end others wait for."""
    world.simulator.settings(list_delay_ms=2500)
    world.create("unseen")
    world.until("an instance", lambda: world.simulator.of_claim("unseen"))
    world.simulator.settings(list_delay_ms=0)
    world.delete("unseen")


def unseen_is_gone(world):
    world.wait_gone("unseen", seconds=30)


def slow_pace(world):
    """Past EC2's pace: RequestLimitExceeded, and then all the same."""
    world.simulator.script({"match": {"path": "^/CreateFleet$"}, "times": 1, "status": 503, "operation": {"code": "RequestLimitExceeded", "message": "Request limit exceeded."}})
    world.live("paced")
    expect(sum(c.what == "CreateFleet" and c.status == 503 for c in world.simulator.calls()) == 1, "the script was not used")
    expect(len(world.simulator.of_claim("paced", alive=False)) == 1, "more than one instance")
    world.delete("paced")
    world.wait_gone("paced")


def not_permitted(world):
    """Without CreateFleet: RunInstances; without that either the claim says what to allow."""
    world.simulator.settings(denied="CreateFleet,RunInstances")
    world.create("denied")
    world.until(lambda: f"why: {world.describe('denied')}", lambda: any(t[2].startswith("UnauthorizedOperation: ") and "policy" in t[2] for t in world.told_of("denied", "Launched")))
    world.delete("denied")
    world.wait_gone("denied")
    world.simulator.settings(denied="CreateFleet")
    world.live("run")
    expect(any(c.what == "RunInstances" and c.accepted for c in world.simulator.calls()), "RunInstances was not used")
    world.delete("run")
    world.wait_gone("run")
    world.simulator.settings(denied="")


def keys(world, name, environment, source):
    """A life of a claim with other credentials."""
    issued = world.simulator.state()["tokens"]["issued"]
    with Provisioner(world.cluster, world.simulator, name=f"provisioner-{name}", environment={"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", **environment}):
        world.live(name)
        world.delete(name)
        world.wait_gone(name)
    made = world.simulator.state()["tokens"]["issued"] - issued
    expect(made == 1, f"{source}: keys were fetched {made} times")


def credentials(world):
    """A service account's role, a pod identity, the machine's role: one fetch each."""
    web, pod = world.cluster.dir / "web-token", world.cluster.dir / "pod-token"
    web.write_text(aws.web_token("sts.amazonaws.com"))
    pod.write_text(aws.web_token("pods.eks.amazonaws.com"))
    role = world.simulator.ask("GET", "settings")["role_arn"]
    keys(world, "byweb", {"AWS_WEB_IDENTITY_TOKEN_FILE": str(web), "AWS_ROLE_ARN": role}, "web identity")
    keys(world, "bypod", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": world.simulator.endpoint + "/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(pod)}, "pod identity")
    keys(world, "byimds", {}, "instance metadata")


def wrong_keys(world):
    """Each says what to look at: a wrong secret, a clock that is wrong, a role that is not trusted."""
    role = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(world.cluster.dir / "web-token"), "AWS_ROLE_ARN": "arn:aws:iam::000000000000:role/other", "AWS_ACCESS_KEY_ID": ""}
    (world.cluster.dir / "web-token").write_text(aws.web_token("sts.amazonaws.com"))
    for name, environment, skew, wanted in (("secret", {"AWS_SECRET_ACCESS_KEY": "another"}, 0, "SignatureDoesNotMatch"), ("clock", {}, 1000, "RequestExpired"), ("role", role, 0, "AWS_ROLE_ARN")):
        world.simulator.settings(clock_skew_s=skew)
        provisioner = Provisioner(world.cluster, world.simulator, name=f"provisioner-{name}", environment=environment).start(wait=False)
        try:
            world.create(name)
            world.until(lambda name=name, p=provisioner: f"{name}: {world.describe(name)}\n{p.tail(3)}",
                        lambda name=name, wanted=wanted: any(wanted in t[2] for t in world.told_of(name, "Launched")))
            expect(provisioner.probe("readyz") != 200, "it says that it is ready")
        finally:
            provisioner.stop()
            world.simulator.settings(clock_skew_s=0)
            world.admin.merge("NodeClaim", None, name, {"metadata": {"finalizers": None}})
            world.delete(name)
        expect(not world.simulator.of_claim(name, alive=False), f"{name}: there is an instance")


ONE_BY_ONE = (deleted_unseen, stillborn, reclaimed, out_of_quota, lost_answer, late_list, slow_pace, not_permitted, unseen_is_gone)


# --- a Workspace -------------------------------------------------------------------------------------------------------
def workspace(world):
    """The controller asks for an EC2 instance by a NodeClaim, runs on it, and gives it back."""
    body = scenario.workspace("ec2", "inference", benchmark=False)
    body["resource"]["instanceType"] = "g5.12xlarge"
    found = lambda: world.mirror.get("Workspace", "default", "ec2") or {}
    said = lambda: {c["type"]: (c["status"], c["message"][:80]) for c in found().get("status", {}).get("conditions", [])}
    world.admin.create("Workspace", body, "default")
    cloud = Cloud(world.cluster)

    def ready():
        cloud.pods("default")  # the kubelets start what is scheduled
        return found().get("status", {}).get("state") == "Ready"
    world.until(lambda: f"Ready: {said()} {[world.describe(c['metadata']['name']) for c in world.mirror.all('NodeClaim')]}", ready, 30)
    machines = [m for m in world.simulator.instances().values() if m["type"] == "g5.12xlarge"]
    expect(len(machines) == 1 and machines[0]["state"] == "running", f"instances {machines}")
    world.admin.delete("Workspace", "default", "ec2")
    world.until("the Workspace and its claim go", lambda: not found() and world.mirror.count("NodeClaim") == 0, 30)
    world.until("its instance ends", lambda: all(m["state"] not in aws.ALIVE for m in world.simulator.instances().values() if m["type"] == "g5.12xlarge"))


# --- kills -------------------------------------------------------------------------------------------------------------
def one_instance(world, name):
    every = world.simulator.of_claim(name, alive=False)
    expect(len(every) == 1, f"{len(every)} instances were made: {every}")


class Bench(crash.Bench):
    PROXY, PROVISIONER, check = aws.Proxy, Provisioner, staticmethod(one_instance)


def kills(world, cases, every):
    bench, calm, at = Bench(world), crash.Killer(), 0

    def undisturbed():
        bench.life(calm)
        return ", ".join(f"{sum(w == what for w, _ in calm.order)} {what}" for what in dict.fromkeys(w for w, _ in calm.order))
    cases.one(undisturbed, name="kills: undisturbed")
    reads = ("ARM DescribeSubnets", "ARM GetParameter", "ARM DescribeSecurityGroups", "ARM DescribeLaunchTemplates")  # they leave nothing behind
    for what, number in [step for step in crash.steps(calm.order) if step[0] not in reads]:
        for moment in crash.MOMENTS["ARM" if what.startswith("ARM") else "kube"]:
            at += 1
            if at % every:
                continue
            killer = crash.Killer()
            killer.arm(what, number, moment)

            def killed(killer=killer):
                bench.life(killer)
                return "" if killer.did else "this life had no such step"
            cases.one(killed, name=f"kills: {moment} {what.replace('ARM', 'AWS')} {number}")


def main(argv=None):
    options = claims.arguments(__doc__, every=(3, "kill at every Nth step")).parse_args(argv)
    cases, begin = Cases(options.only), time.monotonic()
    with Stage(kinds=(*claims.KINDS, "Workspace"), managers=True, create_time=f"{CREATE_MS}ms", delete_time=f"{DELETE_MS}ms", join_time=f"{JOIN_MS}ms") as world:
        world.simulator.settings(capacity=CAPACITY)
        with Provisioner(world.cluster, world.simulator) as provisioner:
            cases.together(SIDE_BY_SIDE, world)
            for case in ONE_BY_ONE:
                cases.one(case, world)
            kubelet = Kubelet(world.cluster)
            with Controller(world.cluster, environment={"CLOUD_PROVIDER": "aws"}), Kubelets(world.cluster, world.mirror):
                cases.one(workspace, world)
            kubelet.close()
            if cases.bad:
                print(provisioner.tail(10))
        for case in (credentials, wrong_keys):
            cases.one(case, world)
        if not options.only or "kills" in options.only:
            kills(world, cases, options.every)
    print(f"-- {time.monotonic() - begin:.0f} s")
    return cases.status()


if __name__ == "__main__":
    claims.leave(main)

"""The chart on a real API server: it installs, and its rights are exactly those that are used.

Usage: rbac.py [--runs default,karpenter,...] [--show]
For each set of values: render the chart with helm, apply it, run the controller with the arguments of its Deployment and the token of
its service account through recorded cases, webhook and leader election included. Then, from the audit log: no call was
refused, and every rule of its roles was used, verb by verb. Rules that a suite cannot use stand in EXEMPT, each with its reason.
"""
import argparse
import fnmatch
import json
import socket
import subprocess
import sys
import threading
import time

import compare
import golden
import play
import proxy
import scenario
from cluster import ROOT, Cluster, Skip, free_ports, program
from controller import RELEASE_NAMESPACE, Controller
from mirror import Mirror
from play import Kubelet

CHART = ROOT / "charts/kaito/workspace"
# name, chart values, cases to run. To cover a gate: a row.
RUNS = (
    ("default", ["replicaCount=2"], ("b-inference-phi4mini", "a-quickstart-nc24ads", "c-adapters-config", "f-tuning-lora-volumes", "i-inferenceset")),
    ("byo", ["nodeProvisioner=byo"], ("byo-70b-two-nodes",)),
    ("karpenter", ["nodeProvisioner=karpenter"], ("karpenter-inference", "karpenter-tuning")),
    ("gate", ["featureGates.enableMultiRoleInferenceController=true"], ("gate-multirole",)),
)
WAIT_S = 120  # for one step, of which the slowest takes some seconds
# run, group, resource, verb (globs) and why no run uses it.
EXEMPT = ()


def render(values, chart=CHART, release="kaito-workspace", namespace=RELEASE_NAMESPACE):
    command = [program("helm"), "template", release, str(chart), "--namespace", namespace, "--include-crds"]
    for value in values:
        command += ["--set", value]
    run = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S)
    if run.returncode:
        raise RuntimeError("helm template: " + run.stderr.strip())
    return compare.load_all(run.stdout)


def lint(chart=CHART):
    run = subprocess.run([program("helm"), "lint", "--strict", str(chart)], capture_output=True, text=True, timeout=WAIT_S)
    return [] if run.returncode == 0 and "WARNING" not in run.stdout else ["helm lint: " + run.stdout.strip() + run.stderr.strip()]


def apply(cluster, objects, namespace=RELEASE_NAMESPACE):
    order = {"CustomResourceDefinition": 0, "Namespace": 1}
    crds = [o for o in objects if o["kind"] == "CustomResourceDefinition"]
    rest = [o for o in objects if o["kind"] != "CustomResourceDefinition"]
    for part in (crds, rest):
        if part:
            part.sort(key=lambda o: order.get(o["kind"], 2))
            text = "\n---\n".join(json.dumps(o) for o in part)
            cluster.kubectl("apply", "--server-side", "--force-conflicts", "-n", namespace, "-f", "-", given=text)
        if part is crds and part:
            cluster.wait("the chart's CRDs", lambda: cluster.established([o["metadata"]["name"] for o in crds]), WAIT_S)


def deployment(objects):
    return next(o for o in objects if o["kind"] == "Deployment")


def run_controller(cluster, objects, account, index, webhook_port):
    """The Deployment's container as a process: its arguments and environment, on ports of ours."""
    container = deployment(objects)["spec"]["template"]["spec"]["containers"][0]
    environment = {}
    for e in container.get("env", []):
        environment[e["name"]] = e["value"] if "value" in e else RELEASE_NAMESPACE
    environment["WEBHOOK_PORT"] = str(webhook_port)
    words = container.get("command", [])[1:] + container.get("args", [])
    ours = ("--metrics-bind-address", "--health-probe-bind-address", "--webhook", "--kubeconfig", "--webhook-port")
    arguments = [w for w in words if w.split("=")[0] not in ours and w not in ("controller", "kaito")]
    return Controller(cluster, kubeconfig=account, name=f"{account.rsplit('.', 2)[-2]}-{index}", extra=arguments, webhook=True, environment=environment)


def bound_roles(objects, account, home=RELEASE_NAMESPACE):
    """(role, namespace or None) of the bindings that name the service account."""
    roles = {(o["kind"], o["metadata"]["name"]): o for o in objects if o["kind"] in ("ClusterRole", "Role")}
    for o in objects:
        if o["kind"] in ("ClusterRoleBinding", "RoleBinding") and any(s.get("name") == account for s in o.get("subjects", [])):
            role = roles.get((o["roleRef"]["kind"], o["roleRef"]["name"]))
            if role:
                yield role, None if o["kind"] == "ClusterRoleBinding" else o["metadata"].get("namespace", home)


def grants(objects, account, home=RELEASE_NAMESPACE):
    """Every single right: (role name, namespace, group, resource, verb, names)."""
    for role, namespace in bound_roles(objects, account, home):
        for rule in role.get("rules") or []:
            for group in rule.get("apiGroups", []):
                for resource in rule.get("resources", []):
                    for verb in rule.get("verbs", []):
                        yield role["metadata"]["name"], namespace, group, resource, verb, tuple(rule.get("resourceNames", []))


def used_rights(events, user):
    """{(namespace, group, resource, verb, name)} of answered calls, and the refused calls."""
    used, refused = set(), set()
    for e in events:
        ref = e.get("objectRef")
        if e.get("user", {}).get("username") != user or not ref:
            continue
        resource = ref.get("resource", "") + ("/" + ref["subresource"] if ref.get("subresource") else "")
        right = (ref.get("namespace", ""), ref.get("apiGroup", ""), resource, e["verb"], ref.get("name", ""))
        if e.get("responseStatus", {}).get("code") == 403 and e.get("annotations", {}).get("authorization.k8s.io/decision") != "allow":
            refused.add(right[1:4])
        else:
            used.add(right)
    return used, refused


def covers(grant, right):
    _, namespace, group, resource, verb, names = grant
    r_namespace, r_group, r_resource, r_verb, r_name = right
    return (group in ("*", r_group) and resource in ("*", r_resource) and verb in ("*", r_verb) and
            (namespace is None or namespace == r_namespace) and (not names or r_name in names))


class Ledger:
    """Which rights any run was given, and which any run used: a right is needed when one set of values needs it."""

    def __init__(self, home=RELEASE_NAMESPACE, exempt=EXEMPT):
        self.given, self.used, self.home, self.exempt = {}, set(), home, exempt

    def enter(self, run, objects, account, events):
        """Returns what is wrong at once: refused calls, stars, rights given twice."""
        used, refused = used_rights(events, f"system:serviceaccount:{self.home}:{account}")
        problems = [f"refused: {verb} {resource} ({group or 'core'})" for group, resource, verb in sorted(refused)]
        given = list(grants(objects, account, self.home))
        for g in given:
            role, namespace, group, resource, verb, _ = g
            self.given.setdefault(g, run)
            if any(covers(g, right) for right in used):
                self.used.add(g)
            if "*" in (group, resource, verb):
                problems.append(f"{role}: a star in {group} {resource} {verb}")
            if namespace is not None and any(o[1] is None and o[2:5] == g[2:5] and not o[5] for o in given):
                problems.append(f"{role}: given by a ClusterRole already: {verb} {resource} ({group or 'core'})")
        return problems

    def unused(self):
        for g, run in self.given.items():
            role, _, group, resource, verb, names = g
            same = any(u[:5] == g[:5] and set(u[5]) & set(names) for u in self.used)  # a longer list of names in another run
            if g not in self.used and not same and not exempt(run, group, resource, verb, self.exempt):
                yield f"{role} ({run}): never used: {verb} {resource} ({group or 'core'}){' ' + ','.join(names) if names else ''}"


def exempt(run, group, resource, verb, rows):
    return any(all(fnmatch.fnmatchcase(v, g) for v, g in zip((run, group, resource, verb), row)) for row in rows)


def webhook_service(cluster, objects, port):
    """The webhook's Service leads to this machine: the API server calls an ExternalName of localhost on loopback."""
    for o in objects:
        if o["kind"] == "ValidatingWebhookConfiguration":
            for hook in o["webhooks"]:
                service = hook["clientConfig"]["service"]
                cluster.kubectl("-n", service["namespace"], "delete", "service", service["name"], "--ignore-not-found")
                cluster.admin.create("Service", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": service["name"]},
                                                 "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]}}, service["namespace"])


def webhook_port(objects):
    """The port in the webhook's configuration, as the API server will call it."""
    for o in objects:
        if o["kind"] == "ValidatingWebhookConfiguration":
            port = o["webhooks"][0]["clientConfig"]["service"].get("port", 443)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
            return port
    return free_ports(1)[0]


def answers(cluster):
    """The webhook refuses what it should, in upstream's words."""
    bad = {"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": {"name": "bad", "namespace": "default"},
           "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"a": "b"}}},
           "inference": {"preset": {"name": "no-such-model"}}}
    end = time.monotonic() + WAIT_S
    while True:
        run = cluster.kubectl("create", "-f", "-", given=json.dumps(bad), check=False)
        if "Unsupported inference preset name no-such-model: inference.presetName" in run.stderr:
            return []
        if run.returncode == 0:
            cluster.kubectl("delete", "workspace", "bad")
        if time.monotonic() > end:
            return [f"the webhook does not refuse: {run.stdout}{run.stderr}"]
        time.sleep(0.5)


class LateClaims(proxy.Policy):
    """The answer to the first claim (or pool, or set) is lost, and the watch tells of it only when the controller has looked it up by name."""

    KINDS = ("/nodeclaims", "/nodepools", "/inferencesets")

    def __init__(self):
        super().__init__()
        self.lost, self.found = None, threading.Event()

    def after(self, call, status, body):
        if call.method == "POST" and call.bare.endswith(self.KINDS) and status == 201 and not self.lost:
            self.lost = f"{call.bare}/{json.loads(body)['metadata']['name']}"
            raise proxy.Drop
        if call.method == "GET" and call.bare == self.lost:
            self.found.set()
        return status, body

    def events(self, call, line):
        if call.bare.endswith(self.KINDS) and self.lost:
            self.found.wait(WAIT_S)  # a controller that does not look it up is told in the end, and the right to get was never used
        return [line]


class Corners:
    """What the recorded cases do not come by: a workload from before 0.8, a load balancer asked for later, a long history, a
    tuning whose specification changes, names that others have taken, a new base image."""

    def __init__(self, cluster, mirror, kubelet, namespace):
        self.cluster, self.mirror, self.kubelet, self.namespace, self.cloud = cluster, mirror, kubelet, namespace, play.Cloud(cluster)
        cluster.namespace(namespace)
        cluster.admin.create("Secret", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "regcred"}}, namespace)

    def has(self, what, kind, name, test=lambda o: True):
        if not self.mirror.until(lambda: test(self.mirror.get(kind, self.namespace, name) or {}), WAIT_S):
            raise RuntimeError(f"corner case: {what}")

    def patch(self, name, body):
        self.cluster.admin.merge("Workspace", self.namespace, name, body)

    def state(self, name, states):
        self.has(f"{name} gets {states}", "Workspace", name, lambda o: o.get("status", {}).get("state") in states)

    def inference(self):
        made = self.cluster.admin.create("Workspace", scenario.workspace("old", "inference"), self.namespace)
        owner = {"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "name": "old", "uid": made["metadata"]["uid"], "controller": True}
        self.cluster.admin.create("Deployment", {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "old", "ownerReferences": [owner]},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": {
                "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}}}, self.namespace)
        self.state("old", ("Ready",))
        self.patch("old", {"metadata": {"annotations": {"kaito.sh/enablelb": "True"}}})
        self.has("the Service becomes a load balancer", "Service", "old", lambda o: o.get("spec", {}).get("type") == "LoadBalancer")
        for i in range(12):
            self.patch("old", {"inference": {"adapters": [{"source": {"name": f"a{i}", "image": f"registry.example.com/a:{i}"}}]}})
            self.has(f"revision {i + 2}", "Workspace", "old",
                     lambda o, i=i: o.get("metadata", {}).get("annotations", {}).get("workspace.kaito.io/revision") == str(i + 2))

    def taken(self):
        others = {"app": "theirs"}
        self.cluster.admin.create("Service", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "taken"},
                                              "spec": {"ports": [{"port": 80}], "selector": others}}, self.namespace)
        self.cluster.admin.create("StatefulSet", {
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "taken"},
            "spec": {"replicas": 0, "serviceName": "x", "selector": {"matchLabels": others}, "template": {
                "metadata": {"labels": others}, "spec": {"containers": [{"name": "c", "image": "x"}]}}}}, self.namespace)
        self.cluster.admin.create("Workspace", scenario.workspace("taken", "inference"), self.namespace)
        self.has("somebody else's StatefulSet is told", "Workspace", "taken", lambda o: any(
            "StatefulSet taken is there already" in c["message"] for c in o.get("status", {}).get("conditions", []) if c["type"] == "InferenceReady"))
        self.cluster.admin.delete("StatefulSet", self.namespace, "taken")
        self.state("taken", ("Ready",))
        self.has("somebody else's Service stays as it was", "Service", "taken",
                 lambda o: o["spec"]["selector"] == others and "ownerReferences" not in o["metadata"])

    def upgrade(self, name):
        """A base image from before, brought to the controller's: the benchmark of the new one is read."""
        figure = lambda o: o.get("status", {}).get("performance", {}).get("metrics", {}).get("peakTokensPerMinute", {}).get("value")
        image = lambda o: o.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [{}])[0].get("image", "")
        self.has("figures of a benchmark", "Workspace", name, figure)
        ours = image(self.mirror.get("StatefulSet", self.namespace, name))
        old, tag = ours.rsplit(":", 1)[0] + ":0.0.1", ours.rsplit(":", 1)[1]
        self.cluster.admin.must("PATCH", f"/apis/apps/v1/namespaces/{self.namespace}/statefulsets/{name}",
                                [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": old}], "application/json-patch+json")
        self.kubelet.logs[(self.namespace, name + "-0")] = play.BENCHMARK_LOG.replace("123456.5", "777.5")
        self.patch(name, {"metadata": {"labels": {"kaito.sh/upgrade-to-version": tag}}})
        self.has("the base image of this controller", "StatefulSet", name, lambda o: image(o) == ours)
        self.has("figures of the new image", "Workspace", name, lambda o: figure(o) == "777.5")
        self.state(name, ("Ready",))

    def tuning(self, loop):
        body = scenario.workspace("again", "tuning")
        body["tuning"]["afterSuccess"] = "Serve"
        self.cluster.admin.create("Workspace", body, self.namespace)
        self.has("the endpoint of the tuned model", "StatefulSet", "again", lambda o: o.get("status", {}).get("readyReplicas") == 1)
        loop.paused.clear()  # else the tuning may be over before anybody has seen the pause
        self.patch("again", {"tuning": {"output": {"image": "registry.example.com/acme/a:2"}}})
        self.has("the endpoint pauses while the new specification is tuned", "StatefulSet", "again", lambda o: o.get("spec", {}).get("replicas") == 0)
        loop.paused.set()
        self.has("the endpoint comes back", "StatefulSet", "again", lambda o: o.get("spec", {}).get("replicas") == 1)

    def pool(self):
        self.cluster.admin.create("Workspace", scenario.workspace("grow", "inference"), self.namespace)
        self.mirror.until(lambda: self.mirror.get("NodePool", "", self.namespace + "-grow"), WAIT_S)
        # The number is taken with a change of the specification.
        self.patch("grow", {"metadata": {"annotations": {"kaito.sh/node-count": "2"}},
                            "inference": {"adapters": [{"source": {"name": "a", "image": "registry.example.com/a:1"}, "strength": "0.5"}]}})
        if not self.mirror.until(lambda: (self.mirror.get("NodePool", "", self.namespace + "-grow") or {}).get("spec", {}).get("replicas") == 2, WAIT_S):
            raise RuntimeError("corner case: the pool grows")
        self.cluster.admin.delete("Workspace", self.namespace, "grow")

    def run(self, run):
        if run == "karpenter":
            self.pool()
        if run == "default":
            with play.Loop(self.cloud, finish=True) as loop:
                self.inference()
                self.taken()
                self.upgrade("taken")
                self.tuning(loop)


def one_run(cluster, mirror, kubelet, ledger, name, values, cases, show):
    objects = render([f"webhook.port={free_ports(1)[0]}", "localCSIDriver.storageClass=true"] + values)
    account = next(o["metadata"]["name"] for o in objects if o["kind"] == "ServiceAccount" and "device" not in o["metadata"]["name"])
    apply(cluster, objects)
    port = webhook_port(objects)
    webhook_service(cluster, objects, port)
    start = cluster.audit_events()[1]
    problems, table, policy = [], compare.Table(), LateClaims()
    with proxy.Proxy(cluster, policy) as between:
        kubeconfig = cluster.service_account(RELEASE_NAMESPACE, account, between.url)
        with run_controller(cluster, objects, kubeconfig, name, port) as controller:
            problems += answers(cluster)
            for node_class in cluster.admin.items("AKSNodeClass"):  # the controller made them and waits for them
                golden.ready_class(cluster, node_class["metadata"]["name"])
            for case in golden.cases():
                if case.name in cases:
                    run = golden.Run(cluster, mirror, case, table)
                    run.run()
                    if run.differences:
                        problems.append(f"{case.name}: {len(run.differences)} differences")
                    if show:
                        print(f"     {case.name}: {len(run.differences)} differences\n{compare.text_of(run.differences)}", flush=True)
            try:
                Corners(cluster, mirror, kubelet, f"corners-{name}").run(name)
            except RuntimeError as error:
                problems.append(str(error))
            status = controller.stop()
            if status:
                problems.append(f"the controller left with status {status}: {controller.tail(4)}")
    time.sleep(0.5)
    problems += ledger.enter(name, objects, account, cluster.audit_events(start)[0])
    for o in objects:
        if o["kind"] in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ValidatingWebhookConfiguration", "Service"):
            cluster.kubectl("delete", o["kind"].lower(), o["metadata"]["name"], "-n", RELEASE_NAMESPACE, "--ignore-not-found")
    return problems


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", default=",".join(r[0] for r in RUNS))
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--keep", action="store_true", help="keep the cluster's folder")
    options = parser.parse_args(argv)
    if not CHART.is_dir():
        raise Skip(f"no chart in {CHART}")
    bad = lint()
    print("\n".join("FAIL " + line for line in bad) or "ok   helm lint", flush=True)
    ledger = Ledger()
    with Cluster(keep=options.keep) as cluster:
        kubelet = Kubelet(cluster)
        cluster.namespace(RELEASE_NAMESPACE)
        with Mirror(cluster.admin) as mirror:
            for name, values, cases in RUNS:
                if name not in options.runs.split(","):
                    continue
                problems = one_run(cluster, mirror, kubelet, ledger, name, values, cases, options.show)
                bad += problems
                print("\n".join(f"FAIL {name}: {line}" for line in problems) or f"ok   {name}", flush=True)
        kubelet.close()
    unused = list(ledger.unused()) if options.runs == parser.get_default("runs") else []
    print("\n".join("FAIL " + line for line in unused) or f"ok   {len(ledger.given)} rights, all used", flush=True)
    bad += unused
    return 1 if bad else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Skip as reason:
        print(f"skip: {reason}")
        sys.exit(77)

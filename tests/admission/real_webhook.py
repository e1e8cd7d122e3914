#!/usr/bin/env python3
"""The webhook in front of a real API server, which calls it as it would in a cluster: by the name of a Service (ExternalName
"localhost", so that no cluster network is needed), over TLS, checking the CA from the configuration.

real_webhook.py WEBHOOK_HOST VALIDATE_TOOL [answers] [rules] [command] [direct] [repair] [latency] [replicas] [rotate] [down]
All parts when none is named.
"""
import base64
import copy
import http.client
import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "cluster"))
import api  # noqa: E402
import cluster as harness  # noqa: E402

import yaml  # noqa: E402

DATA = ROOT / "tests/golden/validation"
NAMES = {"workspace": "workspaces", "inferenceset": "inferencesets", "multiroleinference": "multiroleinferences",
         "modelmirror": "modelmirrors", "ragengine": "ragengines"}
WAIT_S = 120  # for what takes a second or two
MARK = "denied the request: validation failed: "


def load(name):
    return yaml.load((DATA / name).read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def merge(target, patch):
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge(out.get(key), value)
    return out


class Host:
    """One webhook process."""

    def __init__(self, program, kubeconfig, validity=0, renew_before=0):
        self.process = subprocess.Popen([program, kubeconfig, str(validity), str(renew_before)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the webhook did not start")
        self.port = int(line)

    def stop(self):
        self.process.stdin.close()
        code = self.process.wait(20)
        if code:
            raise RuntimeError(f"the webhook ended with {code}")


class World:
    def __init__(self, cluster):
        self.cluster, self.api = cluster, cluster.admin
        self.failures = 0

    # --- what the chart makes ---
    def prepare(self, program):
        for crd in json.loads(subprocess.run([program, "crds"], check=True, capture_output=True, text=True).stdout):
            self.must("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
        self.cluster.wait("the CRDs", lambda: self.cluster.established([f"{plural}.kaito.sh" for plural in NAMES.values()]), WAIT_S)
        for namespace in ("webhook", "kaito-workspace"):
            self.cluster.namespace(namespace)
        self.cluster.wait("the namespaces", lambda: self.call("GET", "/api/v1/namespaces/webhook")[0] == 200, WAIT_S)
        for item in load("cluster.yaml"):
            self.make(item)
        self.must("POST", "/api/v1/namespaces/kaito-workspace/services", {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "workspace-svc"}, "spec": {"type": "ExternalName", "externalName": "localhost"}})
        self.must("POST", "/api/v1/namespaces/kaito-workspace/secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "workspace-webhook-cert"}})

    def make(self, item):
        kinds = {"ConfigMap": "v1", "Secret": "v1", "PersistentVolumeClaim": "v1", "Node": "v1", "StorageClass": "storage.k8s.io/v1"}
        item = dict(item, apiVersion=kinds[item["kind"]])
        if item["kind"] == "PersistentVolumeClaim":
            item["spec"] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        if item["kind"] == "StorageClass":
            item["provisioner"] = "none"
        self.api.create(item["kind"], item, item["metadata"].get("namespace"))

    def configurations(self, port):
        """As the chart ships them: without CA, path and rules."""
        for short in NAMES:
            name = f"validation.{short}.kaito.sh"
            self.must("POST", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", self.bare(name, port))

    def bare(self, name, port):
        return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": name},
                "webhooks": [{"name": name, "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
                              "clientConfig": {"service": {"name": "workspace-svc", "namespace": "kaito-workspace", "port": port}}}]}

    def configuration(self, short="workspace"):
        return self.must("GET", f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/validation.{short}.kaito.sh")

    def filled(self, bundle=None):
        hooks = [self.configuration(short)["webhooks"][0] for short in NAMES]
        return all(h.get("rules") and h["clientConfig"].get("caBundle") and h["clientConfig"]["caBundle"] != bundle for h in hooks)

    # --- calls ---
    def call(self, *args, **kwargs):
        return self.api.call(*args, **kwargs)

    def must(self, *args, **kwargs):
        return self.api.must(*args, **kwargs)

    def where(self, item, name=None):
        group = "/apis/" + item["apiVersion"]
        plural = NAMES[item["kind"].lower()]
        namespace = item["metadata"].get("namespace")
        return group + (f"/namespaces/{namespace}" if namespace else "") + f"/{plural}" + (f"/{name}" if name else "")

    def create(self, item, dry=True):
        return self.call("POST", self.where(item) + "?fieldValidation=Strict" + ("&dryRun=All" if dry else ""), item)

    def update(self, old, new):
        """The answer to the update, or None when the old object cannot be made here."""
        status, made = self.create(old, dry=False)
        if status >= 300:
            return None
        wanted = merge(new, {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}})
        answer = self.call("PUT", self.where(wanted, wanted["metadata"]["name"]) + "?fieldValidation=Strict", wanted)
        self.call("DELETE", self.where(old, old["metadata"]["name"]))
        return answer

    # --- report ---
    def check(self, good, what, detail=""):
        if not good:
            self.failures += 1
            print(f"FAIL {what}: {detail}")


def sorted_skus(text):
    head, mark, rest = text.partition("Supported SKUs: [")
    if not mark:
        return text
    inner, _, tail = rest.partition("]")
    return head + mark + " ".join(sorted(inner.split())) + "]" + tail


# --- the parts ---------------------------------------------------------------------------------------------------------

def recorded(case, difference):
    message = case.get("message") or ""
    if difference is not None:
        text = difference.get("text", difference.get("begins"))
        return MARK + text if text else ""
    return message


def judge(world, name, answer, wanted):
    """webhook: our text came from the webhook; schema: the API server's own checks said the same before it was asked."""
    status, body = answer
    if not wanted:
        world.check(status < 300, name, f"refused: {body.get('message')}")
        return "accepted"
    message = body.get("message", "")
    if MARK in wanted:
        rule = wanted.split(MARK, 1)[1]
        ours = message.split(MARK, 1)[1] if MARK in message else message
        if MARK in message:
            good = ours.startswith(rule) or sorted_skus(ours) == sorted_skus(rule)
            world.check(status == 400 and good, name, f"\n  ours:   {ours}\n  wanted: {rule}")
            return "webhook"
        first = rule.split("\n")[0].removeprefix("invalid value: ").removeprefix("missing field(s): ").rsplit(": ", 1)[0]
        world.check(status == 422, name, message)
        return f"schema ({'same words' if first in message else message})"
    # Where the schema has rules in CEL, the API server adds that it could not evaluate them.
    world.check(status >= 400 and wanted.split(" is invalid: ")[-1] in message, name, f"\n  ours:   {message}\n  wanted: {wanted}")
    return "API server"


def answers(world):
    """What upstream's webhook and API server answered, word for word."""
    differences, seen = load("differences.yaml"), {}
    for name, case in load("answers.yaml").items():
        wanted = recorded(case, differences.get(name))
        answer = world.update(case["old"], case["sent"]) if case.get("old") else world.create(case["sent"])
        if answer is None:
            world.check(False, name, "the object of the update could not be created")
            continue
        by = judge(world, name, answer, wanted)
        seen.setdefault(by.split(" (")[0], []).append(name)
        if by.startswith("schema") and "same words" not in by:
            print(f"  {name}: {by}")
    print("answers: " + ", ".join(f"{len(names)} {by}" for by, names in seen.items()))


def rules(world):
    """The table of bad manifests, those for the controller's default options."""
    table, seen = load("bad.yaml"), {}
    for case in table["cases"]:
        if case.get("options") or case.get("real") is False or case["name"] == "own-good":
            continue
        base = table["bases"][case["base"]]
        item = merge(copy.deepcopy(base), case.get("merge") or {})
        wanted = MARK + (case.get("text") or case.get("begins") or "") if case.get("text") or case.get("begins") else ""
        answer = world.update(merge(base, case["old"]), item) if "old" in case else world.create(item)
        if answer is None:
            seen.setdefault("skipped", []).append(case["name"])
            continue
        by = judge(world, case["name"], answer, wanted)
        seen.setdefault(by.split(" (")[0], []).append(case["name"])
        if by.startswith("schema") and "same words" not in by:
            print(f"  {case['name']}: {by}")
    print("rules: " + ", ".join(f"{len(names)} {by}" for by, names in seen.items()))
    print("  skipped: " + " ".join(seen.get("skipped", []))) if "skipped" in seen else None
    text = subprocess.run([f"{world.cluster.bin}/kubectl", "--kubeconfig", world.cluster.kubeconfig(), "create", "--dry-run=server", "-f", "-"],
                          input=json.dumps(merge(table["bases"]["inference"], {"resource": {"count": 0}})), capture_output=True, text=True, timeout=60)
    world.check("Warning: resource.count is 0: at least one node is always used" in text.stderr, "kubectl shows warnings", text.stderr)
    status, _ = world.create({"apiVersion": "v1", "kind": "Workspace", "metadata": {"name": "x", "namespace": "webhook"}} | {"apiVersion": "kaito.sh/v1beta1"})
    world.check(status >= 400, "an empty Workspace is refused")


def command(world, tool):
    """kaito validate --cluster."""
    bases = load("bad.yaml")["bases"]
    made = merge(bases["inference"], {"metadata": {"name": "existing"}})
    world.check(world.create(made, dry=False)[0] == 201, "an object to validate against")

    def judged(item, *flags):
        run = subprocess.run([tool, "-", "--cluster", "--kubeconfig", world.cluster.kubeconfig(), "-o", "json", *flags], input=json.dumps(item), capture_output=True,
                             text=True, timeout=60)
        return run.returncode, json.loads(run.stdout)[0]

    code, row = judged(made)
    world.check(code == 0 and row["update"] and row["valid"], "an object that is there already", row)
    code, row = judged(merge(made, {"inference": {"preset": {"name": "phi-4"}}}))
    world.check(code == 3 and row["errors"] == ["field is immutable: inference.preset"], "a change that is not allowed", row)
    code, row = judged(merge(bases["inference"], {"metadata": {"name": "new"}, "inference": {"config": "nope"}}))
    world.check(code == 3 and row["errors"] == ["ConfigMap 'nope' specified in 'config' not found in namespace 'webhook': config"], "a missing ConfigMap", row)
    code, row = judged(merge(bases["tuning"], {"metadata": {"name": "new"}, "tuning": {"output": {"imagePushSecret": "nope"}}}))
    world.check(code == 0 and not row["notChecked"] and "Secret nope does not exist in namespace webhook" in row["warnings"][0], "a missing Secret", row)
    code, row = judged(merge(bases["own"], {"metadata": {"name": "new"}, "resource": {"labelSelector": {"matchLabels": {"gpu": "mixed"}}}}), "--node-provisioner", "byo")
    world.check(code == 3 and row["errors"][0].startswith("Non-uniform GPU product: node m2"), "own nodes", row)
    print("command: kaito validate --cluster")


def cases(world):
    """Name, old object or None, object, wanted text and whether it is the whole of it, of the table's cases for default options."""
    table = load("bad.yaml")
    for case in table["cases"]:
        if case.get("options") or case.get("real") is False:
            continue
        base = table["bases"][case["base"]]
        item = merge(copy.deepcopy(base), case.get("merge") or {})
        yield case["name"], merge(base, case["old"]) if "old" in case else None, item, case.get("text", case.get("begins")), "text" in case


def direct(world, host):
    """Each refusal of the table from the webhook itself, over TLS, with the CA and name that the API server checks: those that the API
    server would give first by the rules in the CRD among them."""
    bundle = base64.b64decode(world.configuration()["webhooks"][0]["clientConfig"]["caBundle"]).decode()
    context = ssl.create_default_context(cadata=bundle)
    connection = Named("workspace-svc.kaito-workspace.svc", host.port, context)
    refused = 0
    for name, old, item, text, whole in cases(world):
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                  "request": {"uid": name, "operation": "UPDATE" if old else "CREATE", "object": item, "oldObject": old}}
        connection.request("POST", f"/validate/{item['kind'].lower()}.kaito.sh", json.dumps(review), {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())["response"]
        message = answer.get("status", {}).get("message", "").removeprefix("validation failed: ")
        world.check(answer["uid"] == name and answer["allowed"] == (not text), name, message)
        world.check(message == text if whole else message.startswith(text), name, f"\n  ours:   {message}\n  wanted: {text}")
        refused += not answer["allowed"]
    world.check(refused >= 60, "refusals", refused)
    print(f"direct: {refused} refusals with their whole text, CA and name checked")


class Named(http.client.HTTPSConnection):
    """A connection to this machine that asks for another name."""

    def __init__(self, name, port, context):
        super().__init__(name, port, context=context, timeout=10)
        self.tls = context

    def connect(self):
        self.sock = self.tls.wrap_socket(socket.create_connection(("127.0.0.1", self.port), 10), server_hostname=self.host)


def down(world):
    """Without any webhook the rules in the CRD still hold."""
    for short in reversed(NAMES):  # the API server hears of it in this order, and the Workspace's is what is waited for
        world.must("DELETE", f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/validation.{short}.kaito.sh")
    item = merge(load("bad.yaml")["bases"]["inference"], {"metadata": {"annotations": {"kaito.sh/performance-mode": "bogus"}}})
    world.cluster.wait("the API server to forget the webhook", lambda: world.create(item)[0] < 300, WAIT_S)
    refused = []
    for name, old, item, text, _ in cases(world):
        if text and old is None:
            status, body = world.create(item)
            if status >= 300:
                refused.append(name)
                world.check(status == 422, name, body.get("message"))
    world.check(len(refused) >= 35, "refusals without a webhook", len(refused))
    print(f"down: {len(refused)} bad manifests are refused without a webhook")


def repair(world):
    """The chart's upgrade writes the configurations again without CA and rules."""
    current = world.configuration()
    bare = world.bare("validation.workspace.kaito.sh", current["webhooks"][0]["clientConfig"]["service"]["port"])
    bare["metadata"]["resourceVersion"] = current["metadata"]["resourceVersion"]
    world.must("PUT", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/validation.workspace.kaito.sh", bare)
    start = time.monotonic()
    world.cluster.wait("the configuration's repair", world.filled, WAIT_S, 0.02)
    print(f"repair: {1000 * (time.monotonic() - start):.0f} ms")
    hook = world.configuration()["webhooks"][0]
    world.check(hook["namespaceSelector"]["matchExpressions"] == [{"key": "webhooks.knative.dev/exclude", "operator": "DoesNotExist"}], "selector", hook)
    world.check(hook["timeoutSeconds"] == 10 and hook["clientConfig"]["service"]["path"] == "/validate/workspace.kaito.sh", "path and time-out", hook)
    world.check([r["apiVersions"] for r in hook["rules"]] == [["v1alpha1"], ["v1beta1"]], "versions", hook["rules"])
    world.check(all(r["resources"] == ["workspaces", "workspaces/status"] and r["scope"] == "*" for r in hook["rules"]), "resources", hook["rules"])


def shown(port):
    """The certificate that the server at this port shows."""
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=10)


def rotate(world, program, other):
    """A certificate that lives 30 s and is renewed 20 s before its end: requests go on until the second renewal is in use."""
    other.stop()  # it wants certificates that last longer
    secret = world.must("GET", "/api/v1/namespaces/kaito-workspace/secrets/workspace-webhook-cert")
    secret["data"] = {}
    world.must("PUT", "/api/v1/namespaces/kaito-workspace/secrets/workspace-webhook-cert", secret)
    host = Host(program, world.cluster.kubeconfig("kaito"), 30, 20)
    point(world, host.port)
    bundle = world.configuration()["webhooks"][0]["clientConfig"]["caBundle"]
    first, end, asked, bad, seen = shown(host.port), time.monotonic() + WAIT_S, 0, [], set()
    item = merge(load("bad.yaml")["bases"]["inference"], {"metadata": {"name": "rotating"}})
    while time.monotonic() < end and len(seen) < 3:
        status, body = world.create(item)
        asked += 1
        seen.add(shown(host.port))
        if status >= 300:
            bad.append(body.get("message"))
        time.sleep(0.1)
    world.check(len(seen) >= 3 and first in seen, f"certificates in {WAIT_S} s", len(seen))
    world.check(not bad, "requests during rotation", bad[:2])
    world.check(world.filled(bundle), "the CA bundle moved on")
    print(f"rotate: {len(seen)} certificates, {asked} requests, {len(bad)} failed")
    host.stop()


def point(world, port):
    """All configurations to a webhook at another port (the Service is localhost), and wait until it answers."""
    for short in NAMES:
        # A JSON patch: the webhook under test writes the same objects, and a PUT would lose that race now and then.
        world.must("PATCH", f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/validation.{short}.kaito.sh",
                   [{"op": "replace", "path": "/webhooks/0/clientConfig/service/port", "value": port}], "application/json-patch+json")
    item = load("bad.yaml")["bases"]["inference"]
    world.cluster.wait("the webhook", lambda: world.create(item)[0] < 300, WAIT_S)


def replicas(world, program, host):
    """Replicas that start at the same time agree on one certificate."""
    secret = world.must("GET", "/api/v1/namespaces/kaito-workspace/secrets/workspace-webhook-cert")
    secret["data"] = {}
    world.must("PUT", "/api/v1/namespaces/kaito-workspace/secrets/workspace-webhook-cert", secret)
    hosts, threads = [], []
    for _ in range(3):
        threads.append(threading.Thread(target=lambda: hosts.append(Host(program, world.cluster.kubeconfig("kaito")))))
        threads[-1].start()
    for thread in threads:
        thread.join()
    world.check(len({shown(h.port) for h in hosts}) == 1, "replicas show one certificate")
    for h in hosts:
        point(world, h.port)
    for h in hosts:
        h.stop()
    point(world, host.port)
    print("replicas: 3 started together, one certificate")


def percentiles(values):
    values.sort()
    return f"p50 {values[len(values) // 2]:.2f} ms, p99 {values[int(len(values) * 0.99)]:.2f} ms"


def timed(count, fn):
    out = []
    for _ in range(count):
        start = time.perf_counter()
        fn()
        out.append(1000 * (time.perf_counter() - start))
    return out


def latency(world, host):
    """Through the API server with and without the webhook, and the webhook alone on a kept connection."""
    item = load("bad.yaml")["bases"]["tuning"]
    context = ssl._create_unverified_context()
    connection = http.client.HTTPSConnection("127.0.0.1", host.port, context=context)
    review = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u", "operation": "CREATE", "object": item}})
    small = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                        "request": {"uid": "u", "operation": "UPDATE", "object": item, "oldObject": item}})

    def direct(body):
        connection.request("POST", "/validate/workspace.kaito.sh", body, {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
        assert answer["response"]["allowed"], answer

    def through():
        status, body = world.create(item)
        assert status < 300, body

    through()
    direct(review)
    print("latency: create through the API server " + percentiles(timed(300, through)))
    print("latency: webhook alone, a create with three reads of the cluster " + percentiles(timed(300, lambda: direct(review))))
    print("latency: webhook alone, an update " + percentiles(timed(300, lambda: direct(small))))
    world.must("PATCH", "/api/v1/namespaces/webhook", {"metadata": {"labels": {"webhooks.knative.dev/exclude": "yes"}}}, content_type=api.MERGE)
    time.sleep(1)
    print("latency: create through the API server, webhook excluded " + percentiles(timed(300, through)))
    world.must("PATCH", "/api/v1/namespaces/webhook", {"metadata": {"labels": {"webhooks.knative.dev/exclude": None}}}, content_type=api.MERGE)
    time.sleep(1)
    memory = {line.split(":")[0]: line.split()[1] for line in pathlib.Path(f"/proc/{host.process.pid}/status").read_text().splitlines() if line.startswith("Rss")}
    print(f"memory: anonymous {memory['RssAnon']} kB, files {memory['RssFile']} kB")


def main(argv):
    program, tool = os.path.abspath(argv[0]), os.path.abspath(argv[1])
    parts = argv[2:] or ["answers", "rules", "command", "direct", "repair", "latency", "replicas", "rotate", "down"]
    with harness.Cluster(managers=False, audit=False, crds=False) as cluster:
        world = World(cluster)
        world.prepare(program)
        host = Host(program, cluster.kubeconfig("kaito"))
        world.configurations(host.port)
        cluster.wait("CA and rules in the configurations", world.filled, WAIT_S, 0.02)
        point(world, host.port)
        run = {"answers": lambda: answers(world), "rules": lambda: rules(world), "command": lambda: command(world, tool),
               "direct": lambda: direct(world, host), "down": lambda: down(world), "repair": lambda: repair(world), "rotate": lambda: rotate(world, program, host),
               "replicas": lambda: replicas(world, program, host), "latency": lambda: latency(world, host)}
        for part in parts:
            run[part]()
        if "rotate" not in parts:
            host.stop()
        return 1 if world.failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except harness.Skip as reason:
        print(f"skip: {reason}")
        sys.exit(77)

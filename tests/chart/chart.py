"""The chart, the kustomize base and the definitions (CRDs) on a real API server, with no controller and no webhook behind them.

Usage: chart.py [--only PREFIX]   each check_* function is one test; it returns its complaints.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests/cluster"))
from cluster import Cluster, Skip, program  # noqa: E402

CHART = ROOT / "charts/kaito/workspace"
NAMESPACE = "kaito-workspace"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
KINDS = ("workspaces", "inferencesets", "multiroleinferences", "modelmirrors", "ragengines")


def load_all(text):
    return [d for d in yaml.load_all(text, Loader=LOADER) if d]


def helm(*args):
    return subprocess.run([program("helm"), *map(str, args)], capture_output=True, text=True, timeout=120)


def render(*args):
    run = helm("template", "kaito-workspace", CHART, "--namespace", NAMESPACE, *args)
    if run.returncode:
        raise RuntimeError("helm template " + " ".join(map(str, args)) + ": " + run.stderr.strip())
    return run.stdout


def find(objects, kind, name=None):
    return next((o for o in objects if o["kind"] == kind and name in (None, o["metadata"]["name"])), None)


# --- without a cluster -----------------------------------------------------------------------------------------------

def check_lint(_):
    run = helm("lint", "--strict", CHART)
    return [] if run.returncode == 0 and "[WARNING]" not in run.stdout else [run.stdout + run.stderr]


def check_upstreams_values_file_renders_and_keeps_our_image(_):
    objects = load_all(render("--values", HERE / "upstream-values.yaml"))
    container = find(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    bad = [] if container["image"] == "kaito:0.1.0" else [f"image {container['image']}"]
    plain = load_all(render())
    names = lambda list_: sorted((o["kind"], o["metadata"]["name"]) for o in list_)  # noqa: E731
    return bad + ([] if names(objects) == names(plain) else ["other objects than with the chart's own defaults"])


def paths(value, path=()):
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from paths(item, path + (key,))
    else:
        yield path, value


def check_every_upstream_value_has_upstreams_default(_):
    """But for the image, which is ours."""
    ours = dict(paths(load_all((CHART / "values.yaml").read_text())[0]))
    theirs = dict(paths(load_all((HERE / "upstream-values.yaml").read_text())[0]))
    skip = {("image", "repository"), ("image", "tag")}
    return [f"{'.'.join(p)}: {ours.get(p, 'missing')} instead of {v}" for p, v in theirs.items() if p not in skip and ours.get(p, "missing") != v]


# values, then a function of the rendered objects that tells what is wrong
def arguments(objects):
    return find(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"]


def rights(objects):
    return {(g, r, v) for o in objects if o["kind"] in ("Role", "ClusterRole") for rule in o["rules"]
            for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]}


VARIANTS = {
    "two replicas elect a leader": (["replicaCount=2"], lambda o: "--leader-elect=true" in arguments(o) and ("coordination.k8s.io", "leases", "update") in rights(o)),
    "one replica needs no lease": ([], lambda o: "--leader-elect=false" in arguments(o) and not any(r[1] == "leases" for r in rights(o))),
    "the election can be forced": (["leaderElection=true"], lambda o: "--leader-elect=true" in arguments(o)),
    "own nodes need no claims": (["nodeProvisioner=byo"], lambda o: not any(r[0] == "karpenter.sh" for r in rights(o)) and ("", "nodes", "patch") not in rights(o)),
    "the older gate means own nodes": (["featureGates.disableNodeAutoProvisioning=true"], lambda o: "--node-provisioner=byo" in arguments(o)),
    "karpenter gets its node classes": (["nodeProvisioner=karpenter"], lambda o: any(
        a.startswith("--karpenter-node-classes=") and json.loads(a.split("=", 1)[1])[0]["default"] for a in arguments(o))
        and ("karpenter.azure.com", "aksnodeclasses", "create") in rights(o)),
    "so does the own provisioner": (["nodeProvisioner=karpenter", "karpenterProvider=kaito"], lambda o: "--karpenter-node-class-group=kaito.sh" in arguments(o)
                                   and ("kaito.sh", "kaitonodeclasses", "create") in rights(o)),
    "machines in place of claims": (["nodeAPI=machine"], lambda o: ("karpenter.sh", "machines", "create") in rights(o)
                                    and ("karpenter.sh", "nodeclaims", "create") not in rights(o)),
    "images can be replaced": (["images.native=mirror/kaito:1", "images.curl=mirror/curl", "images.legacyBase=mirror/base:0.1", "hubURL=https://hub.example.com"],
                               lambda o: {"--native-image=mirror/kaito:1", "--image-curl=mirror/curl", "--legacy-base-image=mirror/base:0.1",
                                          "--hub-url=https://hub.example.com"} <= set(arguments(o))),
    "a gate brings its webhook": (["featureGates.enableMultiRoleInferenceController=true"],
                                  lambda o: find(o, "ValidatingWebhookConfiguration", "validation.multiroleinference.kaito.sh") is not None),
    "no gate, no webhook": (["featureGates.enableInferenceSetController=false"],
                            lambda o: find(o, "ValidatingWebhookConfiguration", "validation.inferenceset.kaito.sh") is None
                            and ("kaito.sh", "workspaces", "create") not in rights(o)),
    "names can be given": (["serviceName=svc", "deploymentName=dep", "clusterRoleName=role", "serviceAccountName=account"],
                           lambda o: all(find(o, k, n) for k, n in (("Service", "svc"), ("Deployment", "dep"), ("ClusterRole", "role"), ("ServiceAccount", "account")))
                           and find(o, "ValidatingWebhookConfiguration")["webhooks"][0]["clientConfig"]["service"]["name"] == "svc"),
    "the storage class can be forced": (["localCSIDriver.storageClass=true"], lambda o: find(o, "StorageClass", "kaito-local-nvme-disk") is not None),
    "no driver, no storage class": ([], lambda o: find(o, "StorageClass") is None),
    "the plug-in keeps off CPU nodes": ([], lambda o: all(
        t["matchExpressions"] for t in find(o, "DaemonSet")["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
        ["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"])),
    "no plug-in when not wanted": (["nvidiaDevicePlugin.enabled=false"], lambda o: find(o, "DaemonSet") is None),
    "no secret but the certificate need be read": (["webhook.readSecrets=false"], lambda o: {r[2] for r in rights(o) if r[1] == "secrets"} == {"get", "update"} and all(
        rule.get("resourceNames") == ["workspace-webhook-cert"] for c in o if c["kind"] in ("Role", "ClusterRole") for rule in c["rules"] if "secrets" in rule["resources"])),
    "secrets cannot be listed": (["webhook.readSecrets=true"], lambda o: ("", "secrets", "get") in rights(o) and not {("", "secrets", "list"), ("", "secrets", "watch")} & rights(o)),
    "labels are added": (["commonLabels.team=x", "selectorLabels.y=z"], lambda o: find(o, "Service")["metadata"]["labels"]["team"] == "x"
                         and find(o, "Service")["spec"]["selector"]["y"] == "z"),
}


def check_variants(_):
    bad = []
    for name, (values, right) in VARIANTS.items():
        if not right(load_all(render(*[word for v in values for word in ("--set", v)]))):
            bad.append(f"{name}: not with {values}")
    return bad


def check_kustomize_base_is_fresh(_):
    with tempfile.TemporaryDirectory() as folder:
        path = {"PATH": str(pathlib.Path(program("helm")).parent) + ":/usr/bin:/bin", "HOME": folder}
        subprocess.run([ROOT / "config/generate.sh", folder], check=True, env=path)
        return [f"config/default/{f} is stale: run config/generate.sh" for f in ("install.yaml", "crds.yaml")
                if (pathlib.Path(folder) / f).read_text() != (ROOT / "config/default" / f).read_text()]


# --- on an API server ------------------------------------------------------------------------------------------------

def check_chart_and_base_install(cluster):
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.kubectl("apply", "-n", NAMESPACE, "-f", "-", given=render())
    names = [f"{kind}.kaito.sh" for kind in KINDS]
    cluster.wait("the definitions", lambda: cluster.established(names), 120)
    again = cluster.kubectl("apply", "-n", NAMESPACE, "-f", "-", given=render())
    bad = [line for line in again.splitlines() if not line.endswith(" unchanged")]
    cluster.kubectl("apply", "-k", ROOT / "config/default", "--dry-run=server")
    # From here on the webhook is not even configured: what is refused, the API server refuses.
    cluster.kubectl("delete", "validatingwebhookconfigurations", "--all")
    return bad


def check_helm_installs_and_leaves_the_definitions(cluster):
    """Also that the storage class comes with its driver."""
    access = ("--kubeconfig", cluster.kubeconfig(), "--namespace", NAMESPACE)
    driver = {"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": "localdisk.csi.acstor.io"}, "spec": {}}
    bad = []
    for step, command, classes in (("install", ["install", "--take-ownership", "kaito-workspace", CHART], 0),
                                   ("upgrade", ["upgrade", "kaito-workspace", CHART, "--set", "replicaCount=2"], 1),
                                   ("uninstall", ["uninstall", "kaito-workspace"], 0)):
        run = helm(*command, *access)
        if run.returncode:
            return [f"helm {step}: {run.stderr.strip()}"]
        have = cluster.admin.items("StorageClass")
        bad += [] if len(have) == classes else [f"after {step}: {len(have)} storage classes"]
        if step == "install":
            cluster.kubectl("create", "-f", "-", given=json.dumps(driver))
    return bad + ([] if cluster.established([f"{kind}.kaito.sh" for kind in KINDS]) else ["the definitions went with the chart"])


def where(document):
    plural = document["kind"].lower() + "s"
    space = "" if document["kind"] == "ModelMirror" else "namespaces/default/"
    return f"/apis/{document['apiVersion']}/{space}{plural}"


def create(cluster, document, replace=False, dry=True):
    """'' or why it was refused."""
    document = json.loads(json.dumps(document, default=str))
    document.setdefault("metadata", {})["namespace"] = "default"
    if document["kind"] == "ModelMirror":
        del document["metadata"]["namespace"]
    flags = "?fieldValidation=Strict" + ("&dryRun=All" if dry else "")
    if replace:
        at = f"{where(document)}/{document['metadata']['name']}"
        document["metadata"]["resourceVersion"] = cluster.admin.must("GET", at)["metadata"]["resourceVersion"]
        status, answer = cluster.admin.call("PUT", at + flags, document)
    else:
        status, answer = cluster.admin.call("POST", where(document) + flags, document)
    return "" if status < 300 else answer["message"]


def delete(cluster, document):
    cluster.admin.must("DELETE", f"{where(document)}/{document['metadata']['name']}")


def check_recorded_inputs_are_accepted(cluster):
    bad = []
    for file in sorted((ROOT / "tests/golden/kube").glob("*/input.yaml")):
        if file.parent.name == "a-quickstart-literal":  # its placeholders are refused, as upstream's webhook refuses them
            continue
        for document in load_all(file.read_text()):
            if document["apiVersion"].startswith("kaito.sh/"):
                why = create(cluster, document)
                bad += [f"{file.parent.name}: {why}"] if why else []
    return bad


def check_examples_are_accepted(cluster):
    """All but the quick start's own: its placeholders have to be replaced first."""
    bad, count = [], 0
    for file in sorted((ROOT / "examples").glob("*/kaito_*.yaml")):
        for document in load_all(file.read_text()):
            if document["apiVersion"].startswith("kaito.sh/"):
                count += 1
                why = create(cluster, document)
                if (why != "") != (file.name == "kaito_workspace_tuning_phi_3.yaml"):
                    bad.append(f"{file.name}: {why or 'accepted'}")
    return bad + ([] if count >= 11 else [f"only {count} examples found"])


# Recorded refusals that only the webhook can tell: they need the catalogue, annotations or other objects.
WEBHOOK_ONLY = ("v1alpha1-inference", "bad-preset", "deprecated-preset", "bad-instance", "aws-instance", "perf-mode-bogus", "image-family-bogus", "tune-bad-preset",
                "adapter-strength-", "config-", "iset-badpreset")
# Recorded answers whose words differ: the part of them that stays.
WORDS = {
    "adapter-nosource": "missing field(s): inference.Source",
    "upd-instance": "instanceType cannot be changed once set",
    "upd-inf-to-tuning": "Inference field cannot be toggled once set",
    "tune-bad-method": "invalid value: bogus: tuning.Method",
    "seed-literal": "repository name (IMAGE_NAME_HERE) must be lowercase: replace the example's placeholders by your own values in ACR_REPO_HERE",
}


def expected_words(name, message):
    """What is left of the webhook's words: without its prefix, the path behind them and the kind of mistake before them."""
    if name in WORDS:
        return WORDS[name]
    if "validation failed: " not in message:
        return message.split(": ", 1)[-1][:60]
    words = message.split("validation failed: ", 1)[1]
    for prefix in ("invalid value: ",):
        words = words.removeprefix(prefix)
    return words if words.startswith("missing field(s)") else words.rsplit(": ", 1)[0]


def check_recorded_answers_hold_without_the_webhook(cluster):
    bad = []
    for name, row in load_all((ROOT / "tests/golden/validation/answers.yaml").read_text())[0].items():
        if name.startswith(WEBHOOK_ONLY):
            continue
        if "old" in row:
            create(cluster, row["old"], dry=False)
        why = create(cluster, row["sent"], replace="old" in row)
        if "old" in row:
            delete(cluster, row["old"])
        if (row["answer"] == "accepted") != (why == ""):
            bad.append(f"{name}: {why or 'accepted'}")
        elif expected_words(name, row.get("message", "")).strip() not in why:
            bad.append(f"{name}: {why}\n     lacks: {expected_words(name, row['message'])}")
    return bad


def merge(base, patch):
    """JSON merge patch."""
    if not isinstance(patch, dict) or not isinstance(base, dict):
        return patch
    out = dict(base)
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge(out.get(key, {}), value) if isinstance(value, dict) else value
    return out


def check_each_rule(cluster):
    """rules.yaml: a base, a merge patch, and the words of the refusal (none: accepted). old: first stored, then replaced."""
    bases, cases = load_all((HERE / "rules.yaml").read_text())
    bad = []
    for name, case in cases.items():
        base = bases[case["base"]]
        new, old = merge(base, case.get("patch", {})), merge(base, case["old"]) if "old" in case else None
        if old:
            why = create(cluster, old, dry=False)
            if why:
                bad.append(f"{name}: the old object is refused: {why}")
                continue
        why = create(cluster, new, replace=old is not None)
        if old:
            delete(cluster, old)
        words = case.get("refused")
        if (words is None) != (why == "") or (words and words.strip() not in why):
            bad.append(f"{name}: {why or 'accepted'}" + (f"\n     lacks: {words}" if words else ""))
    return bad


def check_defaults_come_out(cluster):
    """What the schema fills in, by version, read through the other version."""
    bases = load_all((HERE / "rules.yaml").read_text())[0]
    bad = []
    for version, after, machine in (("v1alpha1", "Serve", "Standard_NC24ads_A100_v4"), ("v1beta1", "Keep", None)):
        document = merge(bases["tuning"], {"apiVersion": f"kaito.sh/{version}", "resource": {"instanceType": None}})
        create(cluster, document, dry=False)
        for read in ("v1alpha1", "v1beta1"):
            stored = json.loads(cluster.kubectl("get", f"workspaces.{read}.kaito.sh", "t", "-n", "default", "-o", "json"))
            want = {"afterSuccess": after, "count": 1, "accessMode": "public"}
            have = {"afterSuccess": stored["tuning"]["afterSuccess"], "count": stored["resource"]["count"], "accessMode": stored["tuning"]["preset"]["accessMode"]}
            if have != want:
                bad.append(f"created as {version}, read as {read}: {have}")
            if read == "v1beta1" and stored["resource"].get("instanceType") != machine:
                bad.append(f"created as {version}: instanceType {stored['resource'].get('instanceType')}")
        delete(cluster, document)
    return bad


def check_columns(cluster):
    bases = load_all((HERE / "rules.yaml").read_text())[0]
    create(cluster, bases["tuning"], dry=False)
    shown = ["NAME", "INSTANCE", "RESOURCEREADY", "INFERENCEREADY", "WORKSPACEREADY", "AGE"]
    wide = shown + ["JOBSTARTED", "WORKSPACESUCCEEDED", "TARGETNODECOUNT", "STATE"]
    bad = []
    conditions = [{"type": t, "status": "True", "reason": "x", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
                  for t in ("ResourceReady", "InferenceReady", "WorkspaceReady", "WorkspaceSucceeded", "JobStarted")]
    cluster.kubectl("patch", "workspace", "t", "-n", "default", "--subresource=status", "--type=merge", "-p",
                    json.dumps({"status": {"conditions": conditions, "targetNodeCount": 1, "state": "Succeeded"}}))
    for version in ("v1alpha1", "v1beta1"):
        for flags, header in ((), shown), (("-o", "wide"), wide):
            lines = cluster.kubectl("get", f"workspaces.{version}.kaito.sh", "-n", "default", *flags).splitlines()
            if lines[0].split() != header:
                bad.append(f"{version}: {lines[0]}")
            cells = lines[1].split()
            want = ["True"] * 3 + ([] if not flags else ["True", "True", "1", "Succeeded"])
            if cells[2:5] + cells[6:] != want:
                bad.append(f"{version}: {lines[1]}")
    for name in ("wk", "wks", "is", "isets", "mri", "rag", "workspace", "inferenceset", "kaito", "ragengine"):
        run = cluster.kubectl("get", name, "-n", "default", check=False)
        bad += [f"kubectl get {name}: {run.stderr.strip()}"] if run.returncode else []
    delete(cluster, bases["tuning"])
    return bad


def check_sets_scale(cluster):
    bases = load_all((HERE / "rules.yaml").read_text())[0]
    create(cluster, bases["set"], dry=False)
    cluster.kubectl("scale", "inferenceset", "s", "-n", "default", "--replicas=3")
    stored = json.loads(cluster.kubectl("get", "inferenceset", "s", "-n", "default", "-o", "json"))["spec"]
    delete(cluster, bases["set"])
    bad = [] if stored["replicas"] == 3 else [f"replicas {stored['replicas']}"]
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}
    return bad + ([] if stored["updateStrategy"] == strategy else [f"updateStrategy {stored['updateStrategy']}"])


def check_objects_of_before_the_rules_can_go(cluster):
    """An object that was stored without rules and breaks some can still get labels and a status, and lose its finalizer."""
    bases = load_all((HERE / "rules.yaml").read_text())[0]
    plural = "workspaces.kaito.sh"
    crd = json.loads(cluster.kubectl("get", "crd", plural, "-o", "json"))
    bare = json.loads(json.dumps(crd), object_hook=lambda o: {k: v for k, v in o.items() if k != "x-kubernetes-validations"})
    for document in (crd, bare):
        for key in ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields", "annotations"):
            document["metadata"].pop(key, None)
        document.pop("status", None)
    old = merge(bases["tuning"], {"metadata": {"name": "old.one", "finalizers": ["kaito.sh/test"]}, "inference": {}, "resource": {"count": 2},
                                  "tuning": {"method": "bogus", "output": {"image": "UPPER"}, "input": {"urls": ["x"]}, "preset": None}})
    cluster.kubectl("replace", "-f", "-", given=json.dumps(bare))
    cluster.wait("the definition without rules", lambda: create(cluster, old) == "", 120)
    create(cluster, old, dry=False)
    cluster.kubectl("replace", "-f", "-", given=json.dumps(crd))
    cluster.wait("the rules", lambda: create(cluster, merge(old, {"metadata": {"name": "new"}})) != "", 120)
    bad = []
    cluster.kubectl("delete", "workspace", "old.one", "-n", "default", "--wait=false")
    for flags, patch in ((), {"metadata": {"labels": {"a": "b"}}}), (("--subresource=status",), {"status": {"state": "Failed"}}), ((), {"metadata": {"finalizers": None}}):
        run = cluster.kubectl("patch", "workspace", "old.one", "-n", "default", *flags, "--type=merge", "-p", json.dumps(patch), check=False)
        bad += [run.stderr.strip()] if run.returncode else []
    return bad


def run(namespace, always, doc):
    """The check_* functions of a module, on one API server; `always` runs whatever --only says."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--only", default="", help="run the checks whose name begins so (the installation always)")
    options = parser.parse_args()
    checks = [(n[6:], f) for n, f in namespace.items() if n.startswith("check_")]
    program("helm")
    failed = 0
    with Cluster(managers=False, audit=False, crds=False) as cluster:
        for name, function in checks:
            if name.startswith(options.only) or name == always:
                problems = function(cluster)
                failed += bool(problems)
                print("\n".join(f"FAIL {name}: {p}" for p in problems) or f"ok   {name}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(run(globals(), "chart_and_base_install", __doc__))
    except Skip as reason:
        print(f"skip: {reason}")
        sys.exit(77)

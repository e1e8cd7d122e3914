"""The node provisioner's chart and its definitions (CRDs) on a real API server.

Usage: provisioner.py [--only PREFIX]   each check_* function is one test; it returns its complaints.
"""
import json
import subprocess
import sys
import tempfile
import pathlib

from chart import HERE, ROOT, Skip, find, helm, load_all, paths, program, rights, run

CHART = ROOT / "charts/kaito/gpu-provisioner"
NAME = "gpu-provisioner"
DEFINITIONS = ("nodeclaims.karpenter.sh", "nodepools.karpenter.sh", "machines.karpenter.sh", "kaitonodeclasses.kaito.sh")


def render(*args):
    answer = helm("template", NAME, CHART, "--namespace", NAME, *args)
    if answer.returncode:
        raise RuntimeError("helm template " + " ".join(map(str, args)) + ": " + answer.stderr.strip())
    return answer.stdout


def pod(objects):
    return find(objects, "Deployment")["spec"]["template"]["spec"]


def env(objects):
    return {e["name"]: e.get("value", "") for e in pod(objects)["containers"][0]["env"]}


# --- without a cluster -----------------------------------------------------------------------------------------------

def check_lint(_):
    answer = helm("lint", "--strict", CHART)
    return [] if answer.returncode == 0 and "[WARNING]" not in answer.stdout else [answer.stdout + answer.stderr]


def check_the_originals_values_file_renders_and_keeps_our_image(_):
    objects = load_all(render("--values", HERE / "gpu-provisioner-values.yaml"))
    image = pod(objects)["containers"][0]["image"]
    bad = [] if image == "kaito:0.1.0" else [f"image {image}"]
    names = lambda list_: sorted((o["kind"], o["metadata"]["name"]) for o in list_)  # noqa: E731
    return bad + ([] if names(objects) == names(load_all(render())) else ["other objects than with the chart's own defaults"])


def check_every_value_of_the_original_has_its_default(_):
    """But for the image, which is ours."""
    ours = dict(paths(load_all((CHART / "values.yaml").read_text())[0]))
    theirs = dict(paths(load_all((HERE / "gpu-provisioner-values.yaml").read_text())[0]))
    skip = {("controller", "image", "repository"), ("controller", "image", "tag")}
    return [f"{'.'.join(p)}: {ours.get(p, 'missing')} instead of {v}" for p, v in theirs.items() if p not in skip and ours.get(p, "missing") != v]


def locked_down(objects):
    c = pod(objects)["containers"][0]["securityContext"]
    return (c["runAsNonRoot"], c["runAsUser"], c["readOnlyRootFilesystem"], c["allowPrivilegeEscalation"], c["capabilities"], c["seccompProfile"]["type"]) == \
        (True, 65532, True, False, {"drop": ["ALL"]}, "RuntimeDefault")


# values, then whether the rendered objects are right
VARIANTS = {
    "nothing is allowed that is not needed": ([], locked_down),
    "one container setting leaves the others": (["controller.securityContext.runAsUser=7"], lambda o: pod(o)["containers"][0]["securityContext"]["runAsUser"] == 7
                                                and pod(o)["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}),
    "two replicas elect a leader": (["replicas=2"], lambda o: env(o)["DISABLE_LEADER_ELECTION"] == "false" and ("coordination.k8s.io", "leases", "update") in rights(o)),
    "one replica needs no lease": ([], lambda o: env(o)["DISABLE_LEADER_ELECTION"] == "true" and not any(r[1] == "leases" for r in rights(o))),
    "the election can be forced": (["leaderElection=true"], lambda o: env(o)["DISABLE_LEADER_ELECTION"] == "false"),
    "claims only": (["nodeAPI=nodeclaim"], lambda o: {r[2] for r in rights(o) if r[1].startswith("machines")} == {"get"} and ("karpenter.sh", "nodeclaims", "create") in rights(o)),
    "machines only": (["nodeAPI=machine"], lambda o: {r[2] for r in rights(o) if r[1].startswith(("nodeclaims", "nodepools"))} == {"get"}),
    "without static pools no claim is made": (["featureGates.StaticCapacity=false"], lambda o: ("karpenter.sh", "nodeclaims", "create") not in rights(o)
                                              and not any(r[1].startswith("nodepools") for r in rights(o)) and "StaticCapacity=false" in env(o)["FEATURE_GATES"]),
    "secrets and configmaps are never read": ([], lambda o: not any(r[1] in ("secrets", "configmaps") for r in rights(o))),
    "workload identity": (["workloadIdentity.clientId=c", "workloadIdentity.tenantId=t"], lambda o: find(o, "ServiceAccount")["metadata"]["annotations"] == {
        "azure.workload.identity/client-id": "c", "azure.workload.identity/tenant-id": "t"} and env(o)["AZURE_CLIENT_ID"] == "c"
        and find(o, "Deployment")["spec"]["template"]["metadata"]["labels"]["azure.workload.identity/use"] == "true"),
    "the cluster's name": (["settings.azure.clusterName=n", "settings.azure.location=l"], lambda o: (env(o)["AZURE_CLUSTER_NAME"], env(o)["LOCATION"]) == ("n", "l")),
    "a given variable wins": (["controller.env[0].name=LOG_LEVEL", "controller.env[0].value=warn"],
                              lambda o: [e["value"] for e in pod(o)["containers"][0]["env"] if e["name"] == "LOG_LEVEL"] == ["warn"]),
    "either level can be changed": (["logLevel=info"], lambda o: env(o)["LOG_LEVEL"] == "info"),
    "the controller's level first": (["logLevel=info", "controller.logLevel=error"], lambda o: env(o)["LOG_LEVEL"] == "error"),
    "an image by digest": (["controller.image.repository=r/kaito", "controller.image.digest=sha256:0"], lambda o: pod(o)["containers"][0]["image"] == "r/kaito@sha256:0"),
    "names can be given": (["fullnameOverride=full", "serviceAccount.name=account", "podDisruptionBudget.name=pdb"],
                           lambda o: all(find(o, k, n) for k, n in (("Deployment", "full"), ("ServiceAccount", "account"), ("PodDisruptionBudget", "pdb")))),
    "an account of one's own": (["serviceAccount.create=false", "serviceAccount.name=mine"], lambda o: not find(o, "ServiceAccount") and pod(o)["serviceAccountName"] == "mine"),
    "labels and annotations are added": (["additionalLabels.a=b", "additionalAnnotations.c=d", "service.annotations.e=f", "podLabels.g=h", "podAnnotations.i=j"],
                                         lambda o: find(o, "Service")["metadata"]["annotations"] == {"c": "d", "e": "f"} and find(o, "Deployment")["metadata"]["labels"]["a"] == "b"
                                         and find(o, "Deployment")["spec"]["template"]["metadata"]["labels"]["g"] == "h"),
    "a monitor": (["serviceMonitor.enabled=true", "serviceMonitor.additionalLabels.x=y", "serviceMonitor.endpointConfig.interval=30s"],
                  lambda o: find(o, "ServiceMonitor")["spec"]["endpoints"][0]["interval"] == "30s" and find(o, "ServiceMonitor")["metadata"]["labels"]["x"] == "y"),
    "more rules": (["additionalClusterRoleRules[0].apiGroups={x}", "additionalClusterRoleRules[0].resources={y}", "additionalClusterRoleRules[0].verbs={z}"],
                   lambda o: ("x", "y", "z") in rights(o)),
    "other clouds": (["cloud=kwok", "affinity.nodeAffinity=null"], lambda o: env(o)["CLOUD_PROVIDER"] == "kwok" and "nodeAffinity" not in pod(o)["affinity"]
                     and ("", "nodes", "create") in rights(o)),
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
        subprocess.run([ROOT / "config/generate.sh", folder, "provisioner"], check=True, env=path)
        return [f"config/provisioner/{f} is stale: run config/generate.sh" for f in ("install.yaml", "crds.yaml")
                if (pathlib.Path(folder) / f).read_text() != (ROOT / "config/provisioner" / f).read_text()]


# --- on an API server ------------------------------------------------------------------------------------------------

def check_chart_and_base_install(cluster):
    cluster.kubectl("create", "namespace", NAME)
    cluster.kubectl("apply", "--server-side", "-f", CHART / "crds")
    cluster.wait("the definitions", lambda: cluster.established(DEFINITIONS), 120)
    cluster.kubectl("apply", "-n", NAME, "-f", "-", given=render())
    again = cluster.kubectl("apply", "-n", NAME, "-f", "-", given=render())
    # kubectl always sends the selector of a budget again.
    bad = [line for line in again.splitlines() if not line.endswith(" unchanged") and not line.startswith("poddisruptionbudget")]
    cluster.kubectl("apply", "-k", ROOT / "config/provisioner", "--server-side", "--force-conflicts", "--dry-run=server")
    return bad


def check_helm_installs_beside_others_definitions_and_leaves_them(cluster):
    """A definition that is there already, Karpenter's own, stays as it is; none goes with the chart."""
    access = ("--kubeconfig", cluster.kubeconfig(), "--namespace", NAME)
    cluster.kubectl("label", "crd", "nodeclaims.karpenter.sh", "from=karpenter")
    bad = []
    for step, command in (("install", ["install", "--take-ownership", NAME, CHART, "--values", HERE / "gpu-provisioner-values.yaml"]),
                          ("upgrade", ["upgrade", NAME, CHART, "--set", "replicas=2"]), ("uninstall", ["uninstall", NAME])):
        answer = helm(*command, *access)
        if answer.returncode:
            return [f"helm {step}: {answer.stderr.strip()}"]
        labels = json.loads(cluster.kubectl("get", "crd", "nodeclaims.karpenter.sh", "-o", "json"))["metadata"]["labels"]
        bad += [] if labels == {"from": "karpenter"} else [f"after {step}: labels {labels}"]
    left = [o for o in cluster.admin.items("Deployment") if o["metadata"]["namespace"] == NAME]
    return bad + (["the Deployment is still there"] if left else []) + ([] if cluster.established(DEFINITIONS) else ["the definitions went with the chart"])


CLASS = {"group": "kaito.sh", "kind": "KaitoNodeClass", "name": "default"}
CLAIM = {"apiVersion": "karpenter.sh/v1", "kind": "NodeClaim", "metadata": {"name": "c"}, "spec": {"nodeClassRef": CLASS, "requirements": [
    {"key": "karpenter.sh/nodepool", "operator": "In", "values": ["kaito"]}, {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["a", "b"]},
    {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}, {"key": "karpenter.azure.com/sku-name", "operator": "In", "values": ["a"]}],
    "resources": {"requests": {"storage": "87Gi"}}, "taints": [{"key": "sku", "value": "gpu", "effect": "NoSchedule"}]}}
POOL = {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "p"}, "spec": {"replicas": 2, "limits": {"nodes": 3}, "template": {
    "metadata": {"labels": {"a": "b"}}, "spec": {"nodeClassRef": CLASS, "requirements": []}}}}
NODE_CLASS = {"apiVersion": "kaito.sh/v1alpha1", "kind": "KaitoNodeClass", "metadata": {"name": "k"}, "spec": {
    "vnetSubnetID": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/n", "zones": ["1"], "maxPods": 30, "spotMaxPrice": "-1"}}
MACHINE = {"apiVersion": "karpenter.sh/v1alpha5", "kind": "Machine", "metadata": {"name": "m"}, "spec": {"machineTemplateRef": {"name": "default"}, "requirements": [
    {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["a"]}], "resources": {"requests": {"storage": "1Gi"}}}}


def changed(document, path, value):
    out = json.loads(json.dumps(document))
    at = out
    for step in path[:-1]:
        at = at[step]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return out


def requirement(**fields):
    return changed(CLAIM, ("spec", "requirements"), [fields])


# document, the words of the refusal ("": accepted)
RULES = [
    (CLAIM, ""), (POOL, ""), (NODE_CLASS, ""), (MACHINE, ""),
    (requirement(key="kubernetes.io/x", operator="Exists"), 'label domain "kubernetes.io" is restricted'),
    (requirement(key="x.k8s.io/x", operator="Exists"), 'label domain "k8s.io" is restricted'),
    (requirement(key="karpenter.sh/x", operator="Exists"), 'label domain "karpenter.sh" is restricted'),
    (requirement(key="kubernetes.io/hostname", operator="Exists"), 'label "kubernetes.io/hostname" is restricted'),
    (requirement(key="node.kubernetes.io/x", operator="Exists"), ""),
    (requirement(key="x", operator="In"), "must have a value defined"),
    (requirement(key="x", operator="Gt", values=["1", "2"]), "must have a single positive integer value"),
    (requirement(key="x", operator="Gt", values=["-1"]), "must have a single positive integer value"),
    (requirement(key="x", operator="Gt", values=["3"]), ""),
    (requirement(key="x", operator="Near", values=["3"]), "Unsupported value"),
    (requirement(key="x", operator="In", values=["a"], minValues=2), "requirements with 'minValues'"),
    (requirement(key="x", operator="In", values=["a"] * 60, minValues=51), "less than or equal to 50"),
    (changed(CLAIM, ("spec", "nodeClassRef"), None), "spec.nodeClassRef: Required value"),
    (changed(CLAIM, ("spec", "nodeClassRef", "name"), ""), "name may not be empty"),
    (changed(CLAIM, ("spec", "nodeClassRef", "group"), "a/b"), "spec.nodeClassRef.group"),
    (changed(CLAIM, ("spec", "requirements"), [{"key": "x", "operator": "Exists"}] * 101), "at most 100 items"),
    (changed(CLAIM, ("spec", "terminationGracePeriod"), "1d"), "spec.terminationGracePeriod"),
    (changed(CLAIM, ("spec", "expireAfter"), "Never"), ""),
    (changed(CLAIM, ("spec", "expireAfter"), "soon"), "spec.expireAfter"),
    (changed(CLAIM, ("spec", "taints", 0, "effect"), "Never"), "Unsupported value"),
    (changed(CLAIM, ("spec", "resources", "requests", "storage"), "many"), "spec.resources.requests.storage"),
    (changed(POOL, ("spec", "weight"), 3), "'weight' is not supported on static NodePools"),
    (changed(POOL, ("spec", "limits", "cpu"), 3), "only 'limits.nodes' is supported on static NodePools"),
    (changed(POOL, ("spec", "replicas"), -1), "spec.replicas"),
    (changed(POOL, ("spec", "disruption"), {"consolidateAfter": "0s", "budgets": [{"nodes": "101%"}]}), "budgets[0].nodes"),
    (changed(POOL, ("spec", "disruption"), {"consolidateAfter": "0s", "budgets": [{"nodes": "1", "schedule": "@daily"}]}), "'schedule' must be set with 'duration'"),
    (changed(POOL, ("spec", "template", "metadata", "labels"), {"karpenter.sh/nodepool": "x"}), 'label "karpenter.sh/nodepool" is restricted'),
    (changed(NODE_CLASS, ("spec", "maxPods"), 5), "greater than or equal to 10"),
    (changed(NODE_CLASS, ("spec", "maxPods"), 251), "less than or equal to 250"),
    (changed(NODE_CLASS, ("spec", "osDiskType"), "Fast"), "Unsupported value"),
    (changed(NODE_CLASS, ("spec", "vnetSubnetID"), "subnet"), "spec.vnetSubnetID"),
    (changed(NODE_CLASS, ("spec", "colour"), "red"), 'unknown field "spec.colour"'),
]
# old, new, refusal
UPDATES = [
    (CLAIM, changed(CLAIM, ("spec", "expireAfter"), "1h"), "spec is immutable"),
    (CLAIM, changed(CLAIM, ("metadata", "labels"), {"a": "b"}), ""),
    (POOL, changed(POOL, ("spec", "replicas"), 5), ""),
    (POOL, changed(changed(POOL, ("spec", "replicas"), None), ("spec", "limits"), None), "between static (replicas set) and dynamic (replicas unset)"),
    (POOL, changed(POOL, ("spec", "template", "spec", "nodeClassRef", "kind"), "Other"), "nodeClassRef.kind is immutable"),
    (POOL, changed(POOL, ("spec", "template", "spec", "nodeClassRef", "name"), "other"), ""),
]


def put(cluster, document, old=None, dry=True):
    plural = {"NodeClaim": "nodeclaims", "NodePool": "nodepools", "Machine": "machines", "KaitoNodeClass": "kaitonodeclasses"}[document["kind"]]
    at, flags = f"/apis/{document['apiVersion']}/{plural}", "?fieldValidation=Strict" + ("&dryRun=All" if dry else "")
    if old:
        version = cluster.admin.must("GET", f"{at}/{old['metadata']['name']}")["metadata"]["resourceVersion"]
        document = changed(document, ("metadata", "resourceVersion"), version)
        status, answer = cluster.admin.call("PUT", f"{at}/{old['metadata']['name']}{flags}", document)
    else:
        status, answer = cluster.admin.call("POST", at + flags, document)
    return "" if status < 300 else answer["message"]


def complaint(document, why, words):
    return [] if (why == "") == (words == "") and words in why else [f"{json.dumps(document['spec'])}: {why or 'accepted'}; wanted: {words or 'accepted'}"]


def check_each_rule(cluster):
    return [c for document, words in RULES for c in complaint(document, put(cluster, document), words)]


def check_each_rule_of_updates(cluster):
    bad = []
    for old, new, words in UPDATES:
        put(cluster, old, dry=False)
        bad += complaint(new, put(cluster, new, old), words)
        cluster.kubectl("delete", old["kind"], old["metadata"]["name"])
    return bad


def check_columns_and_scale(cluster):
    bad = []
    for document in (CLAIM, POOL, MACHINE, NODE_CLASS):
        put(cluster, document, dry=False)
    cluster.kubectl("scale", "nodepool", "p", "--replicas=3")
    cluster.kubectl("patch", "nodepool", "p", "--subresource=status", "--type=merge", "-p", json.dumps({"status": {"nodes": 2, "resources": {"nodes": "2", "cpu": "48"}}}))
    scale = json.loads(cluster.kubectl("get", "--raw", "/apis/karpenter.sh/v1/nodepools/p/scale"))
    bad += [] if (scale["spec"]["replicas"], scale["status"]["replicas"]) == (3, 2) else [f"scale {scale}"]
    for kind, shown, wide in (("nodeclaims", "NAME TYPE CAPACITY ZONE NODE READY AGE", "IMAGEID ID NODEPOOL NODECLASS DRIFTED"),
                              ("nodepools", "NAME NODECLASS NODES READY AGE", "WEIGHT CPU MEMORY"),
                              ("machines", "NAME TYPE ZONE NODE READY AGE", "CAPACITY PROVISIONER TEMPLATE"), ("knc", "NAME READY AGE", "")):
        for flags, header in ((), shown), (("-o", "wide"), f"{shown} {wide}".strip()):
            line = cluster.kubectl("get", kind, *flags).splitlines()[0]
            bad += [] if line.split() == header.split() else [f"{kind}: {line}"]
    listed = cluster.kubectl("get", "karpenter", "-o", "name").split()
    bad += [] if len(listed) == 4 else [f"category karpenter: {listed}"]
    line = cluster.kubectl("get", "nodepool", "p").splitlines()[1].split()
    return bad + ([] if line[1:3] == ["default", "2"] else [f"nodepool {line}"])


if __name__ == "__main__":
    try:
        sys.exit(run(globals(), "chart_and_base_install", __doc__))
    except Skip as reason:
        print(f"skip: {reason}")
        sys.exit(77)

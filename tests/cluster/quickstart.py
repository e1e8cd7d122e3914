"""The quick start to the letter: its manifest, its commands, its tables at each stage, and nothing left after deletion.

Usage: quickstart.py [--show]   (--show prints every table and the description)
"""
import argparse
import re
import sys
import time

import golden
from cluster import ROOT, Cluster, Skip
from controller import Controller
from mirror import Mirror
from play import Cloud, Kubelet

NAME, NAMESPACE = "workspace-tuning-phi-3", "default"
MANIFEST = ROOT / "examples/fine-tuning/kaito_workspace_tuning_phi_3.yaml"
COLUMNS = ["NAME", "INSTANCE", "RESOURCEREADY", "INFERENCEREADY", "WORKSPACEREADY", "AGE"]
# The placeholders that the user replaces.
WAIT_S = 120  # for one step, of which the slowest takes some seconds
REPLACED = {"ACR_REPO_HERE": "myregistry", "IMAGE_NAME_HERE": "phi-3-adapter", "ACR_REGISTRY_SECRET_HERE": "regcred"}


class Story:
    def __init__(self, cluster, mirror, show):
        self.cluster, self.mirror, self.show, self.problems = cluster, mirror, show, []
        self.cloud = Cloud(cluster)

    def check(self, holds, what):
        if not holds:
            self.problems.append(what)

    def kubectl(self, *args, **more):
        text = self.cluster.kubectl(*args, **more)
        if self.show:
            print(f"$ kubectl {' '.join(args)}\n{text}", flush=True)
        return text

    def row(self):
        head, line = self.cluster.kubectl("get", "workspace", NAME).splitlines()[:2]
        self.check(head.split() == COLUMNS, f"columns {head.split()}")
        starts = [head.index(column) for column in COLUMNS] + [None]
        return [line[a:b].strip() for a, b in zip(starts, starts[1:])]

    def stage(self, what, expected, seconds=WAIT_S):
        """Waits for the table's three columns to read as they should."""
        end = time.monotonic() + seconds
        while True:
            row = self.row()
            if row[2:5] == expected or time.monotonic() > end:
                break
            time.sleep(0.2)
        self.check(row[:2] == [NAME, "Standard_NC6s_v3"], f"{what}: row {row}")
        self.check(row[2:5] == expected, f"{what}: RESOURCEREADY INFERENCEREADY WORKSPACEREADY are {row[2:5]}, expected {expected}")
        self.kubectl("get", "workspace", NAME)
        if self.show:
            for c in self.mirror.get("Workspace", NAMESPACE, NAME).get("status", {}).get("conditions", []):
                print(f"    {c['type']:20} {c['status']:6} {c['reason']:35} {c['message']}")
            print(flush=True)

    def until(self, what, condition, seconds=WAIT_S):
        self.check(self.mirror.until(condition, seconds), what)

    def pods(self, what, kind):
        """The kubelets start what is scheduled, until every workload of this kind has a Pod that runs."""
        def running():
            self.cloud.pods(NAMESPACE)
            return all(any(p.get("status", {}).get("phase") == "Running" and any(o["uid"] == w["metadata"]["uid"] for o in p["metadata"]["ownerReferences"])
                           for p in self.mirror.all("Pod")) for w in self.mirror.all(kind))
        self.until(what, running)

    def run(self):
        text = MANIFEST.read_text(encoding="utf-8")
        for placeholder, value in REPLACED.items():
            self.check(placeholder in text, f"{placeholder} is not in the manifest")
            text = text.replace(placeholder, value)
        self.cluster.kubectl("create", "secret", "docker-registry", "regcred", "--docker-server=myregistry.azurecr.io", "--docker-username=u",
                             "--docker-password=p")
        self.kubectl("apply", "-f", "-", given=text)
        self.until("a NodeClaim for the Workspace", lambda: self.mirror.count("NodeClaim") == 1)
        self.stage("after apply", ["False", "False", "False"])
        self.cloud.nodes(NAMESPACE)
        self.until("the tuning Job", lambda: self.mirror.count("Job") == 1)
        self.stage("with its node", ["True", "False", "False"])
        self.pods("the Job's Pod runs", "Job")
        self.stage("while tuning", ["True", "False", "False"])
        self.cloud.finish(NAMESPACE)
        self.until("a StatefulSet that serves the tuned model", lambda: self.mirror.count("StatefulSet") == 1)
        self.pods("the endpoint's Pod runs", "StatefulSet")
        self.stage("serving", ["True", "True", "True"])
        self.endpoint()
        self.describe()
        self.delete()

    def endpoint(self):
        lines = self.kubectl("get", "svc", NAME).splitlines()
        self.check(lines[0].split() == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"], f"svc columns {lines[0]}")
        self.check(lines[1].split()[:2] == [NAME, "ClusterIP"] and lines[1].split()[3:5] == ["<none>", "80/TCP,29500/TCP"], f"svc row {lines[1]}")
        address = self.kubectl("get", "svc", NAME, "-o", "jsonpath={.spec.clusterIPs[0]}").strip()
        self.check(re.fullmatch(r"10\.96\.\d+\.\d+", address), f"cluster address {address}")

    def describe(self):
        text = self.kubectl("describe", "workspace", NAME)
        for word in ("ResourceReady", "WorkspaceReady", "JobStarted", "Worker Nodes"):
            self.check(word in text, f"describe says nothing about {word}")
        self.check("last reconcile error" not in text, "describe tells of a reconcile error")
        self.check("Events:" in text and "NodeClaimCreated" in text, "describe shows no events")

    def delete(self):
        self.kubectl("delete", "workspace", NAME, "--timeout=90s")
        end = time.monotonic() + WAIT_S
        while True:
            self.cloud.reap(NAMESPACE)
            self.cloud.pods(NAMESPACE)
            left = [f"{o['kind']}/{o['metadata']['name']}" for o in self.mirror.of(NAMESPACE) if o["kind"] not in ("Event",) and
                    o["metadata"]["name"] not in ("regcred", "kube-root-ca.crt", "kubernetes", "qlora-params-template")]
            if not left or time.monotonic() > end:
                break
            time.sleep(0.3)
        self.check(not left, f"left after deletion: {left}")
        self.check(self.mirror.count("Node") == 0, "the node is still there")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args(argv)
    with Cluster() as cluster:
        kubelet = Kubelet(cluster)
        golden.release_objects(cluster)
        with Mirror(cluster.admin) as mirror, Controller(cluster) as controller:
            story = Story(cluster, mirror, options.show)
            try:
                story.run()
            except (RuntimeError, OSError) as error:
                story.problems.append(str(error))
            if story.problems:
                story.problems.append("log: " + controller.tail(4))
        kubelet.close()
    for problem in story.problems:
        print("FAIL " + problem)
    if not story.problems:
        print("ok   the quick start")
    return 1 if story.problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Skip as reason:
        print(f"skip: {reason}")
        sys.exit(77)

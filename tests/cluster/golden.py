"""Drives the tested controller through the recorded cases and compares every object after every step.

Usage: golden.py [--modes default,byo,...] [--cases GLOB] [--parallel N] [--out DIR] [--list] [--no-table]
Each case has a namespace of its own, so that many run at once. A step is: do it, wait until the case is still and equal, or
still for long; then compare. Also checked: no write that changes nothing, the number of writes, the order of first creates.
"""
import argparse
import concurrent.futures
import fnmatch
import json
import pathlib
import re
import shlex
import sys
import threading
import time

import compare
import normalise
import writes as audit
from cluster import ROOT, Cluster, Skip
from controller import RELEASE_NAMESPACE, Controller
from mirror import Mirror
from play import Cloud, Kubelet, condition

CASES = ROOT / "tests/golden/kube"
SETTLED_S = 1.0      # still and equal for this long: the step is over
PATIENCE_S = 25.0    # still but not equal
STEP_S = 150.0       # not still at all
CONTINUED = ("nodes", "pods", "pools", "reap")  # what a cloud and kubelets go on doing: done again while a case is not as it should be
# To Ready, to Succeeded: 10 and 12, and a status more for each pass that falls between what belongs together (the readiness of the Node and of its
# claim, of the Pod and of its StatefulSet) while the machine is slow. Upstream: 19 and 25.
WRITES = {"inference": 12, "tuning": 14}


def step_number(file):
    return int(re.match(r"stage-(\d+)-", file.name)[1])


class Case:
    def __init__(self, folder):
        self.folder, self.name = folder, folder.name
        self.mode = next((m for m in ("byo", "karpenter", "gate") if self.name.startswith(m + "-")), "default")
        trace = (folder / "trace.txt").read_text(encoding="utf-8").splitlines()
        self.steps = [line[2:].strip() for line in trace if line.startswith("# ")]
        self.files = sorted(folder.glob("stage-*.yaml"), key=step_number)
        # Before "create" nothing of the controller's is there, and the trace may leave such steps out.
        self.creates = [line.split()[1] for line in trace if line.startswith("create ")]
        found = re.search(r"namespace: (case-[a-z0-9-]+)", "".join(f.read_text(encoding="utf-8") for f in self.files[:4]))
        self.namespace = found[1] if found else "case-" + self.name
        self.input = (folder / "input.yaml").read_text(encoding="utf-8")

    def recorded(self):
        for file in self.files:
            yield file.stem, compare.load_all(file.read_text(encoding="utf-8"))

    def match_labels(self):
        return set(re.findall(r"^\s+(apps?: \S+)$", self.input, re.M))


def cases(glob="*"):
    return [Case(f) for f in sorted(CASES.iterdir()) if (f / "trace.txt").exists() and fnmatch.fnmatch(f.name, glob)]


class Player:
    """Performs a case's steps."""

    def __init__(self, cluster, case):
        self.cluster, self.case, self.cloud, self.refusals = cluster, case, Cloud(cluster), []

    def do(self, step):
        words = shlex.split(step)
        action = getattr(self, "step_" + words[0].replace("-", "_"))
        action(words[1:])

    def step_create(self, _):
        run = self.cluster.kubectl("-n", self.case.namespace, "create", "-f", "-", given=self.case.input, check=False)
        if run.returncode:
            self.refusals.append(run.stderr.strip())

    def step_node(self, words):
        labels = dict(pair.split("=", 1) for pair in words[2].split(","))
        self.cloud.make_node(words[0], labels, gpus=int(words[1]))

    def step_nodes(self, _):
        self.cloud.nodes(self.case.namespace)

    def step_pools(self, _):
        self.cloud.pools(self.case.namespace)

    def step_pods(self, _):
        idle, end = 0, time.monotonic() + 60
        while idle < 4 and time.monotonic() < end:  # pods of an ordered StatefulSet come one after the other
            idle = 0 if self.cloud.pods(self.case.namespace) or self.pods_missing() else idle + 1
            time.sleep(0.4)

    def pods_missing(self):
        """A StatefulSet still waits for pods to be made or scheduled."""
        api, namespace = self.cluster.admin, self.case.namespace
        wanted = sum(s["spec"].get("replicas", 1) for s in api.items("StatefulSet", namespace) if not s["metadata"].get("deletionTimestamp"))
        pods = api.items("Pod", namespace)
        stuck = any(c.get("reason") == "Unschedulable" for p in pods for c in p.get("status", {}).get("conditions", []))
        return not stuck and sum(1 for p in pods if p.get("status", {}).get("phase") == "Running") < wanted

    def again(self, step):
        """What came late, after the step: a claim, a pod."""
        if step in CONTINUED:
            getattr(self.cloud, step)(self.case.namespace)

    def step_finish(self, words):
        self.cloud.finish(self.case.namespace, int(words[0]) if words else 0)

    def step_wait(self, _):
        time.sleep(2)

    def step_delete(self, _):
        for kind in ("inferenceset", "workspace"):  # else the set makes its Workspace anew
            self.cluster.kubectl("-n", self.case.namespace, "delete", kind, "--all", "--wait=false", check=False)

    def step_reap(self, _):
        self.cloud.reap(self.case.namespace)

    def step_kubectl(self, words):
        self.cluster.kubectl("-n", self.case.namespace, *words, check=False)

    def clean(self, mirror):
        """Nothing of the case may disturb the next one: pods and nodes go at once, the namespace follows."""
        namespace = self.case.namespace
        self.step_delete([])
        self.cloud.reap(namespace)
        for node in mirror.of(namespace):
            if node["kind"] == "Node":
                self.cloud.lose_node(node["metadata"]["name"])
        self.cloud.remove_pods(namespace)
        self.cluster.admin.delete("Namespace", None, namespace)


def relevant(objects):
    """As the recording chose: KAITO's events only."""
    for obj in objects:
        if obj["kind"] == "Event" and not obj.get("involvedObject", {}).get("apiVersion", "").startswith("kaito.sh"):
            continue
        yield obj


class Run:
    """One case through its stages."""

    def __init__(self, cluster, mirror, case, table):
        self.case, self.mirror, self.table = case, mirror, table
        self.player = Player(cluster, case)
        self.cluster = cluster
        self.expected_names, self.got_names = normalise.Names(), normalise.Names()
        self.differences, self.seconds = [], {}

    def differ(self, stage, expected):
        got = normalise.stage(list(relevant(self.mirror.of(self.case.namespace))), self.got_names)
        found = compare.stages(self.case.name, stage, expected, got)
        return [d for d in found if not self.table.accepts(d)]

    def settle(self, step, stage, expected):
        """Differences once the case is still."""
        begin = time.monotonic()
        while True:
            still, waited = self.mirror.quiet_for(self.case.namespace), time.monotonic() - begin
            if waited >= 0.5 and still >= SETTLED_S:
                left = self.differ(stage, expected)
                if not left or still >= PATIENCE_S or waited > STEP_S:
                    return left
                self.player.again(step)
            elif waited > STEP_S:
                return self.differ(stage, expected)
            time.sleep(0.25)

    def refused(self, stage):
        """What the API server did not let in; upstream's did."""
        while self.player.refusals:
            yield compare.Difference(self.case.name, stage, "Answer", "create", "answer", "created", self.player.refusals.pop())

    def run(self):
        self.cluster.namespace(self.case.namespace)
        try:
            for step, (stage, objects) in zip(self.case.steps, self.case.recorded()):
                begin = time.monotonic()
                expected = normalise.stage(objects, self.expected_names)
                self.player.do(step)
                self.differences += [d for d in self.refused(stage) if not self.table.accepts(d)] + self.settle(step, stage, expected)
                self.seconds[stage] = time.monotonic() - begin
        finally:
            self.player.clean(self.mirror)
        return self


def first_creates(resources):
    return list(dict.fromkeys(resources))


def check_writes(case, made, table):
    """Differences of what was written: no-ops, counts, order of first creates."""
    mine = [w for w in made if w.home == case.namespace]
    found = [compare.Difference(case.name, "writes", "Write", str(w), "", compare.ABSENT, "a write that changes nothing: " + json.dumps(w.body)[:300])
             for w in mine if w.noop]
    expected, got = first_creates(case.creates), first_creates(w.resource for w in mine if w.verb == "create" and w.code == 201)
    if expected != got:
        found.append(compare.Difference(case.name, "writes", "Order", "first creates", "creates", expected, got))
    kind = "tuning" if "\ntuning:" in case.input else "inference"
    to_goal = [w for w in mine if not (w.verb == "delete")]
    if "kind: Workspace" in case.input and case.name in COUNTED and len(to_goal) - deletion_updates(mine) > WRITES[kind]:
        found.append(compare.Difference(case.name, "writes", "Count", kind, "writes", f"at most {WRITES[kind]}",
                                        f"{len(to_goal)}: {dict(audit.by_verb(mine))}"))
    return [d for d in found if not table.accepts(d)], mine


# Cases whose whole life is one plain Workspace: the limits of writes are theirs.
COUNTED = ("b-inference-phi4mini", "b-inference-phi4mini-nobench-lb", "d-llama31-8b-secret", "g-tuning-phi4mini-lora", "g-tuning-2gpu")


def deletion_updates(mine):
    """The one update that takes the finalizer away is not on the way to Ready."""
    return 1 if any(w.verb == "delete" for w in mine) else 0


def release_objects(cluster):
    """What the chart brings besides the controller: the release namespace, the parameter templates, storage and node classes."""
    cluster.namespace(RELEASE_NAMESPACE)
    folder = ROOT / "tests/cluster/chart_objects.yaml"
    cluster.kubectl("apply", "-f", str(folder))
    for obj in cluster.admin.items("AKSNodeClass"):
        ready_class(cluster, obj["metadata"]["name"])


def ready_class(cluster, name):
    cluster.admin.merge("AKSNodeClass", None, name, {"status": {"conditions": [condition("Ready")]}}, "status")


def batches(chosen):
    """Cases that share pod selectors must not run at the same time: [[case, ...], ...], each list in turn."""
    groups = []
    for case in chosen:
        for group in groups:
            if any(case.match_labels() & other.match_labels() for other in group):
                group.append(case)
                break
        else:
            groups.append([case])
    return sorted(groups, key=lambda g: -sum(len(c.steps) for c in g))


def run_mode(cluster, mode, chosen, table, parallel, out):
    failed, done = [], []
    lock = threading.Lock()
    start = cluster.audit_events()[1]
    with Mirror(cluster.admin) as mirror, Controller(cluster, mode, name=f"controller-{mode}", extra=EXTRA.get(mode, ())) as controller:
        def group(members):
            for case in members:
                try:
                    run = Run(cluster, mirror, case, table).run()
                    with lock:
                        done.append(run)
                except Exception as error:  # one case must not hide the others
                    with lock:
                        failed.append((case, f"{type(error).__name__}: {error}"))
                if controller.process.poll() is not None:
                    raise RuntimeError("the controller ended: " + controller.tail())
        with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
            for future in [pool.submit(group, g) for g in batches(chosen)]:
                future.result()
        time.sleep(0.5)
        made = audit.homes(audit.writes(cluster.audit_events(start)[0]))
        status = controller.stop()
    if status != 0:
        failed.append((chosen[0], f"the controller left with status {status} after SIGTERM: {controller.tail(5)}"))
    report = []
    for run in sorted(done, key=lambda r: r.case.name):
        wrong, mine = check_writes(run.case, made, table)
        run.differences += wrong
        if out:
            (out / f"trace-{run.case.name}.txt").write_text("\n".join(map(str, mine)) + "\n")
        report.append(run)
    return report, failed


EXTRA = {"karpenter": ["--karpenter-node-classes=" + json.dumps([
    {"name": "image-family-ubuntu", "default": True, "spec": {"imageFamily": "Ubuntu2204", "osDiskSizeGB": 300}},
    {"name": "image-family-azure-linux", "spec": {"imageFamily": "AzureLinux", "osDiskSizeGB": 300}}])]}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--modes", default="default,byo,karpenter,gate")
    parser.add_argument("--cases", default="*")
    parser.add_argument("--parallel", type=int, default=10)
    parser.add_argument("--out", type=pathlib.Path, help="folder for diff-CASE.txt and trace-CASE.txt")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--no-table", action="store_true", help="accept nothing: show every difference")
    parser.add_argument("--keep", action="store_true", help="keep the cluster's folder (logs, audit)")
    options = parser.parse_args(argv)
    every = cases()
    chosen = [c for c in every if any(fnmatch.fnmatch(c.name, g) for g in options.cases.split(",")) and c.mode in options.modes.split(",")]
    if options.list:
        print("\n".join(f"{c.mode:10} {c.name:40} {', '.join(s[:20] for s in c.steps)}" for c in chosen))
        return 0
    table = compare.Table()
    if options.no_table:
        table.rows, table.used = [], []
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    bad, ran = 0, []
    with Cluster(keep=options.keep) as cluster:
        kubelet = Kubelet(cluster)
        release_objects(cluster)
        for mode in options.modes.split(","):
            members = [c for c in chosen if c.mode == mode]
            if not members:
                continue
            begin = time.monotonic()
            report, failed = run_mode(cluster, mode, members, table, options.parallel, options.out)
            for run in report:
                ran.append(run.case.name)
                text = compare.text_of(run.differences)
                file = options.out / f"diff-{run.case.name}.txt" if options.out else None
                if run.differences:
                    bad += 1
                    print(f"FAIL {run.case.name}: {len(run.differences)} differences\n{text}", flush=True)
                    if file:
                        file.write_text(text + "\n")
                else:
                    print(f"ok   {run.case.name} ({sum(run.seconds.values()):.1f} s)", flush=True)
                    if file and file.exists():
                        file.unlink()
            for case, why in failed:
                bad += 1
                print(f"FAIL {case.name}: {why}", flush=True)
                if options.out:
                    (options.out / f"diff-{case.name}.txt").write_text(why + "\n")
            print(f"-- {mode}: {len(members)} cases in {time.monotonic() - begin:.0f} s", flush=True)
        kubelet.close()
    for row in table.unused(ran, [c.name for c in every]):
        bad += 1
        print(f"FAIL differences.yaml: nothing matches any more: {row}")
    print(f"{len(ran)} cases, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Skip as reason:
        print(f"skip: {reason}")
        sys.exit(77)

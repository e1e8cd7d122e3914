"""`kaito controller` on a real API server with a scripted cloud: CPU, memory, wall time and writes for the whole life of N
Workspaces, beside what was recorded of upstream's controller.

Usage: bench/controller.sh [--counts 200,2000] [--kinds inference,tuning] [--limits limited,unlimited] [--idle 5000] [--startup 5]
CPU and memory are the controller process's alone, from /proc. As in the recording: no webhook, no controller-manager, one namespace,
all Workspaces created at once by 8 threads, the cloud acts when all claims are there, without the model benchmark.
"""
import argparse
import concurrent.futures
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/cluster"))
import golden
import play
import scenario
import writes as audit
from cluster import Cluster, Skip
from controller import Controller
from mirror import Mirror

# Upstream v0.12.0's workspace controller (Go 1.26.8, stripped) on 2 cores and 24 GiB, kube-apiserver v1.34.3, 200 Workspaces;
# the machine was shared, so wall times are upper bounds and those "unlimited" were not fit to quote. Writes: audit log of one Workspace.
UPSTREAM = {
    ("inference", "limited"): {"cpu": 5.4, "claims_wall": 27.2, "workloads_wall": 54.5, "ready_wall": 55.6, "delete_wall": 21.6, "rss_full": 80},
    ("tuning", "limited"): {"cpu": 4.5, "claims_wall": 28.2, "workloads_wall": 14.8, "ready_wall": 14.1, "delete_wall": 7.2, "rss_full": 82},
    ("inference", "unlimited"): {"cpu": 4.3, "rss_full": 81},
    ("tuning", "unlimited"): {"cpu": 3.7, "ready_wall": 3.1, "delete_wall": 3.6, "rss_full": 82},
}
UPSTREAM_REST = {"rss_rest": 55, "writes_inference": 19, "writes_tuning": 25, "startup_ms": 490, "steady_cpu": 0.20}
LIMITS = {"limited": ["--kube-client-qps=30", "--kube-client-burst=50"], "unlimited": ["--kube-client-qps=2000", "--kube-client-burst=2000"]}
NAMESPACE = "bench"
WAIT_S = 900


class Bench:
    def __init__(self, cluster, mirror, count, kind, limits):
        self.cluster, self.mirror, self.count, self.kind = cluster, mirror, count, kind
        self.cloud = play.Cloud(cluster)
        self.limits = limits
        self.pool = concurrent.futures.ThreadPoolExecutor(8)
        self.figures = {}

    def new_controller(self, name="controller"):
        return Controller(self.cluster, name=name, extra=LIMITS[self.limits] + ["--zap-log-level=error"])

    def each(self, action, items):
        list(self.pool.map(action, items))

    def until(self, what, condition):
        if not self.mirror.until(condition, WAIT_S):
            raise RuntimeError(f"{what}: not within {WAIT_S} s")

    def phase(self, name, controller, action, condition):
        begin, cpu = time.monotonic(), controller.cpu_s()
        action()
        acted = time.monotonic() - begin
        self.until(name, condition)
        self.figures[name + "_wall"] = time.monotonic() - begin
        self.figures[name + "_ours_wall"] = acted
        time.sleep(1)
        self.figures[name + "_cpu"] = controller.cpu_s() - cpu

    def items(self, kind):
        return [o for o in self.mirror.of(NAMESPACE) if o["kind"] == kind]

    def create(self):
        bodies = [scenario.workspace(f"ws-{i:04d}", self.kind, benchmark=False) for i in range(self.count)]
        self.each(lambda body: self.cluster.admin.create("Workspace", body, NAMESPACE), bodies)

    def serve(self):
        self.each(lambda c: self.cloud.serve_claim(c), self.items("NodeClaim"))

    def work(self):
        if self.kind == "inference":
            self.each(self.cloud.ready_statefulset, self.items("StatefulSet"))
        else:
            self.each(self.cloud.complete_job, self.items("Job"))

    def delete(self):
        self.each(lambda i: self.cluster.admin.delete("Workspace", NAMESPACE, f"ws-{i:04d}"), range(self.count))

    def whole_life(self):
        f, workload, goals = self.figures, "StatefulSet" if self.kind == "inference" else "Job", scenario.GOALS[self.kind]
        self.cluster.namespace(NAMESPACE)
        self.cluster.admin.create("Secret", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "regcred"}}, NAMESPACE)
        start = self.cluster.audit_events()[1] if self.cluster.audit else 0
        with self.new_controller() as c:
            time.sleep(2)
            f["anon_rest"], f["rss_rest"], cpu = c.memory_kb(), c.memory_kb("VmRSS"), c.cpu_s()
            count = lambda kind: self.mirror.count(kind) >= self.count
            self.phase("claims", c, self.create, lambda: count("NodeClaim"))
            self.phase("workloads", c, self.serve, lambda: count(workload))
            self.phase("ready", c, self.work, lambda: self.mirror.count("Workspace", lambda o: o.get("status", {}).get("state") in goals) >= self.count)
            f["anon_full"], f["rss_full"], before = c.memory_kb(), c.memory_kb("VmRSS"), c.cpu_s()
            time.sleep(10)
            f["steady_cpu"] = c.cpu_s() - before
            if self.cluster.audit:
                self.count_writes(start)
            f["paused_cpu"] = c.cpu_s() - cpu
            stopped = c.cpu_s()
            status = c.stop()
            if status != 0:
                raise RuntimeError(f"left with status {status}: {c.tail()}")
        self.resync()
        with self.new_controller("controller-2") as c:
            time.sleep(2)
            before = c.cpu_s()
            self.phase("delete", c, self.delete, lambda: self.mirror.count("Workspace") == 0)
            f["cpu"] = f["paused_cpu"] + c.cpu_s() - before
            f["peak"] = c.memory_kb("VmHWM")
        for kind in ("StatefulSet", "Job"):  # no garbage collector here
            self.each(lambda o, kind=kind: self.cluster.admin.delete(kind, NAMESPACE, o["metadata"]["name"], now=True), self.items(kind))
        self.each(self.cloud.reap_claim, [o for o in self.items("NodeClaim")])
        return f

    def count_writes(self, start):
        made = [w for w in audit.writes(self.cluster.audit_events(start)[0]) if w.code < 400]
        self.figures["writes"] = len(made) / self.count
        self.figures["noops"] = sum(w.noop for w in made)
        self.figures["by_verb"] = {k: round(v / self.count, 2) for k, v in audit.by_verb(made).most_common()}

    def resync(self):
        """A restart with everything settled: it reads, and writes nothing."""
        start = self.cluster.audit_events()[1] if self.cluster.audit else 0
        with self.new_controller("controller-resync") as c:
            time.sleep(4 + self.count / 500)
            self.figures["resync_cpu"] = c.cpu_s()
        if self.cluster.audit:
            self.figures["resync_writes"] = len(audit.writes(self.cluster.audit_events(start)[0]))


def startup(cluster, mirror, runs):
    """Milliseconds from exec to the first NodeClaim of a Workspace that was waiting."""
    times = []
    cluster.namespace("startup")
    for i in range(runs):
        name = f"s{i}"
        cluster.admin.create("Workspace", scenario.workspace(name, "inference"), "startup")
        time.sleep(0.3)
        seen = []

        def watch():
            version = cluster.admin.must("GET", "/apis/karpenter.sh/v1/nodeclaims")["metadata"]["resourceVersion"]
            ready.append(True)
            for event, item in cluster.admin.watch("NodeClaim", version=version, seconds=60):
                if event == "ADDED":
                    seen.append(time.monotonic())
                    return
        ready = []
        future = concurrent.futures.ThreadPoolExecutor(1).submit(watch)
        while not ready:
            time.sleep(0.01)
        time.sleep(0.1)
        controller = Controller(cluster, name=f"startup-{i}").start(wait=False)
        begin = controller.started
        future.result()
        if not seen:
            raise RuntimeError("no NodeClaim within 60 s: " + controller.tail(5))
        times.append((seen[0] - begin) * 1000)
        cluster.admin.delete("Workspace", "startup", name)
        mirror.until(lambda: not mirror.get("Workspace", "startup", name), 120)
        controller.stop()
    return times


def idle(cluster, mirror, count):
    """Share of a core that `count` Workspaces take that have reached Ready and are left alone."""
    cluster.namespace("idle")
    cloud = play.Cloud(cluster)
    pool = concurrent.futures.ThreadPoolExecutor(8)
    with play.Loop(cloud, workloads=True), Controller(cluster, extra=LIMITS["unlimited"] + ["--zap-log-level=error"]) as c:
        for at in range(0, count, 500):  # in portions, as the scripted cloud is the slow part
            list(pool.map(lambda i: cluster.admin.create("Workspace", scenario.workspace(f"idle-{i:05d}", "inference", benchmark=False), "idle"),
                          range(at, min(at + 500, count))))
            if not mirror.until(lambda: mirror.count("Workspace", lambda o: o.get("status", {}).get("state") == "Ready") >= min(at + 500, count), WAIT_S):
                raise RuntimeError("the idle Workspaces did not get Ready: " + c.tail(5))
        time.sleep(5)
        before = c.cpu_s()
        time.sleep(30)
        share = (c.cpu_s() - before) / 30 * 100
        return share, c.memory_kb(), c.memory_kb("VmRSS")


def table(rows):
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("| " + " | ".join(str(cell).ljust(width) for cell, width in zip(row, widths)) + " |")
        if row is rows[0]:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def number(value, digits=1):
    return "" if value is None else f"{value:.{digits}f}"


def print_run(count, kind, limits, f):
    up = UPSTREAM.get((kind, limits), {}) if count == 200 else {}
    rest = UPSTREAM_REST
    rows = [[f"{count} {kind}, {limits}", "kaito", "upstream"],
            ["CPU of the whole life, s", number(f["cpu"], 2), number(up.get("cpu"))],
            ["CPU for one Workspace, ms", number(f["cpu"] / count * 1000, 2), number(up["cpu"] / 200 * 1000 if up else None)],
            ["create to NodeClaims, wall s", number(f["claims_wall"]), number(up.get("claims_wall"))],
            ["nodes to workloads, wall s", number(f["workloads_wall"]), number(up.get("workloads_wall"))],
            ["workloads to Ready, wall s", number(f["ready_wall"]), number(up.get("ready_wall"))],
            ["deletion, wall s", number(f["delete_wall"]), number(up.get("delete_wall"))],
            ["anonymous at rest / with all, MB", f"{f['anon_rest'] / 1024:.2f} / {f['anon_full'] / 1024:.2f}", ""],
            ["resident at rest / with all, MB", f"{f['rss_rest'] / 1024:.1f} / {f['rss_full'] / 1024:.1f}", f"{rest['rss_rest']} / {up.get('rss_full', '')}"],
            ["CPU in 10 s with all settled, s", number(f["steady_cpu"], 2), number(rest["steady_cpu"] if up else None, 2)]]
    if "writes" in f:
        rows += [["writes per Workspace to its goal", number(f["writes"], 2), rest["writes_" + kind]],
                 ["of them without effect", f["noops"], "at least 4" if kind == "inference" else "at least 9"],
                 ["writes of a restart with all settled", f["resync_writes"], ""]]
    rows.append(["CPU of a restart with all settled, s", number(f["resync_cpu"], 2), ""])
    table(rows)
    if "by_verb" in f:
        print("writes per Workspace: " + ", ".join(f"{k} {v}" for k, v in f["by_verb"].items()))
    print(flush=True)


# What the project promises (per 200 Workspaces): figure, highest value.
PROMISES = (("cpu", 1.2), ("anon_rest", 4096), ("anon_full", 10240), ("noops", 0), ("resync_writes", 0))
WRITES = {"inference": 10.5, "tuning": 12.5}  # 10 and 12; on a slow machine some passes fall between the Node's and its claim's readiness
STARTUP_MS = 50
SHARED = 4  # times take so much longer on a slow and shared machine: what --check allows; it is there to find regressions


def broken_promises(count, kind, f):
    promises = tuple((name, limit * SHARED if name == "cpu" else limit) for name, limit in PROMISES) + (("writes", WRITES[kind]),)
    return [f"{count} {kind}: {name} is {f[name]:.2f}, promised is at most {limit}" for name, limit in promises if name in f and f[name] > limit] if count == 200 else []


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", default="200")
    parser.add_argument("--kinds", default="inference,tuning")
    parser.add_argument("--limits", default="limited,unlimited")
    parser.add_argument("--idle", type=int, default=0)
    parser.add_argument("--startup", type=int, default=5)
    parser.add_argument("--check", action="store_true", help="fail when a promised figure is not reached")
    options = parser.parse_args(argv)
    broken = []
    if options.startup:
        with Cluster(managers=False, audit=False) as cluster, Mirror(cluster.admin) as mirror:
            golden.release_objects(cluster)
            times = startup(cluster, mirror, options.startup)
            print(f"exec to first NodeClaim, ms: median {statistics.median(times):.0f} of {[round(t) for t in times]} (upstream {UPSTREAM_REST['startup_ms']})\n", flush=True)
            if min(times) > STARTUP_MS * SHARED:  # others on the machine only add to it
                broken.append(f"exec to first NodeClaim is {min(times):.0f} ms at best, promised are {STARTUP_MS} on an idle machine")
    for count in map(int, filter(None, options.counts.split(","))):
        for kind in options.kinds.split(","):
            for limits in options.limits.split(","):
                with Cluster(managers=False, audit=count <= 200) as cluster, Mirror(cluster.admin) as mirror:
                    golden.release_objects(cluster)
                    figures = Bench(cluster, mirror, count, kind, limits).whole_life()
                    print_run(count, kind, limits, figures)
                    broken += broken_promises(count, kind, figures)
    if options.idle:
        with Cluster(managers=False, audit=False) as cluster, Mirror(cluster.admin) as mirror:
            golden.release_objects(cluster)
            share, anon, rss = idle(cluster, mirror, options.idle)
            print(f"{options.idle} idle Workspaces: {share:.2f} % of a core over 30 s, {anon / 1024:.1f} MB anonymous, {rss / 1024:.1f} MB resident")
            if share >= 1:
                broken.append(f"{options.idle} idle Workspaces take {share:.2f} % of a core, promised is less than 1")
    if options.check and broken:
        print("\n".join("FAIL " + line for line in broken))
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Skip as reason:
        print(f"skip: {reason}")
        sys.exit(77)

"""`kaito provisioner` on a real API server and a simulated cloud: how much later than the cloud itself a claim is Ready, calls to ARM for
a node, CPU and memory; and what thousands of idle claims cost.

Usage: bench/provisioner.sh [--counts 1,100,1000] [--clouds 0,180] [--quick] [--idle 5000] [--check]
A cloud is named by the seconds a pool takes. Ready after: from the claim's creation (asked for by this program) to Ready (seen by its
watch). Added is what of it is not the cloud's own time, which is from the arrival of the PUT at the simulator to the Ready Node, after
the wait for ARM's budget of writes (200 at once, then 10 a second). Claims are created at once by 8 threads. Deletions past the service's burst of 60 go at one a second by its budget,
so at most --deletions are measured. CPU and memory are the provisioner's alone, from /proc.
"""
import argparse
import concurrent.futures
import pathlib
import statistics
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/cluster"))
import api
import azure
import claims
from cluster import Cluster, Skip
from azure import Provisioner, Simulator

FLAGS = ["--log-level=error"]
# gpu-provisioner v0.4.3 (Go 1.26.8) on the same machine against the same simulator (HTTPS, port 443, its identity from /msi/token), on
# 2 cores shared with others: it asks a running operation every 30 s, so its added latency is what is left to the next full half minute.
ORIGINAL = {  # (claims, seconds of the cloud): as in print_row
    (1, 2): {"p50": 28.06, "calls": 11.0, "over": 0, "rss": 55},
    (100, 0): {"p50": 1.70, "calls": 8.0, "over": 256, "cpu_ms": 15.8, "rss": 72},
    (100, 20): {"p50": 10.20, "calls": 9.0, "over": 213, "cpu_ms": 18.1, "rss": 71},
}
PRODUCTION = ("--kube-client-qps=1000", "--kube-client-burst=2000")  # the API server is not what is measured; all else as it comes
JOIN_S = 0
WRITES_BURST, WRITES_PER_S = 200, 10  # ARM's, for one principal in one subscription and region


class Watch:
    """When claims became Ready and when they went, by one watch."""

    def __init__(self, client):
        self.client, self.ready, self.gone, self.joined, self.changed = client, {}, {}, {}, threading.Condition()
        self.version = client.must("GET", api.path("NodeClaim"))["metadata"]["resourceVersion"]
        self.connections, self.stopping = [], False
        threading.Thread(target=self.follow, daemon=True).start()
        threading.Thread(target=self.follow_nodes, daemon=True).start()

    def follow_nodes(self):
        version = self.client.must("GET", api.path("Node"))["metadata"]["resourceVersion"]
        while not self.stopping:
            for _, node in self.client.watch("Node", version=version, stop=self.connections, seconds=3000):
                at, version = time.monotonic(), node["metadata"]["resourceVersion"]
                if any(c["type"] == "Ready" and c["status"] == "True" for c in (node.get("status") or {}).get("conditions", [])):
                    self.note(self.joined, node["metadata"]["labels"].get("agentpool", ""), at)

    def follow(self):
        while not self.stopping:
            for event, claim in self.client.watch("NodeClaim", version=self.version, stop=self.connections, seconds=3000):
                at, name = time.monotonic(), claim["metadata"]["name"]
                self.version = claim["metadata"]["resourceVersion"]
                if event == "DELETED":
                    self.note(self.gone, name, at)
                elif any(c["type"] == "Ready" and c["status"] == "True" for c in (claim.get("status") or {}).get("conditions", [])):
                    self.note(self.ready, name, at)

    def note(self, where, name, at):
        with self.changed:
            where.setdefault(name, at)
            self.changed.notify_all()

    def wait(self, where, names, seconds):
        end = time.monotonic() + seconds
        with self.changed:
            while not all(n in where for n in names):
                left = end - time.monotonic()
                if left <= 0:
                    missing = [n for n in names if n not in where]
                    raise RuntimeError(f"{len(missing)} of {len(names)} not within {seconds} s: {missing[:5]}")
                self.changed.wait(min(left, 1))

    def stop(self):
        self.stopping = True
        for connection in self.connections:
            try:
                connection.sock.close()
            except (OSError, AttributeError):
                pass


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def arm_calls(simulator):
    """Calls to ARM by class, tokens left out."""
    counted = simulator.state()["calls"]["by_class"]
    return {k: v for k, v in counted.items() if v and "token" not in k.lower() and "control" not in k.lower()}


def overruns(simulator):
    return sum(row["overruns"] for row in simulator.state()["budget"].values())


def added_seconds(names, asked, watch, simulator):
    """What comes on top of the cloud's own time, which is from the arrival of the PUT to the Node that is Ready."""
    put = {}
    for call in simulator.ask("GET", "calls")["calls"]:
        if call["method"] == "PUT" and call.get("pool"):
            put.setdefault(call["pool"], (call["at_ms"] - call["took_us"] / 1000) / 1000)
    begin = min(asked.values())
    floor = {}  # before this ARM's budget of writes lets no further PUT through
    for place, name in enumerate(sorted(names, key=put.get)):
        floor[name] = begin + max(0, place - WRITES_BURST) / WRITES_PER_S
    return [watch.ready[n] - max(asked[n], floor[n]) - max(0, watch.joined[n] - put[n]) for n in names]


def life(count, cloud_s, deletions):
    """The figures of one table row."""
    f = {"count": count, "cloud": cloud_s}
    with Cluster(managers=False, audit=False, provisioner=True) as cluster, \
            Simulator(cluster, create_time=f"{cloud_s}s", join_time=f"{JOIN_S}s", max_pools=count + 100) as simulator, \
            Provisioner(cluster, simulator, fast=PRODUCTION, extra=FLAGS) as provisioner:
        watch = Watch(cluster.admin)
        pool = concurrent.futures.ThreadPoolExecutor(8)
        names = [f"b{i:05d}" for i in range(count)]
        time.sleep(1)
        f["anon_rest"], f["rss_rest"], cpu = provisioner.memory_kb(), provisioner.memory_kb("VmRSS"), provisioner.cpu_s()
        asked = {}

        def create(name):
            asked[name] = time.monotonic()
            cluster.admin.must("POST", api.path("NodeClaim"), claims.body_of(name))
        begin = time.monotonic()
        list(pool.map(create, names))
        f["asked_wall"] = time.monotonic() - begin
        watch.wait(watch.ready, names, cloud_s + 120 + count)
        f["ready_wall"] = max(watch.ready[n] for n in names) - begin
        added = added_seconds(names, asked, watch, simulator)
        f["total"] = statistics.median(watch.ready[n] - asked[n] for n in names)
        f["p50"], f["p99"], f["max"] = statistics.median(added), percentile(added, 0.99), max(added)
        f["create_cpu"] = provisioner.cpu_s() - cpu
        f["anon"], f["rss"] = provisioner.memory_kb(), provisioner.memory_kb("VmRSS")
        f["create_calls"] = arm_calls(simulator)
        going = names[:deletions]
        begin, cpu = time.monotonic(), provisioner.cpu_s()
        list(pool.map(lambda n: cluster.admin.delete("NodeClaim", None, n), going))
        watch.wait(watch.gone, going, 120 + 2 * len(going))
        f["delete_wall"] = max(watch.gone[n] for n in going) - begin
        f["delete_cpu"] = provisioner.cpu_s() - cpu
        both = arm_calls(simulator)
        f["delete_calls"] = {k: v - f["create_calls"].get(k, 0) for k, v in both.items() if v - f["create_calls"].get(k, 0)}
        f["calls"] = sum(f["create_calls"].values()) / count + sum(f["delete_calls"].values()) / len(going)
        f["deleted"] = len(going)
        f["overruns"] = overruns(simulator)
        watch.stop()
    return f


def idle(count, seconds):
    """Claims whose pools were made by the original: taken over, Ready, and then left alone."""
    with Cluster(managers=False, audit=False, provisioner=True) as cluster, Simulator(cluster, max_pools=count + 100) as simulator:
        simulator.ask("PUT", "settings", {"page_size": 500})  # a list of thousands is more than one answer may be
        pool = concurrent.futures.ThreadPoolExecutor(8)
        names = [f"i{i:05d}" for i in range(count)]

        def make(name):
            made = cluster.admin.must("POST", api.path("NodeClaim"), claims.body_of(name))
            simulator.foreign_pool(name, {
                "count": 1, "vmSize": claims.MACHINE_TYPE, "osType": "Linux", "osSKU": "Ubuntu", "osDiskSizeGB": 120, "type": "VirtualMachineScaleSets", "mode": "User",
                "nodeTaints": ["sku=gpu:NoSchedule"], "nodeLabels": {
                    "karpenter.sh/nodepool": "kaito", "kaito.sh/workspace": "ws", "kaito.sh/workspacenamespace": "default", "kaito.sh/machine-type": "gpu",
                    "kaito.sh/creation-timestamp": made["metadata"]["creationTimestamp"].replace(":", "-")}})
        list(pool.map(make, names))
        end = time.monotonic() + 300
        while len(cluster.admin.items("Node")) < count and time.monotonic() < end:
            time.sleep(2)
        watch = Watch(cluster.admin)
        begin = time.monotonic()
        with Provisioner(cluster, simulator, fast=PRODUCTION, extra=FLAGS) as provisioner:
            watch.wait(watch.ready, names, 600)
            adopted, adopt_cpu = time.monotonic() - begin, provisioner.cpu_s()
            figures = {"adopted": adopted, "adopt_cpu": adopt_cpu, "peak": provisioner.memory_kb("VmHWM"),
                       "puts": sum(v for k, v in arm_calls(simulator).items() if "put" in k.lower())}
            provisioner.stop()
        begin = time.monotonic()
        with Provisioner(cluster, simulator, fast=PRODUCTION, extra=FLAGS, name="provisioner-again") as provisioner:
            time.sleep(4 + count / 1000)
            figures["restart_cpu"] = provisioner.cpu_s()
            time.sleep(10)
            before = provisioner.cpu_s()
            time.sleep(seconds)
            figures["share"] = (provisioner.cpu_s() - before) / seconds * 100
            figures["anon"], figures["rss"] = provisioner.memory_kb(), provisioner.memory_kb("VmRSS")
        watch.stop()
    return figures


def print_row(f, head=False):
    columns = (("claims", f"{f['count']}"), ("cloud s", f"{f['cloud']}"), ("Ready after p50 s", f"{f['total']:.2f}"), ("added p50 s", f"{f['p50']:.2f}"), ("p99 s", f"{f['p99']:.2f}"), ("all Ready s", f"{f['ready_wall']:.1f}"),
               ("ARM calls a node", f"{f['calls']:.2f}"), ("over budget", f"{f['overruns']}"), ("CPU a node ms", f"{f['create_cpu'] / f['count'] * 1000 + f['delete_cpu'] / f['deleted'] * 1000:.1f}"),
               ("CPU in all s", f"{f['create_cpu'] + f['delete_cpu']:.2f}"), ("deleted", f"{f['deleted']} in {f['delete_wall']:.1f} s"), ("anonymous MB", f"{f['anon_rest'] / 1024:.1f} / {f['anon'] / 1024:.1f}"),
               ("resident MB", f"{f['rss_rest'] / 1024:.1f} / {f['rss'] / 1024:.1f}"))
    if head:
        print("| " + " | ".join(k for k, _ in columns) + " |\n|" + "---|" * len(columns))
    print("| " + " | ".join(v for _, v in columns) + " |", flush=True)
    theirs = ORIGINAL.get((f["count"], f["cloud"]))
    if theirs:
        row = {"claims": "original", "Ready after p50 s": f"{theirs['p50'] + f['cloud']:.2f}", "ARM calls a node": f"{theirs['calls']:.2f}", "over budget": str(theirs["over"]),
               "CPU a node ms": f"{theirs['cpu_ms']:.1f}" if "cpu_ms" in theirs else "", "resident MB": f"{theirs['rss']}"}
        print("| " + " | ".join(row.get(k, "") for k, _ in columns) + " |", flush=True)


# What the project promises. Where a check runs, on slow and shared machines, added latency may be SHARED times as much, and as much more as
# the API server took to take the claims: that is the machine's speed, not ours.
ADDED_P50_S, CALLS, IDLE_SHARE, IDLE_MB, SHARED = 1.0, 6, 1.0, 40, 3


def broken_promises(f, slack):
    said = []
    where = f"{f['count']} claims, cloud of {f['cloud']} s"
    if f["p50"] > ADDED_P50_S * slack + (f["asked_wall"] if slack > 1 else 0):
        said.append(f"{where}: {f['p50']:.2f} s are added at the median, promised are {ADDED_P50_S}")
    if f["count"] >= 100 and f["calls"] > CALLS:
        said.append(f"{where}: {f['calls']:.1f} calls to ARM a node, promised are {CALLS}: {f['create_calls']} {f['delete_calls']}")
    if f["overruns"]:
        said.append(f"{where}: {f['overruns']} requests above the service's budget")
    return said


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", default="1,100,1000")
    parser.add_argument("--clouds", default="0,20,180", help="seconds that a pool takes")
    parser.add_argument("--quick", action="store_true", help="1 and 100 claims, clouds of 0 and 20 s")
    parser.add_argument("--deletions", type=int, default=100)
    parser.add_argument("--idle", type=int, default=0)
    parser.add_argument("--idle-seconds", type=int, default=120, help="a whole round of the garbage collections by default")
    parser.add_argument("--check", action="store_true", help="fail when a promised figure is not reached, times with slack")
    options = parser.parse_args(argv)
    if options.quick:
        options.counts, options.clouds = "1,100", "0,20"
    azure.need_commands("simulate azure", "provisioner")
    broken, slack, head = [], SHARED if options.check else 1, True
    for cloud_s in map(int, filter(None, options.clouds.split(","))):
        for count in map(int, filter(None, options.counts.split(","))):
            figures = life(count, cloud_s, min(count, options.deletions))
            print_row(figures, head)
            head = False
            broken += broken_promises(figures, slack)
    if options.idle:
        f = idle(options.idle, options.idle_seconds)
        print(f"{options.idle} idle claims: {f['share']:.2f} % of a core over {options.idle_seconds} s, {f['anon'] / 1024:.1f} MB anonymous, {f['rss'] / 1024:.1f} MB resident; "
              f"CPU of the start {f['restart_cpu']:.2f} s; before, taken over in {f['adopted']:.1f} s with {f['adopt_cpu']:.1f} s of CPU, {f['puts']} PUTs, {f['peak'] / 1024:.1f} MB at most", flush=True)
        if f["share"] >= IDLE_SHARE * slack:
            broken.append(f"{options.idle} idle claims take {f['share']:.2f} % of a core, promised is less than {IDLE_SHARE}")
        if f["anon"] / 1024 > IDLE_MB:
            broken.append(f"{options.idle} idle claims take {f['anon'] / 1024:.1f} MB, promised are {IDLE_MB}")
    for line in broken:
        print("FAIL " + line)
    return 1 if options.check and broken else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Skip as reason:
        print(f"skip: {reason}")
        sys.exit(77)

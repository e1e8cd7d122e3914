"""Two replicas and an API server that goes away: nothing is lost, nothing is done twice.

Usage: leader.py [--count N]
  1. the leader is killed while Workspaces are being made: the other takes over when the lease ends;
  2. the leader is stopped (SIGSTOP) past its lease and continued: it leaves, and wrote nothing meanwhile;
  3. the leader is asked to leave (SIGTERM): the lease is given back, the other follows within seconds;
  4. the API server restarts while Workspaces are being made.
"""
import argparse
import signal
import sys
import time

import golden
import scenario
from cluster import Cluster, Skip
from controller import Controller
from mirror import Mirror
from play import Kubelet

TAKE_OVER_S = 60  # 15 s of lease, and the work
FAST = ["--leader-elect=true", "--kube-client-qps=200", "--kube-client-burst=400"]


def holder(cluster):
    for lease in cluster.admin.items("Lease", "kaito-workspace"):
        if lease["metadata"]["name"].endswith(".io"):
            return lease["spec"].get("holderIdentity", "")
    return ""


class Pair:
    """Two replicas; which of them leads is read from the order in which they were started and ended."""

    def __init__(self, cluster):
        self.cluster, self.number = cluster, 0
        self.leader = self.replica()
        cluster.wait("the lease", lambda: holder(cluster), 30)
        self.follower = self.replica()

    def replica(self):
        self.number += 1
        return Controller(self.cluster, name=f"replica-{self.number}", extra=FAST).start()

    def swap(self):
        """The follower leads now; a new follower joins."""
        self.leader, self.follower = self.follower, self.replica()

    def stop(self):
        self.leader.stop()
        self.follower.stop()


def life_of(cluster, mirror, loop, namespace, count):
    names = {f"{kind[:3]}-{i}": kind for i in range(count) for kind in ("inference", "tuning")}
    return scenario.Life(cluster, mirror, loop, namespace, names)


def check_claims(life):
    wrong = {k: v for k, v in life.claims().items() if v != 1}
    if wrong or len(life.claims()) != len(life.kinds):
        raise RuntimeError(f"claims by Workspace, one each expected: {life.claims()}")


def finish(life, seconds=TAKE_OVER_S):
    life.wait_reached(seconds)
    check_claims(life)
    life.delete()
    life.wait_gone(seconds)
    check_claims(life)
    life.clean()


def killed(cluster, mirror, loop, count, pair):
    life = life_of(cluster, mirror, loop, "killed", count)
    before = holder(cluster)
    life.create()
    time.sleep(0.15)  # in the middle of it
    pair.leader.stop(signal.SIGKILL)
    begin = time.monotonic()
    cluster.wait("another leader", lambda: holder(cluster) not in ("", before), 40)
    took = time.monotonic() - begin
    pair.swap()
    finish(life)
    return f"the other led after {took:.1f} s"


def stopped(cluster, mirror, loop, count, pair):
    life = life_of(cluster, mirror, loop, "stopped", count)
    before = holder(cluster)
    life.create()
    time.sleep(0.1)
    pair.leader.process.send_signal(signal.SIGSTOP)
    cluster.wait("another leader", lambda: holder(cluster) not in ("", before), 40)
    pair.leader.process.send_signal(signal.SIGCONT)
    try:
        status = pair.leader.process.wait(20)
    except Exception:
        raise RuntimeError("a leader that lost its lease must leave, it goes on") from None
    if status == 0:
        raise RuntimeError("a leader that lost its lease left with status 0")
    pair.leader.stop()
    pair.swap()
    finish(life)
    return f"the stopped one left with status {status}"


def asked(cluster, mirror, loop, count, pair):
    life = life_of(cluster, mirror, loop, "asked", count)
    before = holder(cluster)
    life.create()
    begin = time.monotonic()
    status = pair.leader.stop()
    cluster.wait("another leader", lambda: holder(cluster) not in ("", before), 20)
    took = time.monotonic() - begin
    if status != 0 or took > 8:
        raise RuntimeError(f"left with {status}, the other led after {took:.1f} s: the lease was not given back")
    pair.swap()
    finish(life)
    return f"the other led after {took:.1f} s"


def api_server(cluster, mirror, loop, count, pair):
    life = life_of(cluster, mirror, loop, "restarted", count)
    life.create()
    time.sleep(0.1)
    cluster.restart_apiserver(1.0)
    finish(life, 90)
    for replica in (pair.leader, pair.follower):
        if replica.process.poll() is not None:
            raise RuntimeError("a replica left because of a restart of 2 s: " + replica.tail(5))
    return "both replicas went on"


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=6, help="Workspaces of each kind")
    options = parser.parse_args(argv)
    bad = 0
    with Cluster(audit=False) as cluster:
        kubelet = Kubelet(cluster)
        golden.release_objects(cluster)
        with Mirror(cluster.admin) as mirror, scenario.cloud_loop(cluster) as loop:
            pair = Pair(cluster)
            for what in (asked, killed, stopped, api_server):
                try:
                    print(f"ok   {what.__name__}: {what(cluster, mirror, loop, options.count, pair)}", flush=True)
                except RuntimeError as error:
                    bad += 1
                    print(f"FAIL {what.__name__}: {error}\n{pair.leader.tail(5)}", flush=True)
                    break  # the roles of the pair are unknown now
            pair.stop()
        kubelet.close()
    return 1 if bad else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Skip as reason:
        print(f"skip: {reason}")
        sys.exit(77)

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

TAKE_OVER_S = 240  # 15 s of lease, and the work
GIVEN_BACK_S = 12  # who waits for a lease that was not given back waits for 15 s from when it saw the last renewal, at most 3 s old
RENEW_S = 10       # a leader that could not renew for so long has to leave
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
        cluster.wait("the lease", lambda: holder(cluster), TAKE_OVER_S)
        self.follower = self.replica()

    def replica(self):
        self.number += 1
        return Controller(self.cluster, name=f"replica-{self.number}", extra=FAST).start()

    def join_again(self):
        """As the kubelet does it: replicas that left are started again."""
        for replica in (self.leader, self.follower):
            if replica.process.poll() is not None:
                replica.start()

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
    cluster.wait("another leader", lambda: holder(cluster) not in ("", before), TAKE_OVER_S)
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
    cluster.wait("another leader", lambda: holder(cluster) not in ("", before), TAKE_OVER_S)
    pair.leader.process.send_signal(signal.SIGCONT)
    try:
        status = pair.leader.process.wait(60)
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
    status = pair.leader.stop()
    begin = time.monotonic()
    given_back = holder(cluster) != before
    cluster.wait("another leader", lambda: holder(cluster) not in ("", before), TAKE_OVER_S)
    took = time.monotonic() - begin
    if status != 0 or not given_back or took > GIVEN_BACK_S:
        raise RuntimeError(f"left with {status}, the lease was {'' if given_back else 'not '}given back, the other led after {took:.1f} s")
    pair.swap()
    finish(life)
    return f"the other led after {took:.1f} s"


def api_server(cluster, mirror, loop, count, pair):
    life = life_of(cluster, mirror, loop, "restarted", count)
    life.create()
    time.sleep(0.1)
    begin = time.monotonic()
    cluster.restart_apiserver(1.0)
    away = time.monotonic() - begin
    time.sleep(RENEW_S)  # who wants to leave does it now
    left = [replica for replica in (pair.leader, pair.follower) if replica.process.poll() is not None]
    if left and (away < RENEW_S - 6 or left != [pair.leader]):  # the renewals before and after it: 2 s each, more on a busy machine
        raise RuntimeError(f"a replica left because the API server was away for {away:.1f} s: " + left[-1].tail(5))
    pair.join_again()
    finish(life)
    return f"the API server was away for {away:.1f} s, " + ("the leader left and another followed" if left else "both replicas went on")


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

"""The controller killed after each of its writes in turn, once before it has the answer and once after, then started again: the
final state equals the undisturbed run's, and no node is asked for twice.

Usage: crash.py [--every N] [--kinds inference,tuning,set,change]
`change`: killed at the writes that a changed specification leads to, of a model that now needs two nodes and of a tuning whose Job is gone.
"""
import argparse
import signal
import sys
import threading
import time

import golden
import proxy
import scenario
from cluster import Cluster, Skip
from controller import Controller
from mirror import Mirror
from play import Kubelet

REACH_S, GONE_S = 180, 120
LIVES = {"inference": ({"ws": "inference"}, {}), "tuning": ({"ws": "tuning"}, {}), "set": ({}, {"set": 2}),
         "change": ({"ws": "inference", "again": "tuning"}, {})}
CLAIMS = {"change": {"ws": 2}}  # where it is not one for each Workspace
REVISION = "workspace.kaito.io/revision"


class Killer(proxy.Policy):
    """Ends the controller at write number `at`: with the answer still on the way ("before"), or delivered ("after")."""

    def __init__(self, at, moment):
        super().__init__()
        self.at, self.moment, self.controller, self.killed, self.first = at, moment, None, threading.Event(), at

    def kill(self):
        self.controller.process.send_signal(signal.SIGKILL)
        self.controller.process.wait()
        self.killed.set()

    def after(self, call, status, body):
        with self.lock:
            if call.write:
                self.writes.append((str(call), status))
            here = call.write and len(self.writes) == self.at
        if here and self.moment == "before":
            self.kill()
            raise proxy.Drop
        call.last = here
        return status, body

    def delivered(self, call, status):
        if getattr(call, "last", False):
            self.kill()


def revision(life, kind, name):
    return (life.mirror.get(kind, life.namespace, name) or {"metadata": {}})["metadata"].get("annotations", {}).get(REVISION)


def changed(life):
    """Both Workspaces are at their goals for the second revision."""
    serving = life.mirror.get("StatefulSet", life.namespace, "ws") or {}
    return (all(revision(life, *what) == "2" for what in (("Workspace", "ws"), ("Workspace", "again"), ("StatefulSet", "ws"), ("Job", "again"))) and
            serving["status"].get("readyReplicas") == serving["spec"]["replicas"] == 2 and life.reached())


def change(life):
    api, space = life.cluster.admin, life.namespace
    api.must("DELETE", f"/apis/batch/v1/namespaces/{space}/jobs/again?propagationPolicy=Background")
    if not life.mirror.until(lambda: not life.mirror.get("Job", space, "again"), REACH_S):
        raise RuntimeError("the Job does not go")
    api.merge("Workspace", space, "again", {"tuning": {"output": {"image": "registry.example.com/acme/a:2"}}})
    api.merge("Workspace", space, "ws", {"metadata": {"annotations": {"kaito.sh/node-count": "2"}},
                                         "inference": {"adapters": [{"source": {"name": "a", "image": "registry.example.com/a:1"}}]}})
    if not life.mirror.until(lambda: changed(life), REACH_S):
        raise RuntimeError(f"not at the second goal within {REACH_S} s: " + ", ".join(f"{k} {n} revision {revision(life, k, n)}" for k, n in (
            ("Workspace", "ws"), ("StatefulSet", "ws"), ("Workspace", "again"), ("Job", "again"))) + f", states {[life.state(n) for n in life.kinds]}")


def live(cluster, mirror, loop, kind, namespace, policy, expected=None):
    """One life; the controller is started again as soon as the policy has killed it."""
    names, sets = LIVES[kind]
    life = scenario.Life(cluster, mirror, loop, namespace, names, sets)
    with proxy.Proxy(cluster, policy) as between:
        controller = Controller(cluster, kubeconfig=cluster.kubeconfig("kaito", between.url), name="controller-" + namespace,
                                extra=["--kube-client-qps=500", "--kube-client-burst=1000"])
        policy.controller = controller
        over = threading.Event()

        def restart():
            while not over.is_set():
                if getattr(policy, "killed", None) is not None and policy.killed.wait(0.2) and not over.is_set():
                    controller.start(wait=False)
                    return
                time.sleep(0 if hasattr(policy, "killed") else 0.2)
        helper = threading.Thread(target=restart, daemon=True)
        try:
            controller.start()
            helper.start()
            life.create()
            life.wait_reached(REACH_S)
            if kind == "change":
                policy.first = policy.first or len(policy.writes) + 1
                change(life)
            at_goal = life.settle(expected and expected[0])
            claims = life.claims()
            life.delete()
            life.wait_gone(GONE_S)
            after = life.settle(expected and expected[1])
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{controller.tail(5)}") from None
        finally:
            over.set()
            helper.join(2)
            controller.stop(signal.SIGKILL)
            life.clean()
        wrong = {name: n for name, n in life.claims().items() if n != CLAIMS.get(kind, {}).get(name, 1)}
        if wrong or not claims:
            raise RuntimeError(f"claims by Workspace, one each expected, or {CLAIMS.get(kind)}: {life.claims()}")
    return at_goal, after


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1, help="only every Nth write")
    parser.add_argument("--kinds", default="inference,tuning,set")
    options = parser.parse_args(argv)
    bad = runs = 0
    begin = time.monotonic()
    with Cluster(audit=False) as cluster:
        kubelet = Kubelet(cluster)
        golden.release_objects(cluster)
        with Mirror(cluster.admin) as mirror, scenario.cloud_loop(cluster) as loop:
            for kind in options.kinds.split(","):
                calm = proxy.Policy()
                calm.first = 1 if kind != "change" else 0
                expected = live(cluster, mirror, loop, kind, f"calm-{kind}", calm)
                total = len(calm.writes)
                print(f"ok   {kind}, undisturbed: {total} writes", flush=True)
                for at in range(calm.first, total + 1, options.every):
                    for moment in ("before", "after"):
                        runs += 1
                        policy = Killer(at, moment)
                        where = f"{kind}: killed {moment} the answer to write {at}"
                        try:
                            at_goal, after = live(cluster, mirror, loop, kind, f"k{at}-{moment}-{kind}", policy, expected)
                            text = scenario.difference("at the goal", expected[0], at_goal) + scenario.difference("after deletion", expected[1], after)
                        except RuntimeError as error:
                            text = str(error)
                        if not policy.killed.is_set():
                            continue  # this life had fewer writes
                        if text:
                            bad += 1
                            print(f"FAIL {where} ({policy.writes[at - 1][0]})\n{text}", flush=True)
                print(f"-- {kind}: {total} writes, {time.monotonic() - begin:.0f} s so far", flush=True)
        kubelet.close()
    print(f"{runs} runs, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Skip as reason:
        print(f"skip: {reason}")
        sys.exit(77)

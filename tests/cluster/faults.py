"""A life through a proxy that spoils calls and watches: the final state equals the undisturbed one, and no node is asked for twice.

Usage: faults.py [--seeds 1,2,3] [--rate R] [--count N]
Inference and tuning Workspaces at once. Faults go on until all have reached their goal, and again through the deletion.
"""
import argparse
import sys

import golden
import proxy
import scenario
from cluster import Cluster, Skip
from controller import Controller
from mirror import Mirror
from play import Kubelet

REACH_S, GONE_S = 400, 240


def names(count):
    return {f"{kind[:3]}-{i}": kind for i in range(count) for kind in ("inference", "tuning")}


def once(cluster, mirror, loop, count, namespace, policy, expected=None):
    """(snapshot at the goal, snapshot after deletion, problems)."""
    problems = []
    with proxy.Proxy(cluster, policy) as between:
        with Controller(cluster, kubeconfig=cluster.kubeconfig("kaito", between.url), name=f"controller-{namespace}",
                        extra=["--kube-client-qps=200", "--kube-client-burst=400"]) as controller:
            life = scenario.Life(cluster, mirror, loop, namespace, names(count), {"set": 2})
            try:
                life.create()
                life.wait_reached(REACH_S)
                policy.calm = True
                at_goal = life.settle(expected and expected[0])
                policy.calm = False
                life.delete()
                life.wait_gone(GONE_S)
                policy.calm = True
                after = life.settle(expected and expected[1])
            except RuntimeError as error:
                return None, None, [str(error), controller.tail(6)]
            finally:
                policy.calm = True
                alive = controller.process.poll() is None
            if not alive:
                problems.append("the controller ended: " + controller.tail())
            wanted = {name: 1 for name in life.kinds}
            seen = life.claims()
            twice = {k: v for k, v in seen.items() if v != 1}
            if twice or len(seen) != len(wanted) + sum(life.sets.values()):
                problems.append(f"claims by Workspace, one each expected: {seen}")
            life.clean()
    return at_goal, after, problems


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--rate", type=float, default=1.0)
    parser.add_argument("--count", type=int, default=2)
    options = parser.parse_args(argv)
    bad = 0
    with Cluster(audit=False) as cluster:
        kubelet = Kubelet(cluster)
        golden.release_objects(cluster)
        with Mirror(cluster.admin) as mirror, scenario.cloud_loop(cluster) as loop:
            *expected, problems = once(cluster, mirror, loop, options.count, "undisturbed", proxy.Policy())
            if problems:
                print("FAIL undisturbed: " + "\n".join(problems))
                return 1
            print("ok   undisturbed", flush=True)
            for seed in options.seeds.split(","):
                policy = proxy.Faults(seed, options.rate)
                at_goal, after, problems = once(cluster, mirror, loop, options.count, f"seed-{seed}", policy, expected)
                if not problems:
                    problems = [t for t in (scenario.difference("at the goal", expected[0], at_goal), scenario.difference("after deletion", expected[1], after)) if t]
                counts = ", ".join(f"{n} {what}" for what, n in sorted(policy.counts.items()))
                bad += bool(problems)
                print(f"{'FAIL' if problems else 'ok  '} seed {seed}: {counts}", flush=True)
                for problem in problems:
                    print(problem, flush=True)
        kubelet.close()
    return 1 if bad else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Skip as reason:
        print(f"skip: {reason}")
        sys.exit(77)

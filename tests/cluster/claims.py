"""What the node provisioner's suites share: bodies of claims, a world of cluster, simulator and provisioner with one mirror of what
is in it, waiting for what should become of a claim, and the runner of cases.
"""
import argparse
import concurrent.futures
import sys
import time
import traceback

import api
import azure
from cluster import Cluster, Skip
from mirror import Mirror

MACHINE_TYPE = "Standard_NC24ads_A100_v4"
KINDS = ("NodeClaim", "Machine", "Node", "NodePool", "Pod")
PREFIX = {"NodeClaim": "", "Machine": "Machine"}
PATIENCE = 4  # every wait for what must happen is so many times as long as it takes at worst on an idle machine


def body_of(name, kind="NodeClaim", types=(MACHINE_TYPE,), storage="120Gi", workspace="ws", annotations=None, labels=None, more=None, requirements=()):
    """A claim as the Workspace controller makes it. more: further fields of the spec."""
    pool_label = {"karpenter.sh/nodepool": "kaito"} if kind == "NodeClaim" else {"karpenter.sh/provisioner-name": "default"}
    spec = {"requirements": [{"key": "node.kubernetes.io/instance-type", "operator": "In", "values": list(types)},
                             {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}, *requirements],
            "resources": {"requests": {"storage": storage}}, "taints": [{"key": "sku", "value": "gpu", "effect": "NoSchedule"}]}
    if kind == "NodeClaim":
        spec["nodeClassRef"] = {"group": "kaito.sh", "kind": "KaitoNodeClass", "name": "default"}
    else:
        spec["machineTemplateRef"] = {"name": "default"}
    spec.update(more or {})
    return {"apiVersion": "karpenter.sh/v1" if kind == "NodeClaim" else "karpenter.sh/v1alpha5", "kind": kind, "spec": spec, "metadata": {
        "name": name, "annotations": dict(annotations or {}),
        "labels": {"kaito.sh/workspace": workspace, "kaito.sh/workspacenamespace": "default", **pool_label, **(labels or {})}}}


class World:
    """One cluster with a simulator and, if asked, a provisioner. Times in seconds."""

    def __init__(self, cluster, simulator, mirror, kind="NodeClaim"):
        self.cluster, self.simulator, self.mirror, self.kind, self.provisioner = cluster, simulator, mirror, kind, None
        self.admin = cluster.admin
        self.told, self.gone = {}, {}  # by name: what conditions ever said, in order; by kind and name: the version of the end
        mirror.observers.append(self.note)

    def note(self, kind, item, gone):
        name = item["metadata"]["name"]
        if gone:
            self.gone[kind, name] = int(item["metadata"]["resourceVersion"])
        elif kind == self.kind:
            said = self.told.setdefault(name, [])
            for c in (item.get("status") or {}).get("conditions", []):
                entry = (c["type"].removeprefix(PREFIX[kind]), c["status"], c.get("reason", ""), c.get("message", ""))
                if entry != next((e for e in reversed(said) if e[0] == entry[0]), None):
                    said.append(entry)

    def told_of(self, name, kind):
        """(status, reason, message) of the condition from its first to its latest: what passes within a moment is among them."""
        return [entry[1:] for entry in list(self.told.get(name, ())) if entry[0] == kind]

    def wait_told(self, name, kind, status, reason, seconds=20):
        """The condition said so, whatever it says by now."""
        self.until(lambda: f"{name}: {kind} {status} {reason}: it said {self.told_of(name, kind)}",
                   lambda: any(told[:2] == (status, reason) for told in self.told_of(name, kind)), seconds)

    # --- claims ---
    def create(self, name, **more):
        made = self.admin.must("POST", api.path(self.kind), body_of(name, self.kind, **more))
        self.until(f"{name} is seen", lambda: name in self.told, 10)  # who waits for its end must not find that it has not begun
        return made

    def claim(self, name):
        return self.mirror.get(self.kind, None, name)

    def condition(self, name, kind):
        """Status, reason, message of a condition ("Launched", also of a Machine), or empty strings."""
        wanted = kind if kind == "Ready" else PREFIX[self.kind] + kind
        for c in ((self.claim(name) or {}).get("status") or {}).get("conditions", []):
            if c["type"] == wanted:
                return c["status"], c.get("reason", ""), c.get("message", "")
        return "", "", ""

    def until(self, what, condition, seconds=20):
        if not self.mirror.until(condition, seconds * PATIENCE):
            raise RuntimeError(f"not within {seconds * PATIENCE} s: {what() if callable(what) else what}")

    def wait_condition(self, name, kind, status="True", reason=None, seconds=20):
        def holds():
            is_status, is_reason, _ = self.condition(name, kind)
            return is_status == status and reason in (None, is_reason)
        self.until(lambda: f"{name}: {kind} {status} {reason or ''}: it is {self.condition(name, kind)}", holds, seconds)
        return self.condition(name, kind)

    def wait_ready(self, *names, seconds=20):
        self.until(lambda: "Ready: " + ", ".join(f"{n} {self.describe(n)}" for n in names if self.condition(n, "Ready")[0] != "True"),
                   lambda: all(self.condition(n, "Ready")[0] == "True" for n in names), seconds)

    def describe(self, name):
        claim = self.claim(name)
        if not claim:
            return "(no claim)"
        listed = [f"{c['type']}={c['status']}({c.get('reason', '')}: {c.get('message', '')[:160]})" for c in (claim.get("status") or {}).get("conditions", [])]
        return f"[{' '.join(listed)}]" + (" deleting" if claim["metadata"].get("deletionTimestamp") else "")

    def delete(self, *names):
        for name in names:
            self.admin.delete(self.kind, None, name)

    def node_of(self, name):
        claim = self.claim(name) or {}
        return (claim.get("status") or {}).get("nodeName", "")

    def pool_of(self, name):
        """The name of the claim's pool, by its Node; "" when it has none."""
        node = self.mirror.get("Node", None, self.node_of(name))
        return node["metadata"]["labels"].get("agentpool", "") if node else ""

    def left(self, *names):
        """What there still is of these claims: claims, Nodes, pools."""
        pools = self.simulator.pools()
        found = [f"{self.kind} {n}" for n in names if self.claim(n)] + [f"pool {n} ({state_of(pools[n])})" for n in names if n in pools]
        for node in self.nodes():
            if node["metadata"].get("labels", {}).get("agentpool") in names:
                found.append("Node " + node["metadata"]["name"])
        return found

    def wait_gone(self, *names, seconds=25):
        self.until(lambda: "gone: " + ", ".join(self.left(*names)) + " " + " ".join(self.describe(n) for n in names if self.claim(n)),
                   lambda: not any(self.claim(n) for n in names) and not self.left(*names), seconds)

    def nodes(self):
        return self.mirror.all("Node")

    def live(self, name, **more):
        """From creation to Ready."""
        self.create(name, **more)
        self.wait_ready(name)

    def puts(self, pool):
        return [c for c in self.simulator.calls() if c.what == "PUT" and c.pool == pool]

    def events(self, name):
        return [e for e in self.admin.items("Event", None) if e.get("involvedObject", {}).get("name") == name]


def state_of(pool):
    return pool["provisioningState"]


def expect(holds, what):
    if not holds:
        raise RuntimeError(what)


class Cases:
    """Runs cases, alone or side by side, and prints a line for each."""

    def __init__(self, only=""):
        self.only, self.bad, self.count = [o for o in only.split(",") if o], 0, 0

    def one(self, case, *args, name=None):
        name = name or case.__name__
        if self.only and not any(o in name for o in self.only):
            return
        begin = time.monotonic()
        try:
            said, ok = case(*args) or "", True
        except RuntimeError as error:
            said, ok = str(error), False
        except Exception:  # a case that breaks is a failed case, the others go on
            said, ok = traceback.format_exc(limit=4), False
        self.count += 1
        self.bad += not ok
        print(f"{'ok  ' if ok else 'FAIL'} {name.replace('_', ' ')}{': ' if said else ''}{said} ({time.monotonic() - begin:.1f} s)", flush=True)

    def together(self, cases, *args, workers=8):
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            for future in [pool.submit(self.one, case, *args) for case in cases]:
                future.result()

    def status(self):
        print(f"{self.count} cases, {self.bad} failed")
        return 1 if self.bad or not self.count else 0


def arguments(text, **more):
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("--only", default="", help="only cases whose name has one of these parts")
    for name, (default, said) in more.items():
        flag = "--" + name.replace("_", "-")
        if isinstance(default, bool):
            parser.add_argument(flag, action="store_true", help=said)
        else:
            parser.add_argument(flag, type=type(default), default=default, help=said)
    return parser


class Stage:
    """`with Stage(...) as world`: cluster, simulator, mirror; started in order and stopped in the reverse one."""

    def __init__(self, kind="NodeClaim", managers=False, audit=False, kinds=KINDS, keep=False, **simulator):
        azure.need_commands("simulate azure", "provisioner")
        self.cluster = Cluster(managers=managers, audit=audit, provisioner=True, keep=keep)
        self.kind, self.kinds, self.options = kind, kinds, simulator

    def __enter__(self):
        self.cluster.__enter__()
        try:
            self.simulator = azure.Simulator(self.cluster, **self.options).start()
            self.mirror = Mirror(self.cluster.admin, self.kinds).__enter__()
        except BaseException:
            self.cluster.stop()
            raise
        return World(self.cluster, self.simulator, self.mirror, self.kind)

    def __exit__(self, *_):
        self.mirror.__exit__()
        self.simulator.stop()
        self.cluster.stop()


def main_of(run, argv=None):
    """exit status of a suite: 77 when something it needs is not here."""
    try:
        return run(argv)
    except Skip as reason:
        print(f"skip: {reason}")
        return 77


def leave(run):
    sys.exit(main_of(run))

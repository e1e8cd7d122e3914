"""The provisioner killed at each step of making and giving back a node: before and after each of its writes to the API server, and
before and after each of its calls to ARM; started again, the claim gets exactly one pool, and its deletion leaves nothing.

Usage: provisioner_crash.py [--every N] [--only PART,...] [--kind NodeClaim|Machine]
"""
import signal
import sys
import threading
import time

import claims
import proxy
from azure import ArmPolicy, ArmProxy, Provisioner
from claims import Cases, Stage, expect

CREATE_MS, DELETE_MS, JOIN_MS = 400, 300, 200
LISTS = 3  # only so many of the calls that come by the clock are worth a kill
OURS = ["--instance-gc-age=2s"]


class Killer:
    """Ends the process once, at call number `at` of kind `what`."""

    def __init__(self):
        self.lock, self.provisioner, self.killed = threading.Lock(), None, threading.Event()
        self.what, self.at, self.moment, self.did = None, 0, "", False
        self.seen, self.order = {}, []

    def arm(self, what, at, moment):
        self.what, self.at, self.moment = what, at, moment

    def count(self, what):
        """How many of this kind there were, this one included."""
        with self.lock:
            self.seen[what] = self.seen.get(what, 0) + 1
            self.order.append((what, self.seen[what]))
            return self.seen[what]

    def here(self, what, number, moment):
        return (what, number, moment) == (self.what, self.at, self.moment) and not self.killed.is_set()

    def kill(self):
        self.provisioner.process.send_signal(signal.SIGKILL)
        self.provisioner.process.wait()
        self.did = True
        self.killed.set()


def kube_step(call):
    """"PATCH nodeclaims/status": what a write does, without names."""
    parts = call.bare.strip("/").split("/")
    parts = parts[3:] if parts[0] == "apis" else parts[2:]
    if parts and parts[0] == "namespaces":
        parts = parts[2:]
    return f"{call.method} {parts[0]}" + (f"/{parts[2]}" if len(parts) > 2 else "")


class KubePolicy(proxy.Policy):
    def __init__(self, killer):
        super().__init__()
        self.killer = killer

    def after(self, call, status, body):
        if call.write:
            call.step = kube_step(call)
            call.number = self.killer.count(call.step)
            if self.killer.here(call.step, call.number, "before the answer to"):
                self.killer.kill()
                raise proxy.Drop
        return status, body

    def delivered(self, call, status):
        if call.write and self.killer.here(getattr(call, "step", ""), getattr(call, "number", 0), "after"):
            self.killer.kill()


class CloudPolicy(ArmPolicy):
    def __init__(self, killer):
        super().__init__()
        self.killer = killer

    def before(self, call):
        call.step = "ARM " + call.what
        call.number = self.killer.count(call.step)
        if self.killer.here(call.step, call.number, "before"):
            self.killer.kill()
            raise proxy.Drop
        return None

    def after(self, call, status, body):
        if self.killer.here(call.step, call.number, "before the answer to"):
            self.killer.kill()
            raise proxy.Drop
        return super().after(call, status, body)

    def delivered(self, call, status):
        if self.killer.here(call.step, call.number, "after"):
            self.killer.kill()


MOMENTS = {"ARM": ("before", "before the answer to", "after"), "kube": ("before the answer to", "after")}


def check_calls(world, name):
    """One pool was ever made, and no PUT was sent while it was being made."""
    calls = [c for c in world.simulator.calls() if c.pool == name]
    accepted = [c for c in calls if c.what == "PUT" and c.accepted]
    puts = [str(c) for c in calls if c.what == "PUT"]
    expect(len(accepted) == 1, f"{len(accepted)} accepted PUTs: {puts}")
    later = [c for c in calls[calls.index(accepted[0]) + 1:] if c.what == "PUT"]
    expect(not later, f"a PUT after the one that was accepted: {puts}")
    expect(sum(c.what == "DELETE" and c.accepted for c in calls) <= 2, f"DELETEs: {[str(c) for c in calls if c.what == 'DELETE']}")


class Bench:
    """Proxies that stay, provisioners that come and go."""
    PROXY, PROVISIONER = ArmProxy, Provisioner
    FLAGS, check = OURS, staticmethod(check_calls)

    def __init__(self, world):
        self.world, self.number = world, 0

    def life(self, killer, abandon=False):
        """One claim from creation to nothing; abandon: deleted while it is being made."""
        self.number += 1
        name = f"crash{self.number}"
        world = self.world
        with proxy.Proxy(world.cluster, KubePolicy(killer)) as between, self.PROXY(world.simulator, CloudPolicy(killer)) as arm:
            provisioner = self.PROVISIONER(world.cluster, world.simulator, arm=arm, kubeconfig=world.cluster.kubeconfig("provisioner", between.url),
                                           extra=self.FLAGS, name=f"provisioner-{self.number}")
            over = threading.Event()

            def revive():
                if killer.killed.wait(60) and not over.is_set():
                    provisioner.start(wait=False)  # a kill is over when the process is: nothing of the old one writes any more
            helper = threading.Thread(target=revive, daemon=True)
            try:
                killer.provisioner = provisioner
                provisioner.start(wait=False)
                helper.start()
                world.create(name)
                if abandon:
                    world.until("an accepted PUT", lambda: any(c.accepted for c in world.puts(name)) or killer.killed.is_set(), 10)
                else:
                    world.wait_ready(name, seconds=20)
                world.delete(name)
                world.wait_gone(name, seconds=20)
                if not abandon:
                    self.check(world, name)
                status = provisioner.process.poll()
                expect(status is None or (killer.did and status == -signal.SIGKILL), f"it ended by itself with {status}")
            except RuntimeError as error:
                raise RuntimeError(f"{error}\n    steps: {killer.order[-12:]}\n{provisioner.tail(6)}") from None
            finally:
                over.set()
                killer.killed.set()
                helper.join(5)
                provisioner.stop(signal.SIGKILL)
                for left in world.left(name):
                    if left.startswith(world.kind):
                        world.admin.merge(world.kind, None, name, {"metadata": {"finalizers": None}})


def steps(order):
    """The steps of an undisturbed life that are worth a kill."""
    for what, number in order:
        timed = what in ("ARM LIST", "ARM OPERATION", "ARM TOKEN")
        if not timed or number <= LISTS:
            yield what, number


def main(argv=None):
    options = claims.arguments(__doc__, every=(1, "only every Nth step"), kind=("NodeClaim", "kind of claim")).parse_args(argv)
    cases = Cases(options.only)
    begin = time.monotonic()
    with Stage(kind=options.kind, create_time=f"{CREATE_MS}ms", delete_time=f"{DELETE_MS}ms", join_time=f"{JOIN_MS}ms", max_pools=1000) as world:
        bench = Bench(world)
        for abandon in (False, True):
            calm = Killer()
            kind = "deleted while being made" if abandon else "whole life"

            def undisturbed(calm=calm, abandon=abandon):
                bench.life(calm, abandon)
                return ", ".join(f"{sum(w == what for w, _ in calm.order)} {what}" for what in dict.fromkeys(w for w, _ in calm.order))
            cases.one(undisturbed, name=f"{kind}, undisturbed")
            at = 0
            for what, number in list(steps(calm.order)):
                for moment in MOMENTS[what.split()[0] if what.startswith("ARM") else "kube"]:
                    at += 1
                    if at % options.every:
                        continue
                    killer = Killer()
                    killer.arm(what, number, moment)

                    def killed(killer=killer, abandon=abandon):
                        bench.life(killer, abandon)
                        return "" if killer.did else "this life had no such step"
                    cases.one(killed, name=f"{kind}: killed {moment} {what} {number}")
        print(f"-- {time.monotonic() - begin:.0f} s")
    return cases.status()


if __name__ == "__main__":
    sys.exit(claims.main_of(main))

"""Nobody hangs at its end, and who lost the lease leaves at once and changes nothing more: SIGTERM to both controllers in the middle
of a busy life and with each peer frozen or silent, SIGSTOP past the lease, and the ends of simulator, gateway and server.

Usage: stop.py [--only PART,...] [--seed N]
"""
import contextlib
import datetime
import http.client
import os
import random
import signal
import socket
import subprocess
import threading
import time

import api
import claims
import golden
import scenario
from azure import FAST, Provisioner
from claims import Cases, Stage, expect
from cluster import free_ports, kaito
from controller import RELEASE_NAMESPACE, Controller

LIMIT_S = 10       # from the signal to the end of the process; it takes a few seconds where a peer is silent
LEASE_S = 15
LOST = (1, 10)     # left behind somebody who still worked, or left in order
LEASES = ("gpu-provisioner-leader-election", "ef60f9b0.io")
AGENTS = ("kaito-provisioner", "kaito-controller")
CHANGES = ("create", "update", "patch", "delete", "deletecollection")


# --- processes and their ends ---------------------------------------------------------------------------------------------
class Crew:
    """Provisioner and controller, both with leader election."""

    def __init__(self, world, name="", wait=True, kubeconfig=None, arm=None, controller=(), webhook=False):
        self.world = world
        self.provisioner = Provisioner(world.cluster, world.simulator, name="provisioner" + name, kubeconfig=kubeconfig, environment=arm,
                                       fast=[*FAST, "--disable-leader-election=false"])
        self.controller = Controller(world.cluster, name="controller" + name, kubeconfig=kubeconfig, webhook=webhook,
                                     extra=["--leader-elect=true", "--kube-client-qps=200", "--kube-client-burst=400", *controller])
        for process in self.all():
            process.start(wait=False)
        if wait:
            self.wait_leading()

    def all(self):
        return self.provisioner, self.controller

    def wait_leading(self):
        world = self.world
        world.cluster.wait("both leases held", lambda: all(holder(world, lease) for lease in LEASES), 60)
        world.until(lambda: "both work: " + self.provisioner.tail(3) + self.controller.tail(3),
                    lambda: all("controllers are running" in p.tail(400) for p in self.all()), 20)

    def end(self):
        """SIGTERM to both at the same moment: both leave with status 0 within the limit."""
        begin = time.monotonic()
        for process in self.all():
            process.process.send_signal(signal.SIGTERM)
        return ", ".join(f"{p.name} {ended(p, begin):.1f} s" for p in self.all())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.all():
            process.stop(signal.SIGKILL)


def ended(process, begin, good=(0,)):
    """How long the process took; not within the limit or with another status is a failure."""
    try:
        got = process.process.wait(max(begin + LIMIT_S - time.monotonic(), 0.1))
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{process.name} has not ended {LIMIT_S} s after the signal:\n{process.tail(6)}") from None
    expect(got in good, f"{process.name} ended with {got}, not one of {good}:\n{process.tail(6)}")
    return time.monotonic() - begin


@contextlib.contextmanager
def frozen(process):
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


@contextlib.contextmanager
def silent_port():
    """Connections are accepted, by the kernel, and nothing is ever answered."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        yield listener.getsockname()[1]


def holder(world, name):
    lease = world.admin.get("Lease", RELEASE_NAMESPACE, name)
    return ((lease or {}).get("spec") or {}).get("holderIdentity") or ""


def forget_leases(world):
    """A lease that could not be given back keeps the next crew waiting for 15 s."""
    for name in LEASES:
        world.admin.delete("Lease", RELEASE_NAMESPACE, name)


# --- a busy life ----------------------------------------------------------------------------------------------------------
class Busy:
    """Workspaces come and go all the time, and with them claims, pools and Nodes."""
    number = 0

    def __init__(self, world):
        self.world, self.stopping = world, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        names = []
        while not self.stopping.wait(0.25):
            Busy.number += 1
            names.append(f"busy{Busy.number}")
            try:
                self.world.admin.create("Workspace", scenario.workspace(names[-1], "inference", benchmark=False), "default")
                if len(names) > 6:
                    self.world.admin.delete("Workspace", "default", names.pop(0))
            except (OSError, http.client.HTTPException, api.Refused):
                self.world.admin.local.connection = None

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(30)


def at_work(world, seconds):
    """Both have begun, and then some time passes."""
    before = len(world.simulator.calls())
    world.until("calls to the cloud", lambda: len(world.simulator.calls()) > before, 20)
    time.sleep(seconds)


# --- cases ----------------------------------------------------------------------------------------------------------------
def busy(delay_s):
    def case(world):
        with Crew(world) as crew, Busy(world):
            at_work(world, delay_s)
            said = crew.end()
            left = [lease for lease in LEASES if holder(world, lease)]
            expect(not left, f"not given back: {left}")
        return f"after {delay_s:.2f} s: {said}"
    return case


def api_server_frozen(world):
    with Crew(world) as crew, Busy(world):
        at_work(world, 0.5)
        with frozen(world.cluster.processes["kube-apiserver"]):
            time.sleep(0.5)
            said = crew.end()
    return said


def cloud_frozen(world):
    with Crew(world) as crew, Busy(world):
        at_work(world, 0.5)
        with frozen(world.simulator.process):
            time.sleep(1)
            said = crew.end()
    return said


def cloud_hub_silent(world):
    """Neither token endpoint nor ARM nor the model hub ever answers; claims and a Workspace of a model that is not in the catalogue wait."""
    with silent_port() as port:
        url = f"http://127.0.0.1:{port}"
        arm = {"AZURE_RESOURCE_MANAGER_ENDPOINT": url, "AZURE_AUTHORITY_HOST": url + "/", "AZURE_IMDS_ENDPOINT": url}
        unknown = scenario.workspace("unknown", "inference", benchmark=False)
        unknown["inference"]["preset"]["name"] = "acme/model-of-no-catalogue"
        with Crew(world, arm=arm, controller=[f"--hub-url={url}"]) as crew, Busy(world):
            world.admin.create("Workspace", unknown, "default")
            time.sleep(1.5)
            said = crew.end()
        world.admin.delete("Workspace", "default", "unknown")
    return said


def api_server_silent_at_start(world):
    with silent_port() as port, Crew(world, wait=False, kubeconfig=world.cluster.kubeconfig("kaito", f"https://127.0.0.1:{port}"), webhook=True) as crew:
        time.sleep(1)
        return crew.end()


def api_server_away_at_start(world):
    (port,) = free_ports(1)
    with Crew(world, wait=False, kubeconfig=world.cluster.kubeconfig("kaito", f"https://127.0.0.1:{port}"), webhook=True) as crew:
        time.sleep(1)
        return crew.end()


def followers(world):
    """Those that wait for the lease leave, also while the API server is frozen; the leaders go on."""
    with Crew(world) as leaders:
        said = []
        for cold in (False, True):
            with Crew(world, name="-2", wait=False) as crew:
                world.until("they wait", lambda: all("waiting for the lease" in p.tail(400) for p in crew.all()), 20)
                with frozen(world.cluster.processes["kube-apiserver"]) if cold else contextlib.nullcontext():
                    time.sleep(2.5 if cold else 0)  # the next look at the lease is under way
                    said.append(crew.end())
            for process in crew.all():
                process.log.unlink()
        expect(all(p.process.poll() is None for p in leaders.all()), "a leader left too")
        leaders.end()
    return "; ".join(said)


def lease_lost(world):
    """Stopped past the lease and continued: they leave, with an error, and neither cluster nor cloud is changed any more."""
    with Crew(world) as crew, Busy(world):
        at_work(world, 0.5)
        for process in crew.all():
            process.process.send_signal(signal.SIGSTOP)
        time.sleep(LEASE_S + 1)
        begin, wall, now_ms = time.monotonic(), time.time(), time.monotonic() * 1000
        for process in crew.all():
            process.process.send_signal(signal.SIGCONT)
        said = ", ".join(f"{p.name} {ended(p, begin, good=LOST):.1f} s" for p in crew.all())
    time.sleep(0.5)  # for the audit log
    events, _ = world.cluster.audit_events()
    late = [f"{e['verb']} {e['requestURI']}" for e in events if e["verb"] in CHANGES and e.get("userAgent", "").startswith(AGENTS) and when(e) > wall]
    expect(not late, f"written after the lease: {late[:5]}")
    calls = [str(c) for c in world.simulator.calls() if c.method not in ("GET", "HEAD") and c.what not in ("TOKEN", "OTHER") and c.at_ms > now_ms]
    expect(not calls, f"asked of the cloud after the lease: {calls[:5]}")
    return said


def when(event):
    return datetime.datetime.fromisoformat(event["requestReceivedTimestamp"].replace("Z", "+00:00")).timestamp()


def webhook(world):
    with Crew(world, webhook=True) as crew:
        with frozen(world.cluster.processes["kube-apiserver"]):
            time.sleep(0.5)
            said = crew.end()
    return said


def simulator(world):
    """The cloud itself ends while its machines' Nodes cannot join."""
    for i in range(12):
        world.simulator.foreign_pool(f"late{i}", {"count": 2, "vmSize": claims.MACHINE_TYPE})
    with Busy(world), Crew(world):
        at_work(world, 0.5)
        with frozen(world.cluster.processes["kube-apiserver"]):
            time.sleep(1.2)
            process, begin = world.simulator.process, time.monotonic()
            process.send_signal(signal.SIGTERM)
            try:
                status = process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                raise RuntimeError(f"it has not ended {LIMIT_S} s after SIGTERM") from None
            took = time.monotonic() - begin
    expect(status == 0, f"it ended with {status}: {world.simulator.tail()}")
    return f"{took:.1f} s"


# --- the other servers; no cluster is needed ------------------------------------------------------------------------------
class Program(Controller):
    """Another command of the program as a process of the world's; nobody waits until it is ready."""

    def __init__(self, cluster, name, *arguments):
        super().__init__(cluster, name=name)
        self.command = [kaito(), name, *arguments]
        self.environment = {k: v for k, v in os.environ.items() if k != "KUBECONFIG"} | {"HOME": str(cluster.dir), "XDG_CACHE_HOME": str(cluster.dir)}

    def __enter__(self):
        return self.start(wait=False)


def ask_in_vain(port, method, path, body=None):
    def run():
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request(method, path, body, {"Content-Type": "application/json"})
            connection.getresponse().read()
    threading.Thread(target=run, daemon=True).start()


def gateway(world):
    """The model server is silent, a client waits: the time for running requests passes, then it ends."""
    (port,) = free_ports(1)
    with silent_port() as upstream, Program(world.cluster, "gateway", f"--upstream=http://127.0.0.1:{upstream}", "--host=127.0.0.1", f"--port={port}",
                                            "--drain-timeout=1") as process:
        world.until("it listens", lambda: "POST /chat" in process.tail(), 10)
        ask_in_vain(port, "POST", "/chat", '{"messages": [{"role": "user", "content": "hello"}]}')
        ask_in_vain(port, "POST", "/v1/completions", "{}")
        ask_in_vain(port, "GET", "/health")
        time.sleep(0.5)
        begin = time.monotonic()
        process.process.send_signal(signal.SIGTERM)
        return f"{ended(process, begin):.1f} s"


def server(world):
    """The registry that has the model is silent: nothing is served yet, so nothing is waited for."""
    with silent_port() as registry, Program(world.cluster, "serve", f"--model=127.0.0.1:{registry}/acme/model:1", "--host=127.0.0.1", "--port=0") as process:
        time.sleep(1)
        begin = time.monotonic()
        process.process.send_signal(signal.SIGTERM)
        return f"{ended(process, begin, good=(128 + signal.SIGTERM,)):.1f} s"


def main(argv=None):
    options = claims.arguments(__doc__, seed=(int(time.time()), "of the moments at which the busy ones are stopped")).parse_args(argv)
    chance = random.Random(options.seed)
    print(f"seed {options.seed}")
    cases = Cases(options.only)
    with Stage(audit=True, create_time="1s", delete_time="0.5s", max_pools=1000) as world:
        golden.release_objects(world.cluster)
        for i in range(3):
            cases.one(busy(chance.uniform(0, 2.5)), world, name=f"busy {i + 1}")
        for case in (api_server_frozen, cloud_frozen, cloud_hub_silent, api_server_silent_at_start, api_server_away_at_start, followers, lease_lost, gateway,
                     server, webhook, simulator):
            forget_leases(world)
            cases.one(case, world)
    return cases.status()


if __name__ == "__main__":
    claims.leave(main)

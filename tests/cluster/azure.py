"""The node provisioner and its cloud as processes: `kaito simulate azure`, spoken to through its control interface under /_sim/;
`kaito provisioner`, pointed at it; and a loopback proxy between the two, where a test sees every call to ARM and may spoil it.

Nothing leaves the machine, ports are the kernel's, every process is stopped by its pid.
"""
import http.client
import http.server
import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.parse

from cluster import Skip, free_ports, kaito
from controller import RELEASE_NAMESPACE, Controller
from proxy import Drop, Policy

POOLS = "/agentpools"
# Everything that takes minutes in production takes seconds here.
FAST = ("--kube-client-qps=500", "--kube-client-burst=1000", "--claim-gc-interval=1s", "--instance-gc-interval=1s", "--instance-gc-age=3s",
        "--quota-preflight=false")


def has_command(name):
    """Whether the tested program has the command; a suite that needs one it lacks is skipped."""
    run = subprocess.run([kaito(), *name.split(), "--help"], capture_output=True, text=True, timeout=20)
    return run.returncode == 0


def need_commands(*names):
    for name in names:
        if not has_command(name):
            raise Skip(f"the program has no `kaito {name}`")


class Simulator:
    """ARM, token endpoint, IMDS and the Nodes' machines. `options` are flags without dashes: create_time="2s"."""
    CLOUD = "azure"

    def __init__(self, cluster, name="simulator", joins=True, **options):
        self.cluster, self.name = cluster, name
        self.command = [kaito(), "simulate", self.CLOUD]
        if joins:
            self.command += ["--kubeconfig", cluster.kubeconfig("system")]
        for key, value in options.items():
            flag = "--" + key.replace("_", "-")
            self.command += [flag] if value is True else [flag, str(value)]
        self.out, self.log = cluster.dir / "log" / f"{name}.out", cluster.dir / "log" / f"{name}.log"
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        with open(self.out, "wb") as out, open(self.log, "ab") as log:
            environment = {k: v for k, v in os.environ.items() if k != "KUBECONFIG"}
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=log, env=environment, start_new_session=True)
        self.cluster.processes[self.name] = self.process
        end = time.monotonic() + 20
        while b"\n" not in self.out.read_bytes():
            if self.process.poll() is not None:
                raise RuntimeError(f"the simulator ended with {self.process.returncode}: {self.tail()}")
            if time.monotonic() > end:
                raise RuntimeError("the simulator says nothing: " + self.tail())
            time.sleep(0.02)
        hello = json.loads(self.out.read_bytes().splitlines()[0])
        self.port, self.endpoint, self.environment = hello["port"], hello["endpoint"].rstrip("/"), hello["env"]
        return self

    def stop(self, number=signal.SIGTERM):
        self.cluster.processes.pop(self.name, None)
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def tail(self, lines=8):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    # --- control interface ---
    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, "/_sim/" + path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"{method} /_sim/{path}: {answer.status} {text[:300].decode('utf-8', 'replace')}")
        return json.loads(text) if text.strip() else {}

    def state(self):
        return self.ask("GET", "state")

    def pools(self):
        """{name: {provisioningState, powerState, count, vmSize, foreign, busy, nodes, tags}}; pools being deleted are among them."""
        return self.state()["pools"]

    def properties(self, name):
        """The pool's properties as ARM tells them."""
        e = self.environment
        where = urllib.parse.urlsplit(self.endpoint).netloc
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": e["AZURE_CLIENT_ID"], "client_secret": e["AZURE_CLIENT_SECRET"],
                                       "scope": "https://management.core.windows.net//.default"})
        connection = http.client.HTTPConnection(where, timeout=20)
        try:
            connection.request("POST", f"/{e['AZURE_TENANT_ID']}/oauth2/v2.0/token", form, {"Content-Type": "application/x-www-form-urlencoded"})
            token = json.loads(connection.getresponse().read())["access_token"]
            connection.request("GET", f"/subscriptions/{e['ARM_SUBSCRIPTION_ID']}/resourceGroups/{e['ARM_RESOURCE_GROUP']}/providers/Microsoft.ContainerService/"
                               f"managedClusters/{e['AZURE_CLUSTER_NAME']}/agentPools/{name}?api-version=2024-01-01", headers={"Authorization": "Bearer " + token})
            return json.loads(connection.getresponse().read())["properties"]
        finally:
            connection.close()

    def calls(self):
        return [Asked(c) for c in self.ask("GET", "calls")["calls"]]

    def script(self, *rows):
        self.ask("POST", "script", list(rows))

    def clear_script(self):
        self.ask("DELETE", "script")

    def advance(self, seconds):
        """So much time passes at once in the cloud: operations, machines, tokens and budgets are later, nobody else is."""
        self.ask("POST", "clock", {"advance_ms": int(seconds * 1000)})

    def power(self, state):
        self.ask("PUT", "cluster", {"powerState": state})

    def settings(self, **values):
        self.ask("PUT", "settings", values)

    def foreign_pool(self, name, properties):
        self.ask("PUT", f"pools/{name}", {"properties": properties})

    def node(self, name, **what):
        self.ask("POST", f"nodes/{name}", what)


class Asked:
    """One request as the simulator logged it; `what` says which kind it is, `pool` which pool it is about."""

    def __init__(self, row):
        self.method, self.path, self.status = row["method"], row["path"].split("?")[0], row.get("status", 0)
        self.at_ms, self.accepted = row.get("at_ms", 0), row.get("status", 0) in (200, 201, 202, 204)
        self.what, self.pool = kind_of(self.method, self.path)

    def __str__(self):
        return f"{self.method} {self.what} {self.pool} -> {self.status}"


def kind_of(method, path):
    """(what, unit): ("PUT", "p1"), ("LIST", ""), ("OPERATION", "") ...; of machines ("PUT", "pool/m1"), ("LIST", "pool/"), ("DELETE MACHINES", "pool")."""
    lower = path.lower().split("?")[0].rstrip("/")
    found = re.search(r"/agentpools(?:/([^/]+)(/abort)?)?$", lower)
    if found:
        if found[2]:
            return "ABORT", found[1]
        return (method if found[1] else "LIST"), found[1] or ""
    found = re.search(r"/agentpools/([^/]+)/machines(?:/([^/]+))?$", lower)
    if found:
        return (method if found[2] else "LIST"), f"{found[1]}/{found[2] or ''}"
    found = re.search(r"/agentpools/([^/]+)/deletemachines$", lower)
    if found:
        return "DELETE MACHINES", found[1]
    if "/operations/" in lower or "/operationresults/" in lower:
        return "OPERATION", ""
    if "oauth2" in lower or "/token" in lower:
        return "TOKEN", ""
    return ("USAGES" if lower.endswith("/usages") else "OTHER"), ""


class ArmPolicy(Policy):
    """Lets everything through and remembers the calls."""

    def after(self, call, status, body):
        with self.lock:
            self.writes.append((str(call), status))
        return status, body


class ArmCall:
    def __init__(self, method, path, body):
        self.method, self.path, self.body = method, path, body
        self.what, self.pool = kind_of(method, path)

    def __str__(self):
        return f"{self.what} {self.pool}".strip()


class ArmProxy:
    """Between provisioner and simulator; its own address takes the place of the simulator's in every URL that an answer names."""

    def __init__(self, simulator, policy=None):
        self.port, self.policy = simulator.port, policy or ArmPolicy()
        self.theirs = simulator.environment["AZURE_RESOURCE_MANAGER_ENDPOINT"].rstrip("/")
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except (Drop, OSError, http.client.HTTPException):
                    self.close_connection = True

            def serve(self):
                length = int(self.headers.get("Content-Length") or 0)
                proxy.handle(self, ArmCall(self.command, self.path, self.rfile.read(length) if length else None))
            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def environment(self):
        return {"AZURE_RESOURCE_MANAGER_ENDPOINT": self.url}

    def handle(self, handler, call):
        given = self.policy.before(call)
        if given is None:
            given = self.upstream(handler, call)
            status, body = self.policy.after(call, given[0], given[2])
            given = (status, given[1], body)
        status, headers, body = given
        handler.send_response(status)
        for key, value in headers.items():
            handler.send_header(key, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
        handler.wfile.flush()
        self.policy.delivered(call, status)

    def upstream(self, handler, call):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {k: v for k, v in handler.headers.items() if k.lower() not in ("host", "connection", "accept-encoding", "content-length")}
            headers["Host"] = urllib.parse.urlsplit(self.theirs).netloc
            connection.request(call.method, call.path, call.body, headers)
            reply = connection.getresponse()
            body = reply.read()
        finally:
            connection.close()
        kept = {k: v.replace(self.theirs, self.url) for k, v in reply.getheaders() if k.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server")}
        return reply.status, kept, body.replace(self.theirs.encode(), self.url.encode())


class Provisioner(Controller):
    """`kaito provisioner` beside the simulator. `arm`: an ArmProxy between the two."""

    def __init__(self, cluster, simulator, arm=None, kubeconfig=None, extra=(), name="provisioner", environment=None, fast=FAST):
        super().__init__(cluster, kubeconfig=kubeconfig, name=name)
        self.metrics_port, self.probe_port = free_ports(2)
        self.command = [kaito(), "provisioner", "--kubeconfig", kubeconfig or cluster.kubeconfig("provisioner"), f"--metrics-port={self.metrics_port}",
                        f"--health-probe-port={self.probe_port}", *fast, *extra]
        self.environment = {k: v for k, v in os.environ.items() if k != "KUBECONFIG" and not k.startswith(("AZURE_", "ARM_", "IDENTITY_", "IMDS_"))}
        self.environment.update(simulator.environment, AZURE_ALLOW_HTTP="true", SYSTEM_NAMESPACE=RELEASE_NAMESPACE)
        self.environment.update(arm.environment() if arm else {})
        self.environment.update(environment or {})

    def probe(self, what):
        """Status of /healthz or /readyz; 0: nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.probe_port, timeout=5)
        try:
            connection.request("GET", "/" + what)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

"""A real control plane on loopback: etcd, kube-apiserver and, when asked, kube-controller-manager and kube-scheduler.

Everything lives in one temporary folder and on ports that were free; every process is stopped by its pid, also
after a failure or Ctrl-C (`with Cluster() as cluster`). Nothing of a cluster is behind it: play.py is the cloud and the kubelets.

Users, each with a token of its own, so that the audit log tells them apart: `admin` (the test), `system` (controller-manager,
scheduler, the simulated machines), `kaito` and `provisioner` (the tested controllers, all rights). `service_account` gives a kubeconfig with a service account's
rights and no others.
"""
import atexit
import json
import os
import pathlib
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import api
import stub_crds

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
USERS = ("admin", "system", "kaito", "provisioner")
START_S = 240  # a program of the control plane that is not up by then will not come up
# Off: what needs kubelets or a cloud. The node lifecycle would mark our silent Nodes unreachable.
KCM_OFF = ("node-lifecycle-controller", "node-ipam-controller", "node-route-controller", "service-lb-controller",
           "cloud-node-lifecycle-controller", "horizontal-pod-autoscaler-controller", "pod-garbage-collector-controller")


class Skip(Exception):
    """The machine lacks what the suite needs: exit status 77."""


def binaries():
    """Where the Kubernetes programs are: KUBEBUILDER_ASSETS when it has them, else what scripts/install_kube.sh built."""
    cache = os.environ.get("KAITO_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "kaito")
    given = os.environ.get("KUBEBUILDER_ASSETS")
    for folder in ([given] if given else []) + [os.path.join(cache, "kube", "bin")]:
        if all(os.access(os.path.join(folder, name), os.X_OK) for name in ("etcd", "kube-apiserver", "kubectl")):
            return folder
    raise Skip("no kube-apiserver: scripts/install_kube.sh builds it, or set KUBEBUILDER_ASSETS")


def program(name):
    given = os.environ.get("KUBEBUILDER_ASSETS")
    if given and os.access(os.path.join(given, name), os.X_OK):
        return os.path.join(given, name)
    cache = os.environ.get("KAITO_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "kaito")
    where = os.path.join(cache, "kube", "bin", name)
    if not os.access(where, os.X_OK):
        raise Skip(f"no {name}: scripts/install_kube.sh builds it")
    return where


def ephemeral_begin():
    """The first port that the kernel gives to outgoing connections."""
    try:
        return int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 32768


GIVEN = set()  # ports that this process has handed out


def free_ports(count):
    """Ports that nobody listens on, below those of outgoing connections: anybody's connection could take one of the latter before its server
    is up, or while it restarts."""
    ports, dice = [], random.SystemRandom()
    low, high = (15000, ephemeral_begin()) if ephemeral_begin() > 20000 else (49152, 65000)
    while len(ports) < count:
        port = dice.randrange(low, high)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in GIVEN:
            GIVEN.add(port)
            ports.append(port)
    return ports


def openssl(*args, given=None):
    subprocess.run(["openssl", *args], check=True, input=given, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


class Cluster:
    def __init__(self, managers=True, audit=True, keep=False, crds=True, provisioner=False):
        """managers: controller-manager and scheduler too; audit: log what the tested controllers and service accounts ask; provisioner:
        the real CRDs of claims, pools and node classes in place of the stand-ins."""
        self.managers, self.audit, self.keep, self.with_crds, self.provisioner = managers, audit, keep, crds, provisioner
        self.processes = {}
        self.dir = None

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    # --- start ---
    def start(self):
        self.bin = binaries()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kaito-cluster-"))
        atexit.register(self.stop)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(1))
        (self.dir / "log").mkdir()
        self.port, self.etcd_port, self.peer_port, self.kubelet_port = free_ports(4)
        self.server = f"https://127.0.0.1:{self.port}"
        self.make_pki()
        self.tokens = {user: secrets.token_hex(16) for user in USERS}
        (self.dir / "tokens.csv").write_text("".join(f"{t},{u},{u},system:masters\n" for u, t in self.tokens.items()))
        (self.dir / "audit.json").write_text(json.dumps(self.audit_policy()))
        for user in USERS:
            self.write_kubeconfig(user, self.tokens[user])
        self.admin = api.Api(self.server, self.tokens["admin"], str(self.dir / "ca.crt"))
        self.start_etcd()
        self.start_apiserver()
        if self.with_crds:
            self.install_crds()
        if self.managers:  # after the CRDs: the garbage collector looks for new kinds only every 30 s
            self.start_managers()
        return self

    def make_pki(self):
        d = self.dir
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", "/CN=kube-ca",
                "-keyout", d / "ca.key", "-out", d / "ca.crt")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=kube-apiserver",
                "-keyout", d / "server.key", "-out", d / "server.csr")
        (d / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc\n")
        openssl("x509", "-req", "-in", d / "server.csr", "-CA", d / "ca.crt", "-CAkey", d / "ca.key", "-CAcreateserial", "-days", "30",
                "-out", d / "server.crt", "-extfile", d / "names")
        openssl("genrsa", "-out", d / "sa.key", "2048")
        openssl("rsa", "-in", d / "sa.key", "-pubout", "-out", d / "sa.pub")

    def audit_policy(self):
        """Bodies and answers of what the tested controller changes, the metadata of what it reads; nobody else."""
        who = {"users": ["kaito", "provisioner"]}
        accounts = {"userGroups": ["system:serviceaccounts"]}
        changes = ["create", "update", "patch", "delete", "deletecollection"]
        rules = []
        for subject in (who, accounts):
            rules.append(dict(subject, level="Metadata", resources=[{"group": "coordination.k8s.io"}]))
            rules.append(dict(subject, level="RequestResponse", verbs=changes))
            rules.append(dict(subject, level="Metadata"))
        rules.append({"level": "None"})
        return {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
                "omitManagedFields": True, "rules": rules}

    def kubeconfig_text(self, token, server=None):
        return json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "local",
            "clusters": [{"name": "local", "cluster": {"server": server or self.server, "certificate-authority": str(self.dir / "ca.crt")}}],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [{"name": "local", "context": {"cluster": "local", "user": "user"}}]}, indent=1)

    def write_kubeconfig(self, user, token, server=None):
        file = self.dir / f"kubeconfig.{user}"
        file.write_text(self.kubeconfig_text(token, server))
        file.chmod(0o600)
        return str(file)

    def kubeconfig(self, user="admin", server=None):
        """Path of a user's kubeconfig; server: through a proxy at that address."""
        if server is None:
            return str(self.dir / f"kubeconfig.{user}")
        return self.write_kubeconfig(f"{user}.proxied", self.tokens[user], server)

    def spawn(self, name, *command):
        log = open(self.dir / "log" / f"{name}.log", "ab")
        if shutil.which("setpriv"):  # even a killed test leaves nothing behind
            command = ("setpriv", "--pdeathsig", "KILL", *command)
        self.processes[name] = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir,
                                                start_new_session=True)
        log.close()

    def start_etcd(self):
        client, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self.peer_port}"
        # The data is thrown away: no fsync.
        self.spawn("etcd", f"{self.bin}/etcd", "--data-dir", self.dir / "etcd", "--unsafe-no-fsync", "--log-level", "warn",
                   "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
                   "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}")

    def start_apiserver(self):
        d = self.dir
        # TaintNodesByCondition is off because only the node lifecycle controller, which is off too, takes the taint away again;
        # the ServiceAccount plug-in because pods here need no tokens. 192.0.2.1 is a documentation address: nobody calls it.
        flags = ["--bind-address=127.0.0.1", f"--secure-port={self.port}", "--advertise-address=192.0.2.1", "--endpoint-reconciler-type=none",
                 f"--etcd-servers=http://127.0.0.1:{self.etcd_port}", f"--tls-cert-file={d}/server.crt", f"--tls-private-key-file={d}/server.key",
                 f"--client-ca-file={d}/ca.crt", f"--token-auth-file={d}/tokens.csv", "--authorization-mode=RBAC",
                 "--service-cluster-ip-range=10.96.0.0/16", f"--service-account-key-file={d}/sa.pub",
                 f"--service-account-signing-key-file={d}/sa.key", "--service-account-issuer=https://kubernetes.default.svc",
                 "--allow-privileged=true", "--kubelet-preferred-address-types=InternalIP",
                 "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition", "--profiling=false"]
        if self.audit:
            flags += [f"--audit-policy-file={d}/audit.json", f"--audit-log-path={d}/audit.log", "--audit-log-maxsize=1000"]
        self.spawn("kube-apiserver", f"{self.bin}/kube-apiserver", *flags)
        self.wait("the API server", self.ready, START_S)

    def ready(self):
        process = self.processes["kube-apiserver"]
        if process.poll() is not None:
            raise RuntimeError("kube-apiserver ended: " + self.tail("kube-apiserver"))
        try:
            return self.admin.call("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def start_managers(self):
        config = self.kubeconfig("system")
        common = (f"--kubeconfig={config}", "--bind-address=127.0.0.1", f"--authentication-kubeconfig={config}",
                  f"--authorization-kubeconfig={config}", "--leader-elect=false", "--secure-port=0")
        self.spawn("kube-controller-manager", program("kube-controller-manager"), *common,
                   f"--service-account-private-key-file={self.dir}/sa.key", f"--root-ca-file={self.dir}/ca.crt", "--allocate-node-cidrs=false",
                   "--controllers=*," + ",".join("-" + name for name in KCM_OFF), "--concurrent-gc-syncs=5",
                   "--kube-api-qps=400", "--kube-api-burst=800")
        self.spawn("kube-scheduler", program("kube-scheduler"), *common, "--kube-api-qps=400", "--kube-api-burst=800")
        self.wait("the garbage collector", lambda: "Proceeding to collect garbage" in self.tail("kube-controller-manager", 400), START_S)

    # --- contents ---
    def install_crds(self):
        """Ours, as the program prints them, and the stand-ins for the kinds of others."""
        real = provisioner_crds() if self.provisioner else None
        text = "".join(file.read_text(encoding="utf-8") for file in real.glob("*.yaml")) if real else ""
        manifests = stub_crds.manifests()
        names = [m["metadata"]["name"] for m in manifests]
        for manifest in manifests:
            if f"name: {manifest['metadata']['name']}\n" not in text:
                self.admin.create("CustomResourceDefinition", manifest)
        if real:
            self.kubectl("apply", "--server-side", "-f", str(real))
        self.kubectl("apply", "--server-side", "-f", str(kaito_crds()))
        self.wait("the CRDs", lambda: self.established(names + ["workspaces.kaito.sh", "inferencesets.kaito.sh"]), START_S)

    def established(self, names):
        have = {}
        for crd in self.admin.items("CustomResourceDefinition"):
            have[crd["metadata"]["name"]] = any(c["type"] == "Established" and c["status"] == "True" for c in (crd.get("status", {}).get("conditions") or []))
        return all(have.get(n) for n in names)

    def kubectl(self, *args, check=True, given=None, user="admin"):
        run = subprocess.run([f"{self.bin}/kubectl", "--kubeconfig", self.kubeconfig(user), *map(str, args)], capture_output=True, text=True,
                             input=given, timeout=120)
        if check and run.returncode:
            raise RuntimeError(f"kubectl {' '.join(map(str, args))}: {run.stderr.strip()}")
        return run.stdout if check else run

    def namespace(self, name):
        self.admin.create("Namespace", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def service_account(self, namespace, name, server=None):
        """A kubeconfig whose user is the service account, with a token the API server made."""
        answer = self.admin.must("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
                                 {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 7200}})
        token = answer["status"]["token"]
        return self.write_kubeconfig(f"{name}.account", token, server)

    def audit_events(self, since=0):
        """Finished calls in the audit log from byte `since` on, and the position after them."""
        file = self.dir / "audit.log"
        if not file.exists():
            return [], 0
        with open(file, "rb") as log:
            log.seek(since)
            data = log.read()
        end = data.rfind(b"\n") + 1
        return [json.loads(line) for line in data[:end].splitlines()], since + end

    # --- stop ---
    def wait(self, what, condition, seconds, pause=0.1):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise RuntimeError(f"{what} not ready within {seconds} s")
            time.sleep(pause)

    def tail(self, name, lines=15):
        file = self.dir / "log" / f"{name}.log"
        return "\n".join(file.read_text(errors="replace").splitlines()[-lines:]) if file.exists() else ""

    def end(self, name, number=signal.SIGTERM, seconds=15):
        process = self.processes.pop(name, None)
        if process is None or process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def restart_apiserver(self, down_s=1.0):
        """The API server alone goes away and comes back; etcd keeps everything."""
        self.end("kube-apiserver", signal.SIGTERM, 2)
        time.sleep(down_s)
        self.admin.local.connection = None
        self.start_apiserver()

    def stop(self):
        ours = ("kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd")
        for name in [n for n in self.processes if n not in ours] + list(ours):
            self.end(name, signal.SIGKILL if name == "kube-apiserver" else signal.SIGTERM, 5)
        if self.dir and not self.keep:
            shutil.rmtree(self.dir, ignore_errors=True)
        elif self.dir:
            print(f"kept {self.dir}", file=sys.stderr)


def kaito():
    """The program under test: KAITO_BINARY, else the release build."""
    given = os.environ.get("KAITO_BINARY")
    for candidate in [given] if given else [ROOT / "build/release/kaito", ROOT / "build/release/src/cmd/kaito"]:
        if os.access(candidate, os.X_OK):
            return str(candidate)
    raise Skip("no kaito program: make, or set KAITO_BINARY")


def kaito_crds():
    """The CRD manifests of the chart: what an administrator installs."""
    folder = ROOT / "charts/kaito/workspace/templates/crds"
    if not folder.is_dir():
        raise Skip(f"no CRDs in {folder}")
    return folder


def provisioner_crds():
    """The CRD manifests that the node provisioner's chart brings; None: there are none."""
    folder = ROOT / "charts/kaito/gpu-provisioner/crds"
    return folder if folder.is_dir() else None

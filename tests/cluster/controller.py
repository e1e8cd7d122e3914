"""The tested controller as a process: started with a mode's flags, measured through /proc, stopped by pid."""
import os
import re
import signal
import subprocess
import time
import urllib.request

from cluster import free_ports, kaito

RELEASE_NAMESPACE = "kaito-workspace"
NODE_CLASSES = [{"name": "image-family-ubuntu", "default": True, "spec": {"imageFamily": "Ubuntu2204", "osDiskSizeGB": 300}},
                {"name": "image-family-azure-linux", "spec": {"imageFamily": "AzureLinux", "osDiskSizeGB": 300}}]
# What each set of cases was recorded with.
MODES = {
    "default": [],
    "byo": ["--node-provisioner=byo"],
    "karpenter": ["--node-provisioner=karpenter"],
    "gate": ["--feature-gates=enableMultiRoleInferenceController=true"],
}
ENVIRONMENT = {"CLOUD_PROVIDER": "azure", "PRESET_REGISTRY_NAME": "mcr.microsoft.com/aks/kaito", "WEBHOOK_SERVICE": "workspace",
               "SYSTEM_NAMESPACE": RELEASE_NAMESPACE, "RELEASE_NAMESPACE": RELEASE_NAMESPACE, "CLUSTER_NAME": "kaito"}


class Controller:
    def __init__(self, cluster, mode="default", kubeconfig=None, extra=(), webhook=False, name="controller", environment=None):
        self.cluster, self.name = cluster, name
        self.metrics_port, self.probe_port = free_ports(2)
        self.command = [kaito(), "controller", "--kubeconfig", kubeconfig or cluster.kubeconfig("kaito"),
                        f"--metrics-bind-address=127.0.0.1:{self.metrics_port}", f"--health-probe-bind-address=127.0.0.1:{self.probe_port}",
                        f"--webhook={'true' if webhook else 'false'}", *MODES[mode], *extra]
        self.environment = {k: v for k, v in os.environ.items() if k != "KUBECONFIG"} | ENVIRONMENT | (environment or {})
        self.process = None
        self.log = cluster.dir / "log" / f"{name}.log"

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self, wait=True):
        with open(self.log, "ab") as log:
            self.started = time.monotonic()
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment, start_new_session=True)
        self.cluster.processes[self.name] = self.process
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=120):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"the controller ended with {self.process.returncode}: {self.tail()}")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.probe_port}/readyz", timeout=2):
                    return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError("the controller is not ready: " + self.tail())

    def stop(self, number=signal.SIGTERM, seconds=30):
        """Returns the exit status (negative: the signal that ended it, after Kubernetes' grace period SIGKILL)."""
        self.cluster.processes.pop(self.name, None)
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    def tail(self, lines=12):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    # --- figures ---
    def cpu_s(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_kb(self, key="RssAnon"):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(rf"^{key}:\s+(\d+)", status.read(), re.M)[1])

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as answer:
            return answer.read().decode()

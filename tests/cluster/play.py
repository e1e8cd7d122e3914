"""Plays what a loopback control plane lacks: the cloud (Nodes and status for NodeClaims), Karpenter's static pools, the
volume provisioner and the kubelets. Single steps (`nodes`, `pods`, `finish` ...) are for tests that look at each stage;
`Loop` does all of it on watch events, fast enough for thousands, for benchmarks and fault runs.

What Nodes and claims look like (names, labels, conditions) is that of the recorded objects.
"""
import concurrent.futures
import datetime
import http.server
import ssl
import threading
import time

import api as kube

# GPUs of the machine types that tests use; others have one.
GPUS = {"Standard_NC12s_v3": 2, "Standard_NC24s_v3": 4, "Standard_NC48ads_A100_v4": 2, "Standard_NC96ads_A100_v4": 4,
        "Standard_ND96asr_A100_v4": 8, "Standard_ND96amsr_A100_v4": 8, "Standard_NV72ads_A10_v5": 2, "Standard_ND96isr_H100_v5": 8,
        "Standard_ND96isr_H200_v5": 8, "Standard_NC80adis_H100_v5": 2}
STEPS = ("Launched", "Registered", "Initialized", "Ready")  # of a claim, in order
BENCHMARK_LOG = (
    'INFO server started\n'
    'KAITO_BENCHMARK_CONFIG 2026-01-01T00:00:00Z {"duration_sec": 60, "input_tokens": 1024, "output_tokens": 256, "max_concurrency": 16}\n'
    'KAITO_BENCHMARK_RESULT 2026-01-01T00:01:00Z {"vllm_total_tpm": 123456.5, "ttft_avg_ms": 80.5, "tpot_avg_ms": 12.25}\n')
NAMESPACE_LABELS = ("kaito.sh/workspacenamespace", "karpenter.kaito.sh/workspace-namespace")


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(kind, status="True", reason=None, message=""):
    return {"type": kind, "status": status, "reason": reason or kind, "message": message, "lastTransitionTime": now()}


class Kubelet:
    """Answers the API server's log requests for every Node: `logs[(namespace, pod)]`, else the log of a finished benchmark."""

    def __init__(self, cluster):
        self.logs, self.asked = {}, []
        kubelet = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                parts = self.path.split("?")[0].split("/")
                text = "ok"
                if parts[1] == "containerLogs":
                    kubelet.asked.append(tuple(parts[2:4]))
                    text = kubelet.logs.get(tuple(parts[2:4]), BENCHMARK_LOG)
                body = text.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", cluster.kubelet_port), Handler)
        self.server.daemon_threads = True
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(cluster.dir / "server.crt", cluster.dir / "server.key")
        self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Cloud:
    def __init__(self, cluster, claims="NodeClaim"):
        self.api, self.port, self.claims = cluster.admin, cluster.kubelet_port, claims

    # --- nodes ---
    def make_node(self, name, labels, taints=None, gpus=1, provider=None, owner=None):
        room = {"cpu": "24", "memory": "220Gi", "ephemeral-storage": "500Gi", "pods": "110"}
        if gpus:
            room["nvidia.com/gpu"] = str(gpus)
        meta = {"name": name, "labels": labels}
        if owner:
            meta["ownerReferences"] = [owner]
        self.api.create("Node", {"apiVersion": "v1", "kind": "Node", "metadata": meta,
                                 "spec": {"providerID": provider or "fake:///" + name, "taints": taints or []}})
        ready = dict(condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"), lastHeartbeatTime=now())
        info = dict.fromkeys(("machineID", "systemUUID", "bootID", "kubeProxyVersion"), "")
        info.update(kubeletVersion="v1.34.3", osImage="Ubuntu 22.04.5 LTS", kernelVersion="5.15.0", containerRuntimeVersion="containerd://1.7",
                    architecture="amd64", operatingSystem="linux")
        self.api.merge("Node", None, name, {"status": {
            "capacity": room, "allocatable": room, "conditions": [ready], "nodeInfo": info,
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.port}},
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": name}]}}, "status")

    def claims_of(self, namespace=None):
        for claim in self.api.items(self.claims):
            labels = claim["metadata"].get("labels") or {}
            if namespace is None or namespace in [labels.get(key) for key in NAMESPACE_LABELS]:
                yield claim

    def condition_names(self, upto):
        names = STEPS[:STEPS.index(upto) + 1]
        return ["Machine" + n if self.claims == "Machine" and n != "Ready" else n for n in names]

    def serve_claim(self, claim, upto="Ready"):
        """Node and status for one claim, as far as step `upto`."""
        meta = claim["metadata"]
        if meta.get("deletionTimestamp"):
            return False
        name = f"aks-{meta['name'][-39:].lstrip('-')}-12345678-vmss000000"  # at most 63: it is a label value too
        labels = dict(meta.get("labels") or {})
        for r in claim["spec"].get("requirements", []):
            if r["operator"] == "In" and len(r["values"]) == 1:
                labels[r["key"]] = r["values"][0]
        machine = labels.get("node.kubernetes.io/instance-type", "")
        labels.update({"kubernetes.io/hostname": name, "kubernetes.io/arch": "amd64", "agentpool": meta["name"],
                       "kubernetes.azure.com/agentpool": meta["name"], "karpenter.sh/registered": "true", "karpenter.sh/initialized": "true",
                       "kaito.sh/machine-type": "gpu" if "Standard_N" in machine else "cpu"})
        provider = ("azure:///subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/nrg/providers/Microsoft.Compute/"
                    f"virtualMachineScaleSets/aks-{meta['name']}-12345678-vmss/virtualMachines/0")
        gpus = GPUS.get(machine, 1)
        status = {"imageID": "AKSUbuntu-2204gen2containerd-202610.01.0", "providerID": provider,
                  "conditions": [condition(n) for n in self.condition_names(upto)]}
        if not meta.get("finalizers"):
            self.api.merge(self.claims, None, meta["name"], {"metadata": {"finalizers": ["karpenter.sh/termination"]}})
        if upto != "Launched":
            owner = {"apiVersion": claim["apiVersion"], "kind": claim["kind"], "name": meta["name"], "uid": meta["uid"], "blockOwnerDeletion": True}
            self.make_node(name, labels, claim["spec"].get("taints"), gpus, provider, owner)
            status.update(nodeName=name, capacity={"nvidia.com/gpu": str(gpus)}, allocatable={"nvidia.com/gpu": str(gpus)})
        self.api.merge(self.claims, None, meta["name"], {"status": status}, "status")
        return True

    def nodes(self, namespace=None, upto="Ready"):
        served = 0
        for claim in self.claims_of(namespace):
            if not claim.get("status", {}).get("nodeName"):
                served += self.serve_claim(dict(claim, apiVersion=kube.KINDS[self.claims][0][6:], kind=self.claims), upto)
        return served

    def fail_launch(self, namespace, reason="InsufficientCapacity", message="SkuNotAvailable: the requested size is currently not available"):
        for claim in self.claims_of(namespace):
            name = self.condition_names("Launched")[0]
            self.api.merge(self.claims, None, claim["metadata"]["name"], {"status": {"conditions": [
                condition(name, "False", reason, message), condition("Ready", "False", "NotReady", message)]}}, "status")

    def lose_node(self, name):
        self.api.delete("Node", None, name)

    def node_ready(self, name, ready):
        status = condition("Ready", "True" if ready else "False", "KubeletReady" if ready else "KubeletNotReady", "")
        node = self.api.get("Node", None, name)
        others = [c for c in node["status"]["conditions"] if c["type"] != "Ready"]
        self.api.merge("Node", None, name, {"status": {"conditions": others + [dict(status, lastHeartbeatTime=now())]}}, "status")

    def reap_claim(self, claim):
        node = claim.get("status", {}).get("nodeName")
        if node:
            self.api.delete("Node", None, node)
        self.api.merge(self.claims, None, claim["metadata"]["name"], {"metadata": {"finalizers": None}})

    def reap(self, namespace=None):
        """Claims being deleted lose Node and finalizer."""
        for claim in self.claims_of(namespace):
            if claim["metadata"].get("deletionTimestamp"):
                self.reap_claim(claim)

    def pools(self, namespace=None):
        """Karpenter's static pools: as many claims as spec.replicas says."""
        have = {}
        for claim in self.api.items("NodeClaim"):
            pool = (claim["metadata"].get("labels") or {}).get("karpenter.sh/nodepool")
            have[pool] = have.get(pool, 0) + (not claim["metadata"].get("deletionTimestamp"))
        for pool in self.api.items("NodePool"):
            meta, template = pool["metadata"], pool["spec"]["template"]
            if meta.get("deletionTimestamp") or (namespace and (meta.get("labels") or {}).get(NAMESPACE_LABELS[1]) != namespace):
                continue
            labels = dict(template["metadata"].get("labels") or {}, **{"karpenter.sh/nodepool": meta["name"]})
            owner = {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "name": meta["name"], "uid": meta["uid"], "blockOwnerDeletion": True}
            spec = {k: v for k, v in template["spec"].items() if k in ("nodeClassRef", "requirements", "taints", "expireAfter")}
            for _ in range(pool["spec"].get("replicas", 0) - have.get(meta["name"], 0)):
                self.api.create("NodeClaim", {"apiVersion": "karpenter.sh/v1", "kind": "NodeClaim", "spec": spec, "metadata": {
                    "generateName": meta["name"] + "-", "labels": labels, "ownerReferences": [owner]}})
            self.api.merge("NodePool", None, meta["name"], {"status": {"nodeClassObservedGeneration": 1, "conditions": [
                condition("Ready"), condition("ValidationSucceeded"), condition("NodeClassReady")]}}, "status")

    # --- pods ---
    def volumes(self, namespace=None):
        for claim in self.api.items("PersistentVolumeClaim", namespace):
            if claim.get("status", {}).get("phase") != "Pending" or claim["spec"].get("volumeName"):
                continue
            meta, spec = claim["metadata"], claim["spec"]
            name = "pvc-" + meta["uid"]
            self.api.create("PersistentVolume", {
                "apiVersion": "v1", "kind": "PersistentVolume",
                "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": "fake"}},
                "spec": {"capacity": {"storage": spec["resources"]["requests"]["storage"]}, "accessModes": spec["accessModes"],
                         "persistentVolumeReclaimPolicy": "Retain", "storageClassName": spec.get("storageClassName", ""),
                         "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": meta["name"], "namespace": meta["namespace"],
                                      "uid": meta["uid"]},
                         "csi": {"driver": "localdisk.csi.acstor.io", "volumeHandle": name}}})

    def pod_status(self, pod, state):
        """The status a kubelet would write: ready, running, crash, oom, imagepull."""
        running, ended = {"running": {"startedAt": now()}}, {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now(), "finishedAt": now()}}
        main, last, restarts, ready = running, {}, 0, state == "ready"
        if state == "crash":
            main, restarts = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}}, 6
            last = {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": now(), "finishedAt": now()}}
        elif state == "oom":
            main, restarts = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}}, 6
            last = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "startedAt": now(), "finishedAt": now()}}
        elif state == "imagepull":
            main = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image: not found"}}

        def container(c, what, is_ready, before=None):
            return {"name": c["name"], "image": c["image"], "imageID": c["image"], "ready": is_ready, "started": "running" in what,
                    "restartCount": restarts if before else 0, "state": what, "lastState": before or {}}
        number = int(pod["metadata"]["uid"][:8], 16) % 60000
        address = f"10.244.{number // 250}.{number % 250 + 1}"
        flags = [("Initialized", True), ("ContainersReady", ready), ("Ready", ready)]
        return {
            "phase": "Pending" if state == "imagepull" else "Running", "podIP": address, "podIPs": [{"ip": address}], "hostIP": "10.224.0.4",
            "startTime": now(),
            "conditions": [c for c in pod.get("status", {}).get("conditions", []) if c["type"] == "PodScheduled"] +
                          [{"type": t, "status": "True" if on else "False", "lastTransitionTime": now()} for t, on in flags],
            "initContainerStatuses": [container(c, running if c.get("restartPolicy") == "Always" else dict(ended), True)
                                      for c in pod["spec"].get("initContainers", [])],
            "containerStatuses": [container(c, main, ready, last if i == 0 else None) for i, c in enumerate(pod["spec"]["containers"])]}

    def serve_pod(self, pod, state="ready", again=False):
        meta, status = pod["metadata"], pod.get("status", {})
        if meta.get("deletionTimestamp"):
            self.api.delete("Pod", meta["namespace"], meta["name"], now=True)
            return False
        if not pod["spec"].get("nodeName") or (status.get("phase") in ("Running", "Succeeded", "Failed") and not again):
            return False
        self.api.merge("Pod", meta["namespace"], meta["name"], {"status": self.pod_status(pod, state)}, "status")
        return True

    def pods(self, namespace=None, state="ready", again=False):
        """Scheduled pods reach `state`, claims get volumes, pods being deleted go. again: those that run already, too."""
        self.volumes(namespace)
        return sum(self.serve_pod(pod, state, again) for pod in self.api.items("Pod", namespace))

    def finish(self, namespace=None, code=0, message=""):
        """Running pods of Jobs end with an exit code (and a termination message)."""
        for pod in self.api.items("Pod", namespace):
            meta, status = pod["metadata"], pod.get("status", {})
            if status.get("phase") != "Running" or not any(o["kind"] == "Job" for o in meta.get("ownerReferences", [])):
                continue
            end = {"exitCode": code, "reason": "Error" if code else "Completed", "startedAt": now(), "finishedAt": now()}
            if message:
                end["message"] = message
            for key in ("containerStatuses", "initContainerStatuses"):
                for c in status.get(key, []):
                    c.update(ready=False, started=False, state={"terminated": dict(end)})
            for c in status.get("conditions", []):
                if c["type"] in ("Ready", "ContainersReady"):
                    c.update(status="False", reason="PodCompleted")
            status["phase"] = "Failed" if code else "Succeeded"
            self.api.merge("Pod", meta["namespace"], meta["name"], {"status": status}, "status")

    def remove_pods(self, namespace):
        for pod in self.api.items("Pod", namespace):
            self.api.delete("Pod", namespace, pod["metadata"]["name"], now=True)

    # --- workloads without a controller-manager ---
    def ready_statefulset(self, item):
        count, meta = item["spec"].get("replicas", 1), item["metadata"]
        numbers = dict.fromkeys(("replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas"), count)
        self.api.merge("StatefulSet", meta["namespace"], meta["name"], {"status": dict(numbers, observedGeneration=meta["generation"])}, "status")

    def complete_job(self, item):
        meta = item["metadata"]
        ends = [{"type": t, "status": "True", "lastTransitionTime": now()} for t in ("SuccessCriteriaMet", "Complete")]
        self.api.merge("Job", meta["namespace"], meta["name"], {"status": {
            "succeeded": 1, "startTime": now(), "completionTime": now(), "uncountedTerminatedPods": {}, "ready": 0, "conditions": ends}}, "status")


class Loop:
    """Does the cloud's and the kubelets' part as objects appear. workloads: also the controller-manager's part (statuses of
    StatefulSets and Jobs), for benchmarks without one; finish: Job pods end by themselves. `claims_seen` counts every claim
    per Workspace that was ever there: the proof that no node was asked for twice."""

    def __init__(self, cloud, workloads=False, finish=False, workers=8, on_claim=None):
        self.cloud, self.finish, self.on_claim = cloud, finish, on_claim
        self.pool = concurrent.futures.ThreadPoolExecutor(workers)
        self.stopping, self.connections, self.claims_seen, self.errors = False, [], {}, []
        self.paused = threading.Event()
        self.paused.set()
        handlers = {cloud.claims: self.claim}
        handlers.update({"StatefulSet": self.statefulset, "Job": self.job} if workloads else {"Pod": self.pod, "PersistentVolumeClaim": self.volume})
        self.threads = [threading.Thread(target=self.follow, args=(kind, handler), daemon=True) for kind, handler in handlers.items()]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.paused.set()
        for connection in self.connections:
            try:
                connection.sock.close()
            except (OSError, AttributeError):
                pass
        self.pool.shutdown(wait=False, cancel_futures=True)

    def follow(self, kind, handler):
        while not self.stopping:
            try:
                answer = self.cloud.api.must("GET", kube.path(kind))
                for item in answer.get("items") or []:
                    self.submit(handler, dict(item, kind=kind, apiVersion=answer["apiVersion"]))
                for event, item in self.cloud.api.watch(kind, version=answer["metadata"]["resourceVersion"], stop=self.connections):
                    if event in ("ADDED", "MODIFIED"):
                        self.submit(handler, item)
            except (OSError, kube.Refused, KeyError, ValueError):
                time.sleep(0.2)  # the API server is away; list again

    def submit(self, handler, item):
        try:
            self.pool.submit(self.guarded, handler, item)
        except RuntimeError:
            pass  # shut down

    def guarded(self, handler, item):
        for _ in range(20):
            self.paused.wait()
            if self.stopping:
                return
            try:
                handler(item)
                return
            except (OSError, kube.Refused) as error:  # a list after the API server's return brings what is given up here
                self.errors.append(str(error))
                time.sleep(0.2)

    def claim(self, claim):
        meta = claim["metadata"]
        labels = meta.get("labels") or {}
        owner = (labels.get("kaito.sh/workspacenamespace") or labels.get(NAMESPACE_LABELS[1]), labels.get("kaito.sh/workspace") or labels.get("karpenter.kaito.sh/workspace-name"))
        first = meta["uid"] not in self.claims_seen.setdefault(owner, set())
        self.claims_seen[owner].add(meta["uid"])
        if first and self.on_claim:
            self.on_claim(claim)
        if meta.get("deletionTimestamp"):
            if meta.get("finalizers"):
                self.cloud.reap_claim(claim)
        elif not claim.get("status", {}).get("nodeName"):
            self.cloud.serve_claim(claim)

    def pod(self, pod):
        jobs = any(o["kind"] == "Job" for o in pod["metadata"].get("ownerReferences", []))
        if self.finish and jobs and pod.get("status", {}).get("phase") == "Running" and not pod["metadata"].get("deletionTimestamp"):
            self.cloud.finish(pod["metadata"]["namespace"])
        else:
            self.cloud.serve_pod(pod)

    def volume(self, claim):
        if claim.get("status", {}).get("phase") == "Pending" and not claim["spec"].get("volumeName"):
            self.cloud.volumes(claim["metadata"]["namespace"])

    def statefulset(self, item):
        if item.get("status", {}).get("readyReplicas", 0) != item["spec"].get("replicas", 1) and not item["metadata"].get("deletionTimestamp"):
            self.cloud.ready_statefulset(item)

    def job(self, item):
        if not item.get("status", {}).get("completionTime") and not item["metadata"].get("deletionTimestamp"):
            self.cloud.complete_job(item)

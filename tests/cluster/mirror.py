"""What is in the cluster right now, kept by one watch per kind: reading it costs the API server nothing, and `quiet_for` tells
how long a case has been still. Objects without a namespace belong to the namespace that their labels (or their owner's) name.
"""
import threading
import time

import api as kube
import play

KINDS = ("Workspace", "InferenceSet", "MultiRoleInference", "NodeClaim", "NodePool", "Service", "ConfigMap", "Secret", "PersistentVolumeClaim",
         "ControllerRevision", "StatefulSet", "Job", "Pod", "Event", "Node")
# Written again and again by others than the tested controller; not a sign of life.
RESTLESS = ("Event",)


class Mirror:
    def __init__(self, client, kinds=KINDS):
        self.client, self.kinds = client, [k for k in kinds if k in kube.KINDS]
        self.lock = threading.Condition()
        self.objects, self.changed, self.owner_of = {}, {}, {}
        self.connections, self.stopping, self.listed = [], False, 0
        self.observers = []  # called with (kind, object, gone) for every version that a watch brings, in its order

    def __enter__(self):
        for kind in self.kinds:
            threading.Thread(target=self.follow, args=(kind,), daemon=True).start()
        end = time.monotonic() + 30
        with self.lock:
            while self.listed < len(self.kinds) and time.monotonic() < end:
                self.lock.wait(1)
        return self

    def __exit__(self, *_):
        self.stopping = True
        for connection in self.connections:
            try:
                connection.sock.close()
            except (OSError, AttributeError):
                pass

    def follow(self, kind):
        first = True
        while not self.stopping:
            try:
                answer = self.client.must("GET", kube.path(kind))
            except (OSError, kube.Refused):
                if first and not self.stopping:
                    with self.lock:
                        self.listed += 1
                        self.lock.notify_all()
                    first = False
                time.sleep(0.3)
                continue
            seen = set()
            for item in answer.get("items") or []:
                self.put(kind, dict(item, kind=kind, apiVersion=answer["apiVersion"]))
                seen.add(self.key(kind, item))
            with self.lock:
                for key in [k for k in self.objects if k[0] == kind and k not in seen]:
                    del self.objects[key]
                self.listed += first
                first = False
                self.lock.notify_all()
            for event, item in self.client.watch(kind, version=answer["metadata"]["resourceVersion"], stop=self.connections):
                if event == "BOOKMARK":
                    continue
                self.put(kind, item, event == "DELETED")

    def key(self, kind, item):
        return kind, item["metadata"].get("namespace", ""), item["metadata"]["name"]

    def home(self, kind, item):
        """The namespace of the case that an object belongs to."""
        meta = item["metadata"]
        if meta.get("namespace"):
            return meta["namespace"]
        labels = meta.get("labels") or {}
        for label in (*play.NAMESPACE_LABELS, "case"):
            if labels.get(label):
                return labels[label]
        for owner in meta.get("ownerReferences", []):
            if owner["uid"] in self.owner_of:
                return self.owner_of[owner["uid"]]
        return ""

    def put(self, kind, item, gone=False):
        with self.lock:
            home = self.home(kind, item)
            self.owner_of[item["metadata"]["uid"]] = home
            key = self.key(kind, item)
            if gone:
                self.objects.pop(key, None)
            else:
                self.objects[key] = (home, item)
            if kind not in RESTLESS:
                self.changed[home] = time.monotonic()
            for observer in self.observers:
                observer(kind, item, gone)
            self.lock.notify_all()

    def of(self, namespace):
        with self.lock:
            return [item for home, item in self.objects.values() if home == namespace]

    def get(self, kind, namespace, name):
        with self.lock:
            found = self.objects.get((kind, namespace or "", name))
        return found[1] if found else None

    def all(self, kind):
        with self.lock:
            return [item for key, (_, item) in self.objects.items() if key[0] == kind]

    def count(self, kind, test=lambda item: True):
        return sum(1 for item in self.all(kind) if test(item))

    def quiet_for(self, namespace):
        return time.monotonic() - self.changed.get(namespace, 0)

    def until(self, condition, seconds):
        """Waits for condition() to hold, looked at after a change; returns whether it does. A condition that is dear to
        evaluate is looked at less often: watching must not cost more than what is watched."""
        end = time.monotonic() + seconds
        while True:
            begin = time.monotonic()
            if condition():
                return True
            time.sleep(min(1.0, 8 * (time.monotonic() - begin)))
            left = end - time.monotonic()
            if left <= 0:
                return False
            with self.lock:
                self.lock.wait(min(left, 0.5))

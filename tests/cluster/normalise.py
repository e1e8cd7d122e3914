"""Makes two records of the same case comparable: what differs from run to run gets one name on both sides.

Applied alike to the recorded stages and to what the tested controller made. What goes: times, uids (each becomes the object
it names), random names (claims, generateName), addresses, hashes of the StatefulSet controller, the order of command-line
flags, embedded scripts and the chart's texts (only that there is one is compared), and everything that others than the
workspace controller write: the status of Pods, Nodes and claims, Pod specs made from templates, the StatefulSet controller's revisions.
"""
import json
import re

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
UID = re.compile(r"<uid:\d+>|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
CLAIM = re.compile(r"\bws[0-9a-f]{9}\b")
ADDRESS = re.compile(r"\b10\.(?:96|244)\.\d+\.\d+\b")
DNS = re.compile(r"\b\d+\.\d+\.\d+\.\d+:53\b|<dns>")
SCHEDULER = re.compile(r"\d+/\d+ nodes are available: .*?(?:not found\. not found|not found|$)")  # how many nodes other cases have now
DROP_META = ("managedFields", "resourceVersion", "creationTimestamp", "selfLink", "uid")
OTHERS_STATUS = ("Pod", "Node", "NodeClaim", "NodePool", "Machine", "PersistentVolumeClaim")


def controller_of(obj):
    for owner in obj.get("metadata", {}).get("ownerReferences", []):
        if owner.get("controller"):
            return owner["kind"]
    return ""


class Names:
    """What uids and random names of one case mean; grows from stage to stage, so that a deleted owner keeps its name."""

    def __init__(self, namespace=None):
        """namespace: one name for it too, to compare the same life in two namespaces."""
        self.uids, self.random, self.namespace = {}, {}, namespace

    def learn(self, objects):
        for obj in objects:
            meta = obj.get("metadata", {})
            name, prefix = meta.get("name", ""), meta.get("generateName", "")
            if prefix and name.startswith(prefix) and re.fullmatch(r"[a-z0-9]{5}", name[len(prefix):]):
                self.random[name] = prefix + "<random>"
        for obj in objects:
            meta = obj.get("metadata", {})
            if meta.get("uid"):
                self.uids[meta["uid"]] = f"<{obj['kind']} {self.text(meta['name'], False)}>"
        if self.random:
            names = sorted(self.random, key=len, reverse=True)
            self.pattern = re.compile("(?<![a-z0-9])(" + "|".join(map(re.escape, names)) + r")(?![a-z0-9])")

    def text(self, value, uids=True):
        if uids:
            value = UID.sub(lambda m: self.uids.get(m[0], "<uid>"), value)
        if self.namespace:
            value = value.replace(self.namespace, "<namespace>")
        value = TIME.sub("<time>", value)
        value = CLAIM.sub("ws<hash>", value)
        if self.random and hasattr(self, "pattern"):
            value = self.pattern.sub(lambda m: self.random[m[0]], value)
        value = SCHEDULER.sub("<no node>", value)
        return DNS.sub("<dns>", ADDRESS.sub("<ip>", value))


def simple_command(text):
    """A command as its words before the first flag and the sorted flags."""
    if " --" not in text:
        return text.strip()
    head, *flags = re.split(r"\s--(?=[a-zA-Z])", text)
    return {"command": head.strip(), "flags": sorted(flag.strip() for flag in flags)}


def command_line(text):
    """A command line of the shell, command by command; upstream writes flags in random order."""
    if text.startswith("<script") or text.count("\n") >= 5:
        return "<script>"
    commands = [simple_command(part) for part in re.split(r";(?=\s)", text)] if " --" in text else [text]
    return commands[0] if len(commands) == 1 else commands


def walk(value, names, key=""):
    if isinstance(value, dict):
        return {names.text(k): walk(v, names, k) for k, v in value.items()}
    if isinstance(value, list):
        if key in ("command", "args"):
            return [command_line(names.text(v)) if isinstance(v, str) else v for v in value]
        made = [walk(v, names, key) for v in value]
        return sorted(made) if key == "workerNodes" else made
    return names.text(value) if isinstance(value, str) else value


def drop_empty(value):
    """Members that are null: upstream's client writes some, the API server drops others."""
    if isinstance(value, dict):
        return {k: drop_empty(v) for k, v in value.items() if v is not None}
    return [drop_empty(v) for v in value] if isinstance(value, list) else value


def one(obj, names):
    kind, meta = obj["kind"], dict(obj.get("metadata", {}))
    if kind == "Event":
        regarding = obj.get("involvedObject", {})
        return walk({"kind": kind, "involvedObject": {k: regarding.get(k) for k in ("kind", "name")}, "type": obj.get("type"),
                     "component": (obj.get("source") or {}).get("component") or obj.get("reportingComponent"), "reason": obj.get("reason"), "message": obj.get("message")}, names)
    for key in DROP_META:
        meta.pop(key, None)
    annotations = {k: v for k, v in (meta.pop("annotations", None) or {}).items() if k != "kubectl.kubernetes.io/last-applied-configuration"}
    if annotations:
        meta["annotations"] = annotations
    owner = controller_of(obj)
    obj = dict(obj, metadata=meta)
    if kind in OTHERS_STATUS:
        obj.pop("status", None)
    if kind == "Pod" and owner:
        obj.pop("spec", None)
        meta.pop("generation", None)
        meta["labels"] = {k: v for k, v in meta.get("labels", {}).items() if k != "controller-revision-hash"}
    if kind == "PersistentVolumeClaim":
        for key in ("ownerReferences", "annotations"):  # the StatefulSet controller's, the binder's and the scheduler's, some time later
            meta.pop(key, None)
    if kind == "StatefulSet":
        status = dict(obj.get("status", {}))
        for key in ("currentRevision", "updateRevision", "collisionCount", "observedGeneration"):
            status.pop(key, None)
        obj["status"] = status
    if kind == "ConfigMap" and meta["name"].endswith("-params-template"):
        obj["data"] = dict.fromkeys(obj.get("data", {}), "<text of the chart>")
    if kind == "Secret":
        obj["data"] = dict.fromkeys(obj.get("data", {}) or {}, "<hidden>")
    return drop_empty(walk(obj, names))


def wanted(obj):
    if obj["kind"] == "ControllerRevision" and controller_of(obj) == "StatefulSet":
        return False
    if obj["kind"] == "ConfigMap" and obj["metadata"]["name"] == "kube-root-ca.crt":
        return False
    return True


def key_of(obj):
    if obj["kind"] == "Event":
        regarding = obj["involvedObject"]
        return obj["kind"], f"{regarding['kind']}/{regarding['name']} {obj['reason']}: {obj['message']}"
    return obj["kind"], obj["metadata"]["name"]


def leaving(objects):
    """uids of claims being deleted and of their Nodes: when they go is the cloud's business, in the recording a race."""
    claims = {o["metadata"]["uid"]: bool(o["metadata"].get("deletionTimestamp")) for o in objects if o["kind"] in ("NodeClaim", "Machine")}
    gone = {uid for uid, deleting in claims.items() if deleting}
    for o in objects:
        owners = o["metadata"].get("ownerReferences", []) if o["kind"] == "Node" else []
        if any(owner["kind"] in ("NodeClaim", "Machine") and claims.get(owner["uid"], True) for owner in owners):
            gone.add(o["metadata"]["uid"])
    return gone


def stage(objects, names):
    """{(kind, name): object}; interchangeable objects (claims, generated replicas) are numbered in a fixed order."""
    objects = [o for o in objects if o]
    names.learn(objects)
    found, gone = {}, leaving(objects)
    for obj in objects:
        if wanted(obj) and obj.get("metadata", {}).get("uid") not in gone:
            made = one(obj, names)
            found.setdefault(key_of(made), []).append(made)
    numbered = {}
    for key, alike in found.items():
        alike.sort(key=lambda o: json.dumps(o, sort_keys=True))
        for number, obj in enumerate(alike):
            numbered[(key[0], key[1] + (f" #{number + 1}" if len(alike) > 1 else ""))] = obj
    return numbered

"""Reads the audit log: what the tested controller wrote, how often, and which of it changed nothing.

A successful update or patch is a no-op when the version it answers with was there before the call began: etcd gives every
real change a version above all versions answered earlier.
"""
import datetime
import re
from collections import Counter

CHANGES = ("create", "update", "patch", "delete", "deletecollection")


def when(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Write:
    """One audited change: verb, resource, namespace, name, code; `noop` is set by `writes`."""

    def __init__(self, event):
        ref = event.get("objectRef", {})
        self.verb, self.code = event["verb"], event.get("responseStatus", {}).get("code", 0)
        self.resource = ref.get("resource", "") + ("/" + ref["subresource"] if ref.get("subresource") else "")
        self.namespace, self.name = ref.get("namespace", ""), ref.get("name", "")
        self.body, self.answer = event.get("requestObject") or {}, event.get("responseObject") or {}
        if not self.name:
            self.name = self.answer.get("metadata", {}).get("name", "")
        self.begin, self.end = when(event["requestReceivedTimestamp"]), when(event["stageTimestamp"])
        self.noop = False
        labels = (self.answer.get("metadata", {}).get("labels") or {}) if isinstance(self.answer, dict) else {}
        self.home = self.namespace or labels.get("kaito.sh/workspacenamespace") or labels.get("karpenter.kaito.sh/workspace-namespace") or ""

    def __str__(self):
        return f"{self.verb} {self.resource} {self.name} -> {self.code}" + (" (no-op)" if self.noop else "")

    @property
    def version(self):
        text = (self.answer.get("metadata") or {}).get("resourceVersion", "")
        return int(text) if re.fullmatch(r"\d+", text) else 0


def writes(events):
    """The changes among audit events, in order, Leases and Events left out."""
    made = []
    for event in events:
        ref = event.get("objectRef", {})
        if event["verb"] in CHANGES and ref.get("resource") not in ("leases", "events"):
            made.append(Write(event))
    made.sort(key=lambda w: w.end)
    for i, write in enumerate(made):
        meta = write.answer.get("metadata") or {}
        last = meta.get("deletionTimestamp") and not meta.get("finalizers")  # it let the object go: no new version
        if write.verb in ("update", "patch") and write.code == 200 and write.version and not last:
            if write.version == int((write.body.get("metadata") or {}).get("resourceVersion") or 0) and write.verb == "update":
                write.noop = True
            elif any(earlier.version >= write.version for earlier in made[:i] if earlier.code < 300 and earlier.end < write.begin):
                write.noop = True
    return made


def homes(made):
    """Gives cluster-scoped writes that carry no label (deletes) the namespace of an earlier write to the same object."""
    known = {(w.resource.split("/")[0], w.name): w.home for w in made if w.home}
    for write in made:
        write.home = write.home or known.get((write.resource.split("/")[0], write.name), "")
    return made


def by_verb(made):
    return Counter(f"{w.verb} {w.resource}" for w in made)

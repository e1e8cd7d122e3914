"""Differences of two normalised stages, one line each, and the table of those that are accepted.

`differences.yaml` is the only place where a difference may be declared: which cases and stages, object kind and path (globs),
optionally what is there instead, and why. A row that matches nothing any more fails the run that covered its cases.
"""
import fnmatch
import json
import pathlib
import re
from collections import namedtuple

import yaml

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TABLE = pathlib.Path(__file__).with_name("differences.yaml")
Difference = namedtuple("Difference", "case stage kind name path expected got")
ABSENT = "(absent)"
EXPLICIT = ("Answer", "Write", "Count")  # a refusal, a write without effect, too many writes: only a row that names them accepts them
LIST_KEYS = ("name", "type", "mountPath", "key", "containerPort", "port")


def load_all(text):
    return [doc for doc in yaml.load_all(text, Loader) if doc]


def show(value, limit=300):
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= limit else text[:limit] + "..."


def list_key(*lists):
    """The member that names the elements of these lists, if one does."""
    for key in LIST_KEYS:
        if all(isinstance(e, dict) and isinstance(e.get(key), (str, int)) for l in lists for e in l) and \
                all(len({e[key] for e in l}) == len(l) for l in lists):
            return key
    return None


def lists(expected, got, path):
    key = list_key(expected, got)
    if key:
        old, new = {str(e[key]): e for e in expected}, {str(e[key]): e for e in got}
        for name in list(old) + [n for n in new if n not in old]:
            yield from values(old.get(name, ABSENT), new.get(name, ABSENT), f"{path}[{name}]")
        if path.endswith("ontainers") and set(old) == set(new) and list(old) != list(new):
            yield path + ".order", list(old), list(new)
        return
    if len(expected) == len(got) and not path.endswith(".flags"):
        for i, (a, b) in enumerate(zip(expected, got)):
            yield from values(a, b, f"{path}[{i}]")
        return
    left = list(got)
    for element in expected:
        if element in left:
            left.remove(element)
        else:
            label = flag_name(element)
            other = next((e for e in left if label and flag_name(e) == label), ABSENT)
            if other is not ABSENT:
                left.remove(other)
            yield f"{path}[{label or '?'}]", element, other
    for element in left:
        yield f"{path}[{flag_name(element) or '?'}]", ABSENT, element


def flag_name(element):
    return re.split(r"[= ]", element, maxsplit=1)[0] if isinstance(element, str) else ""


def values(expected, got, path):
    """Yields (path, expected, got)."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in list(expected) + [k for k in got if k not in expected]:
            yield from values(expected.get(key, ABSENT), got.get(key, ABSENT), f"{path}.{key}" if path else str(key))
    elif isinstance(expected, list) and isinstance(got, list):
        yield from lists(expected, got, path)
    elif expected != got:
        yield path, expected, got


def stages(case, name, expected, got):
    found = []
    for key in sorted(set(expected) | set(got)):
        kind, obj = key
        if key not in got:
            found.append(Difference(case, name, kind, obj, "", "present", ABSENT))
        elif key not in expected:
            found.append(Difference(case, name, kind, obj, "", ABSENT, "present " + show(summary(got[key]), 200)))
        else:
            found += [Difference(case, name, kind, obj, *d) for d in values(expected[key], got[key], "")]
    return found


def summary(obj):
    return obj.get("message", "") if obj["kind"] == "Event" else ""


class Table:
    """The accepted differences and which of them occurred."""

    def __init__(self, file=TABLE):
        with open(file, encoding="utf-8") as text:
            self.rows = yaml.load(text, Loader)["accepted"]
        for row in self.rows:
            unknown = set(row) - {"cases", "stages", "kind", "name", "path", "expected", "got", "why", "sometimes"}
            if unknown or not row.get("why"):
                raise ValueError(f"differences.yaml: row {row}: {unknown or 'a row needs a why'}")
        self.used = [0] * len(self.rows)

    @staticmethod
    def match(glob, value):
        globs = glob if isinstance(glob, list) else [glob]
        return any(fnmatch.fnmatchcase(value, str(g).replace("[", "[[]")) for g in globs)

    def accepts(self, d):
        accepted = False
        for i, row in enumerate(self.rows):
            if d.kind in EXPLICIT and d.kind not in row.get("kind", []):
                continue
            if self.match(row.get("cases", "*"), d.case) and self.match(row.get("stages", "*"), d.stage) and \
                    self.match(row.get("kind", "*"), d.kind) and self.match(row.get("name", "*"), d.name) and \
                    self.match(row.get("path", "*"), d.path) and self.match(row.get("expected", "*"), show(d.expected, 10000)) and \
                    self.match(row.get("got", "*"), show(d.got, 10000)):
                self.used[i] += 1
                accepted = True
        return accepted

    def unused(self, cases_run, all_cases):
        """Rows that matched nothing although every case they name was run."""
        for row, used in zip(self.rows, self.used):
            named = [c for c in all_cases if self.match(row.get("cases", "*"), c)]
            if not used and not row.get("sometimes") and all(c in cases_run for c in named):
                yield row


def text_of(differences):
    """One block per object, one line per path."""
    lines, last = [], None
    for d in differences:
        head = (d.stage, d.kind, d.name)
        if head != last:
            lines.append(f"{d.stage}: {d.kind} {d.name}")
            last = head
        if not d.path:
            lines.append(f"    expected {show(d.expected)}, got {show(d.got)}")
        else:
            lines.append(f"    {d.path}\n        expected {show(d.expected)}\n        got      {show(d.got)}")
    return "\n".join(lines)

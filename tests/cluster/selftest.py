"""The comparison tool against the recorded data itself: a stage fed as its own answer has no difference, and every planted
one is found under the right path. Needs no cluster. Usage: selftest.py"""
import copy
import sys

import compare
import golden
import normalise


def stages_of(case):
    names = normalise.Names()
    for name, objects in case.recorded():
        yield name, objects, normalise.stage(objects, names)


def mutations(objects):
    """(what, mutated copy, (kind, part of path) that must be reported)."""
    for i, obj in enumerate(objects):
        def changed(action, copied=obj, at=i):
            new = copy.deepcopy(objects)
            action(new[at])
            return new
        if obj["kind"] == "Workspace":
            yield "state", changed(lambda o: o["status"].update(state="Other")), ("Workspace", "status.state")
            yield "condition", changed(lambda o: o["status"]["conditions"].pop()), ("Workspace", "status.conditions")
            yield "finalizer", changed(lambda o: o["metadata"].update(finalizers=[])), ("Workspace", "metadata.finalizers")
        if obj["kind"] == "StatefulSet" and "0.84" in str(obj["spec"]["template"]["spec"]["containers"][0].get("command")):
            def flag(o):
                command = o["spec"]["template"]["spec"]["containers"][0]["command"]
                command[-1] = command[-1].replace("0.84", "0.5") + " --extra=1"
            yield "flag", changed(flag), ("StatefulSet", ".flags")
        if obj["kind"] == "NodeClaim" and not obj["metadata"].get("deletionTimestamp"):
            yield "lost object", objects[:i] + objects[i + 1:], ("NodeClaim", "")
            yield "requirement", changed(lambda o: o["spec"]["requirements"].pop()), ("NodeClaim", "spec.requirements")


def reordered_flags(objects):
    """The same objects with the flags of the command line in another order: no difference."""
    new = copy.deepcopy(objects)
    for obj in new:
        if obj["kind"] == "StatefulSet":
            for container in obj["spec"]["template"]["spec"]["containers"]:
                if "command" in container and "\n" not in container["command"][-1]:
                    container["command"][-1] = ";".join(reversed_flags(part) for part in container["command"][-1].split(";"))
    return new


def reversed_flags(command):
    head, *flags = command.split(" --")
    return " --".join([head] + flags[::-1])


def main():
    bad = checked = planted = 0
    for case in golden.cases():
        other = normalise.Names()
        for name, objects, expected in stages_of(case):
            checked += 1
            left = compare.stages(case.name, name, expected, normalise.stage(reordered_flags(objects), other))
            if left:
                bad += 1
                print(compare.text_of(left))
            for what, mutated, (kind, path) in mutations(objects):
                planted += 1
                found = compare.stages(case.name, name, expected, normalise.stage(mutated, copy.deepcopy(other)))
                if not any(d.kind == kind and path in d.path for d in found):
                    bad += 1
                    print(f"{case.name} {name}: a planted difference was not found: {what}")
    print(f"{checked} stages equal to themselves, {planted} planted differences found" if not bad else f"{bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

"""The section of docs/differences.md that tells of accepted differences from the recorded objects, made from differences.yaml.

Usage: differences.py --write | --check
"""
import sys

import compare
from cluster import ROOT

FILE = ROOT / "docs/differences.md"
BEGIN = "<!-- recorded objects: made by tests/cluster/differences.py -->"
END = "<!-- end of recorded objects -->"


def cell(value):
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def section():
    lines = [BEGIN, "", "Every other object that the controller makes equals the one recorded from upstream's, case by case (`tests/cluster/golden.py`).", "",
             "| cases | object | where | why |", "| --- | --- | --- | --- |"]
    for row in compare.Table().rows:
        what = cell(row.get("kind", "any")) + (" " + cell(row["name"]) if "name" in row else "")
        lines.append(f"| {cell(row.get('cases', 'all'))} | {what} | {'`' + cell(row['path']) + '`' if row.get('path') else 'whole'} | {cell(row['why'])} |")
    return "\n".join(lines + ["", END])


def main():
    text = FILE.read_text(encoding="utf-8")
    made = section()
    if BEGIN in text:
        new = text[:text.index(BEGIN)] + made + text[text.index(END) + len(END):]
    else:
        new = text.rstrip("\n") + "\n\n### Objects that differ from the recorded ones\n\n" + made + "\n"
    if sys.argv[1:] == ["--write"]:
        FILE.write_text(new, encoding="utf-8")
    elif new != text:
        print("docs/differences.md is not fresh: tests/cluster/run.sh differences.py --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

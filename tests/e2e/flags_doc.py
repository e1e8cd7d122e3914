"""The tables of flags in docs/ are those that `kaito COMMAND --help` prints. Usage: flags_doc.py KAITO [--write]"""
import pathlib
import re
import subprocess
import sys

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
PAGES = {"controller": "controller.md", "provisioner": "provisioner.md"}  # command -> page
BEGIN, END = "<!-- flags -->", "<!-- /flags -->"


def table(command):
    help_text = subprocess.run([sys.argv[1], command, "--help"], capture_output=True, text=True, check=True).stdout
    rows = re.findall(r"^  --([a-z-]+)(?: ([A-Z]+))? +(.*)$", help_text, re.M)
    return rows, "\n".join(["| flag | meaning (default) |", "| --- | --- |"] + [f"| `--{name}{' ' + value if value else ''}` | {text} |" for name, value, text in rows])


def main():
    stale = 0
    for command, page in PAGES.items():
        rows, lines = table(command)
        file = DOCS / page
        text = file.read_text(encoding="utf-8")
        new = text[:text.index(BEGIN) + len(BEGIN)] + "\n" + lines + "\n" + text[text.index(END):]
        if "--write" in sys.argv:
            file.write_text(new, encoding="utf-8")
        elif new != text or len(rows) < 20:
            print(f"docs/{page} is not fresh: python3 tests/e2e/flags_doc.py KAITO --write")
            stale = 1
    return stale


sys.exit(main())

"""The flags in docs/controller.md are those of `kaito controller --help`. Usage: flags_doc.py KAITO [--write]"""
import pathlib
import re
import subprocess
import sys

FILE = pathlib.Path(__file__).resolve().parents[2] / "docs/controller.md"
BEGIN, END = "<!-- flags -->", "<!-- /flags -->"


def main():
    help_text = subprocess.run([sys.argv[1], "controller", "--help"], capture_output=True, text=True, check=True).stdout
    rows = re.findall(r"^  --([a-z-]+)(?: ([A-Z]+))? +(.*)$", help_text, re.M)
    table = "\n".join(["| flag | meaning (default) |", "| --- | --- |"] + [f"| `--{name}{' ' + value if value else ''}` | {text} |" for name, value, text in rows])
    text = FILE.read_text(encoding="utf-8")
    new = text[:text.index(BEGIN) + len(BEGIN)] + "\n" + table + "\n" + text[text.index(END):]
    if "--write" in sys.argv:
        FILE.write_text(new, encoding="utf-8")
    elif new != text or len(rows) < 20:
        print("docs/controller.md is not fresh: python3 tests/e2e/flags_doc.py KAITO --write")
        return 1
    return 0


sys.exit(main())

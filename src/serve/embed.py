#!/usr/bin/env python3
"""Writes a file as a C array: embed.py INPUT OUTPUT NAME HEADER."""
import sys

source, target, name, header = sys.argv[1:]
data = open(source, "rb").read()
rows = (", ".join(str(b) for b in data[i:i + 24]) for i in range(0, len(data), 24))
with open(target, "w") as out:
    out.write(f'#include "{header}"\n\nconst char {name}[] = {{\n')
    out.writelines(f"\t{row},\n" for row in rows)
    out.write(f"\t0\n}};\nconst size_t {name}_len = sizeof {name} - 1;\n")

#!/usr/bin/env bash
# What the compiler does not check: banned functions, first comments, file and function sizes, left-over notes.
set -euo pipefail
cd "$(dirname "$0")/.."
python3 - <<'PY'
import re, subprocess, sys
files = subprocess.run(['git', 'ls-files', 'src', 'tests', 'fuzz', 'bench'], capture_output=True, text=True, check=True).stdout.split()
# Each with the reason; extend with a row.
BANNED = {
    r'\b(strcpy|strcat|sprintf|vsprintf|gets|strncpy|strncat)\s*\(': 'unbounded or misleading string function; use buf.h or snprintf',
    r'\b(atoi|atol|atof)\s*\(': 'cannot report errors; use str_to_i64 or str_to_f64',
    r'\b(alloca)\s*\(': 'unbounded stack',
    r'\b(system|popen)\s*\(': 'runs a shell; use posix_spawn',
    r'\bstrtok\s*\(': 'hidden state; use str_find',
    r'\b(TODO|FIXME|XXX)\b': 'no notes in main; open an issue',
}
SIZE_LIMIT = 600  # lines of a source file under src/; 150-500 is the aim
bad = 0
def complain(where, why):
    global bad
    print(f'{where}: {why}')
    bad += 1
for path in files:
    if not path.endswith(('.c', '.h')):
        continue
    text = open(path, encoding='utf-8').read()
    lines = text.split('\n')
    if not text.startswith('/*'):
        complain(path, 'the first comment must say what the file is')
    if path.endswith('.h') and '#pragma once' not in text:
        complain(path, 'header without #pragma once')
    if path.startswith('src/') and len(lines) > SIZE_LIMIT:
        complain(path, f'{len(lines)} lines; split it')
    for number, line in enumerate(lines, 1):
        for pattern, why in BANNED.items():
            if re.search(pattern, line) and 'style: allowed' not in line:
                complain(f'{path}:{number}', why)
sys.exit(1 if bad else 0)
PY

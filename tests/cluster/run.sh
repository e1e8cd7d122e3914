#!/usr/bin/env bash
# Runs one suite of this folder with a Python that has PyYAML: run.sh golden.py --cases 'b-*'. KAITO_BINARY names the program to
# test, else it is the release build. Exit status 77: something the suite needs is not here, and what.
set -euo pipefail
cd "$(dirname "$0")/../.."
suite=$1
shift
python3 -c 'import yaml' 2>/dev/null && exec python3 "tests/cluster/$suite" "$@"
PACKAGES=pyyaml scripts/python.sh -c 'import yaml' || { echo "skip: no PyYAML and no way to install it"; exit 77; }
PACKAGES=pyyaml exec scripts/python.sh "tests/cluster/$suite" "$@"

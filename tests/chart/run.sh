#!/usr/bin/env bash
# Runs tests/chart/chart.py with a Python that has PyYAML. Exit status 77: something it needs is not here, and what.
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 -c 'import yaml' 2>/dev/null && exec python3 tests/chart/chart.py "$@"
PACKAGES=pyyaml scripts/python.sh -c 'import yaml' || { echo "skip: no PyYAML and no way to install it"; exit 77; }
PACKAGES=pyyaml exec scripts/python.sh tests/chart/chart.py "$@"

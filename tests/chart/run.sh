#!/usr/bin/env bash
# Runs the tests of the charts with a Python that has PyYAML: tests/chart/run.sh [chart|provisioner [--only PREFIX]]. Exit status 77:
# something it needs is not here, and what.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=(python3)
if ! python3 -c 'import yaml' 2>/dev/null; then
  PACKAGES=pyyaml scripts/python.sh -c 'import yaml' || { echo "skip: no PyYAML and no way to install it"; exit 77; }
  export PACKAGES=pyyaml
  python=(scripts/python.sh)
fi
if [ $# -gt 0 ]; then
  which=$1
  shift
  exec "${python[@]}" "tests/chart/$which.py" "$@"
fi
"${python[@]}" tests/chart/chart.py
"${python[@]}" tests/chart/provisioner.py

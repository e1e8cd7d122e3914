#!/usr/bin/env bash
# The node provisioner's table of README: bench/provisioner.py on a release build. Needs the programs of scripts/install_kube.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install_kube.sh >/dev/null
if [ -z "${KAITO_BINARY:-}" ]; then
	scripts/build.sh release src/cmd/kaito
	cp -f build/release/src/cmd/kaito build/release/kaito
fi
exec tests/cluster/run.sh ../../bench/provisioner.py "$@"

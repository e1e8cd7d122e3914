#!/usr/bin/env bash
# The native runtime's pods as the controller makes them, run on this machine: a tuning Job (interrupted once, continued from its volume),
# the endpoint with its adapter, /chat through it and through the gateway.
set -euo pipefail
cd "$(dirname "$0")/../.."
for dir in build/debug build/asan build/tuning; do
	[ -z "${objects:-}" ] && [ -x "$dir/tests/e2e/native_objects" ] && objects=$dir/tests/e2e/native_objects
done
[ -n "${objects:-}" ] || { echo "native_pods: build the tests first (make check)" >&2; exit 1; }
command -v docker-registry >/dev/null || { echo "skipped: docker-registry is not installed"; exit 77; }
model=$(scripts/fetch_model.sh)
exec python3 tests/e2e/native_pods.py "${KAITO:-build/release/kaito}" "$objects" "$model"

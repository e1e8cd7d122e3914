#!/usr/bin/env bash
# Fuzzes one target with libFuzzer under ASan and UBSan; new inputs that reach new code land in its corpus folder.
# Usage: fuzz.sh TARGET [SECONDS]. A crash leaves its input in build/fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -f build/fuzz/build.ninja ] || CC=clang meson setup build/fuzz --buildtype=debugoptimized -Dfuzzer=true -Db_lundef=false \
	-Db_sanitize=address,undefined >/dev/null
ninja --quiet -C build/fuzz "fuzz/fuzz_$1"
cd build/fuzz
exec "fuzz/fuzz_$1" -max_total_time="${2:-60}" -timeout=10 -rss_limit_mb=2048 "../../fuzz/corpus/$1"

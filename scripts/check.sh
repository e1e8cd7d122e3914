#!/usr/bin/env bash
# The quick tier: layer and style checks, then every test and every fuzz corpus under ASan and UBSan.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/check_layers.sh
scripts/check_style.sh
KAITO_TEST_MODEL=$(scripts/fetch_model.sh)
export KAITO_TEST_MODEL
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
scripts/build.sh asan
meson test -C build/asan --no-rebuild --print-errorlogs --num-processes "$(nproc)" "$@"

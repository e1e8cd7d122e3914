#!/usr/bin/env bash
# Configures and builds one variant: release, debug, asan or tsan. Usage: build.sh VARIANT [ninja target...]
# CC picks the compiler; a variant built with clang goes to build/VARIANT-clang.
set -euo pipefail
cd "$(dirname "$0")/.."
variant=$1
shift
dir=build/$variant
case "${CC:-}" in *clang*) dir=build/$variant-clang ;; esac
case $variant in
release) options=(--buildtype=release -Dtests=false) ;;
debug) options=(--buildtype=debug) ;;
asan) options=(--buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false) ;;
tsan) options=(--buildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false) ;;
*) echo "build.sh: unknown variant '$variant'" >&2; exit 2 ;;
esac
[ -f "$dir/build.ninja" ] || meson setup "$dir" "${options[@]}" >"/tmp/kaito-meson-$$.log" 2>&1 ||
	{ cat "/tmp/kaito-meson-$$.log" >&2; rm -f "/tmp/kaito-meson-$$.log"; exit 1; }
rm -f "/tmp/kaito-meson-$$.log"
ninja --quiet -C "$dir" "$@"

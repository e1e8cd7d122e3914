#!/usr/bin/env bash
# Cross-compiles the tensor layer for aarch64 and runs its tests under user-mode emulation, once as a CPU with the dot
# product instruction (the tests cover both NEON kernel sets there) and once as one without. Exit 77: no cross tools.
# Debian/Ubuntu: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cc=${CROSS_CC:-aarch64-linux-gnu-gcc}
qemu=$(command -v qemu-aarch64 || command -v qemu-aarch64-static || true)
command -v "$cc" >/dev/null || { echo "run_neon: no $cc"; exit 77; }
[ -n "$qemu" ] || { echo "run_neon: no qemu-aarch64"; exit 77; }

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
flags=(-std=gnu17 -D_GNU_SOURCE -O3 -Wall -Wextra -Wshadow -Wconversion -Werror -Wno-missing-field-initializers -ffp-contract=off -static
	-I"$root/src" -I"$root/tests/tensor/plain")
cd "$root/src"
"$cc" "${flags[@]}" -c tensor/kernels_neon.c -o "$out/neon.o"
"$cc" "${flags[@]}" -march=armv8.2-a+dotprod -c tensor/kernels_neon_dot.c -o "$out/neon_dot.o"
sources=(tensor/{backward,blocks,dtype,forward,input,isa,kernels_ref,mat,nf4,pack,pages,pool,scratch}.c base/{buf,clock,err,fd,mem,str}.c)
export KAITO_SOURCE_ROOT=$root
for test in dtype nf4 mat pool; do
	"$cc" "${flags[@]}" "$root/tests/tensor/test_$test.c" "${sources[@]}" "$out/neon.o" "$out/neon_dot.o" -o "$out/$test" -lm -lpthread
	"$qemu" -cpu max "$out/$test"
done
"$qemu" -cpu cortex-a53 "$out/mat"

#!/usr/bin/env bash
# What bench/run.sh compares with: torch + PEFT (scripts/install_peft.sh) and llama.cpp with its C library, compiled here (five CPU minutes).
set -euo pipefail
cd "$(dirname "$0")/.."
python=$(scripts/install_peft.sh)
"$python" -c 'import llama_cpp' 2>/dev/null || CMAKE_ARGS="-DGGML_NATIVE=ON" "$python" -m pip install --quiet --disable-pip-version-check llama-cpp-python==0.3.36 >&2
echo "$python"

#!/usr/bin/env bash
# The table of README: this build beside the peers that are installed, in alternating rounds. ROUNDS (5), THREADS (2).
# scripts/install_peers.sh installs the peers; without them the table has only our column and the machine's limits.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${KAITO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kaito}
model=$(scripts/fetch_model.sh)
site=$(echo "$cache"/peft/lib/python3*/site-packages)
scripts/build.sh release src/cmd/kaito bench/tune_step
cp -f build/release/src/cmd/kaito build/release/kaito
peer=""
if [ -f "$site/include/llama.h" ]; then
	peer=build/release/peer_llamacpp
	cc -O2 -o "$peer" bench/peer_llamacpp.c -I"$site/include" -L"$site/llama_cpp/lib" -lllama -lggml -lggml-base -lggml-cpu \
		-Wl,-rpath,"$site/llama_cpp/lib"
fi
peft=""
[ ! -e "$cache/peft/ready" ] || peft=$cache/peft/bin/python
exec python3 bench/run.py --model "$model" --llamacpp "$peer" --peft "$peft" "$@"

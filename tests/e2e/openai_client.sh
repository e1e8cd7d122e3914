#!/usr/bin/env bash
# The OpenAI Python package against `kaito serve`: a tiny golden model with its adapter, then the real one with the golden adapter.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PACKAGES="openai==3.54.0"
golden=tests/golden
scripts/python.sh tests/serve/openai_client.py build/release/kaito "$golden/tiny/llama-gqa" --adapter "tiny=$golden/tiny/llama-gqa/adapter_init"
scripts/python.sh tests/serve/openai_client.py build/release/kaito "$(scripts/fetch_model.sh)" --adapter "tuned=$golden/numerics/adapter_kaito"

#!/usr/bin/env bash
# A headless Chromium drives the chat page of `kaito serve` with the real model.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PACKAGES="selenium==4.51.0"
exec scripts/python.sh tests/serve/browser_chat.py build/release/kaito "$(scripts/fetch_model.sh)"

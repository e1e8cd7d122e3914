#!/usr/bin/env bash
# PEFT reads what `kaito tune` wrote and gives the logits of `kaito serve`; `kaito serve` reads what PEFT wrote.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$(scripts/install_peft.sh)
exec "$python" tests/e2e/peft_check.py build/release/kaito

#!/usr/bin/env bash
# Runs the ```sh blocks of a page, in their order and in one shell, against `kaito simulate CLOUD`: every command must succeed.
# Usage: docs_examples.sh KAITO CLOUD PAGE. Exit status 77: curl or jq is not here.
set -euo pipefail
for tool in curl jq; do
	command -v "$tool" >/dev/null || { echo "skip: no $tool"; exit 77; }
done
folder=$(mktemp -d)
page=$(dirname "$0")/../../docs/$3
pid=
trap '[ -z "$pid" ] || kill "$pid"; wait; rm -rf "$folder"' EXIT
mkfifo "$folder/line"
"$1" simulate "$2" >"$folder/line" &
pid=$!
read -r line <"$folder/line"
SIM=$(jq -r .endpoint <<<"$line")
export SIM
for setting in $(curl -sf "$SIM/_sim/settings" | jq -r 'keys[]'); do
	grep -q "^|.*\`$setting\`.*|" "$page" || { echo "docs/$3 lacks the setting $setting"; exit 1; }
done
awk '/^```sh$/ {on = 1; next} /^```$/ {on = 0} on' "$page" >"$folder/examples.sh"
[ "$(wc -l <"$folder/examples.sh")" -gt 10 ]
bash -euxo pipefail "$folder/examples.sh"

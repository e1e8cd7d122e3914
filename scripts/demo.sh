#!/usr/bin/env bash
# The main job on one machine: fine-tune SmolLM2-135M-Instruct with QLoRA on a parquet dataset, publish the adapter
# as a container image in a real registry, pull it back, serve it, and ask the base and the tuned model the same question.
# Settings: STEPS (optimizer steps), QUESTION, KAITO_CACHE.
set -euo pipefail
cd "$(dirname "$0")/.."
kaito=$PWD/build/release/kaito
work=$(mktemp -d /tmp/kaito-demo.XXXXXX)
export KAITO_STORE=$work/store # image copies of this run only
registry_pid="" server_pid=""
started=$SECONDS
stop() {
	[ -z "$server_pid" ] || kill "$server_pid" 2>/dev/null || true
	[ -z "$registry_pid" ] || kill "$registry_pid" 2>/dev/null || true
	wait 2>/dev/null || true
	rm -rf "$work"
}
trap stop EXIT
say() { printf '\n--- %s\n' "$*"; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
wait_for() { # URL
	for _ in $(seq 1500); do
		curl -fsS -o /dev/null --max-time 2 "$1" 2>/dev/null && return 0
		sleep 0.1
	done
	echo "demo: $1 does not answer" >&2
	return 1
}
ask() { # MODEL QUESTION
	python3 -c 'import json, sys; print(json.dumps({"model": sys.argv[1], "max_tokens": 80, "temperature": 0, "messages": [{"role": "user", "content": sys.argv[2]}]}))' "$1" "$2" |
		curl -fsS -H 'Content-Type: application/json' --data @- "http://127.0.0.1:$port/v1/chat/completions" |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["choices"][0]["message"]["content"].strip())'
}

say "1. model and dataset"
model=$(scripts/fetch_model.sh)
data=$(scripts/fetch_dataset.sh)
ls -l "$model" "$data"

say "2. a registry on a loopback port"
registry_port=$(free_port)
cat >"$work/registry.yml" <<YAML
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: 127.0.0.1:$registry_port}
YAML
docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
registry_pid=$!
wait_for "http://127.0.0.1:$registry_port/v2/"
image=127.0.0.1:$registry_port/demo/smollm2-alpaca:0.0.1
echo "registry at 127.0.0.1:$registry_port"

say "3. tune with QLoRA and push the adapter as $image"
sed "s/max_steps: .*/max_steps: ${STEPS:-40}/" examples/demo/training_config.yaml >"$work/training_config.yaml"
"$kaito" tune --config "$work/training_config.yaml" --model "$model" --data "$data" --output "$work/adapter" --method qlora --metrics-port 0 --push "$image"

say "4. forget the local copy, pull the image"
rm -rf "$work/adapter" "$KAITO_STORE"
"$kaito" pull "$image" --output "$work/pulled"
find "$work/pulled" -type f | sort

say "5. serve base and tuned model"
port=$(free_port)
adapter=$(dirname "$(find "$work/pulled" -name adapter_config.json | head -n 1)")
"$kaito" serve --model "$model" --served-model-name base --adapter "tuned=$adapter" --host 127.0.0.1 --port "$port" >"$work/serve.log" 2>&1 &
server_pid=$!
wait_for "http://127.0.0.1:$port/health"

question=${QUESTION:-Give three tips for staying healthy.}
say "6. the same question"
echo "question: $question"
base=$(ask base "$question")
tuned=$(ask tuned "$question")
printf 'base:  %s\ntuned: %s\n' "$base" "$tuned"
printf '\nand through the quick start API:\n$ curl -X POST http://127.0.0.1:%s/chat -d {"prompt": …}\n' "$port"
curl -fsS -X POST "http://127.0.0.1:$port/chat" -H 'accept: application/json' -H 'Content-Type: application/json' \
	-d "{\"prompt\":\"$question\",\"return_full_text\":false,\"generate_kwargs\":{\"max_length\":80,\"do_sample\":false}}"
echo
[ "$base" != "$tuned" ] || { echo "demo: the tuned model answers like the base" >&2; exit 1; }
say "done in $((SECONDS - started)) s"

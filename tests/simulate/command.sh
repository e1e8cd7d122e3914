#!/usr/bin/env bash
# `kaito simulate azure` as a command: its first line, its flags, its end. Usage: command.sh KAITO
set -euo pipefail
kaito=$1
folder=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null; wait; rm -rf "$folder"' EXIT

fails() { # STATUS PART ARGUMENTS...: exit status and a part of the message
	local want=$1 part=$2 status=0
	shift 2
	timeout 20 "$kaito" simulate "$@" >"$folder/out" 2>"$folder/err" || status=$?
	[ "$status" = "$want" ] && grep -q -- "$part" "$folder/err" && return
	echo "simulate $*: status $status, $(cat "$folder/err")"
	exit 1
}
start() { # CLOUD ARGUMENTS...: the first line is in $line
	"$kaito" simulate "$@" >"$folder/line" 2>"$folder/err" &
	pid=$!
	for _ in $(seq 200); do
		line=$(head -1 "$folder/line")
		[ -z "$line" ] || return 0
		sleep 0.05
	done
	cat "$folder/err"
	exit 1
}

fails 2 'kaito simulate azure'
fails 2 'kaito simulate azure' gcp
fails 2 'lro' aws --lro async
fails 2 'region' azure --region us-east-1
fails 2 "create-time takes a duration such as 90s or 2m30s, not '3x'" azure --create-time 3x
fails 2 'must be between -86400 and 86400 seconds' azure --join-time 25h
fails 2 'ca-file' azure --tls
fails 3 'async|operation_location|location|body' azure --lro sideways
fails 8 nothere azure --script "$folder/nothere"
echo '[{"status": 503}, {"stat": 1}]' >"$folder/bad.json"
fails 3 "script 1: a script has no member 'stat'" azure --script "$folder/bad.json"

echo '[{"status": 503}]' >"$folder/good.json"
start azure --create-time 1m30s --delete-time 500ms --join-time -2.5s --script "$folder/good.json" --cluster mine --tls --ca-file "$folder/ca.pem"
grep -q '^{"port": [0-9]*, "endpoint": "https://127.0.0.1:[0-9]*", "env": {.*"AZURE_CLUSTER_NAME": "mine".*"SSL_CERT_FILE".*}}$' <<<"$line" || { echo "$line"; exit 1; }
grep -q 'BEGIN CERTIFICATE' "$folder/ca.pem"
port=$(sed 's/^{"port": \([0-9]*\).*/\1/' <<<"$line")
fails 10 "port $port is in use" azure --port "$port"
kill -TERM "$pid"
wait "$pid"
pid=

start aws --create-time 1s --cluster mine --region eu-west-1
grep -q '^{"port": [0-9]*, "endpoint": "http://127.0.0.1:[0-9]*", "env": {"AWS_REGION": "eu-west-1", "CLUSTER_NAME": "mine", .*"AWS_SECRET_ACCESS_KEY".*}}$' <<<"$line" || { echo "$line"; exit 1; }
kill -TERM "$pid"
wait "$pid"
pid=

#!/bin/sh
# interop.sh: images pushed by kaito are pulled by skopeo and back, through a real registry on loopback.
# usage: interop.sh PATH_OF_KAITO      exit 77: docker-registry or skopeo is not installed
set -eu
kaito=$1
for tool in docker-registry skopeo python3; do
	command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
work=$(mktemp -d)
registry_pid=
cleanup() {
	[ -z "$registry_pid" ] || kill "$registry_pid" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
export HOME="$work/home" KAITO_STORE="$work/store"
mkdir -p "$HOME"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/config.yml" <<END
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $work/data}}
http: {addr: "127.0.0.1:$port"}
END
docker-registry serve "$work/config.yml" >"$work/log" 2>&1 &
registry_pid=$!
for i in 1 2 3 4 5 6 7 8 9 10; do
	python3 -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:$port/v2/')" 2>/dev/null && break
	sleep 0.3
done

mkdir "$work/adapter" "$work/model"
printf '{"peft_type": "LORA", "base_model_name_or_path": "org/base"}' >"$work/adapter/adapter_config.json"
head -c 400000 /dev/urandom >"$work/adapter/adapter_model.safetensors"
head -c 300000 /dev/urandom >"$work/model/model.safetensors"
printf '{"model_type": "llama"}' >"$work/model/config.json"

echo "1. kaito pushes an adapter, skopeo reads it"
"$kaito" push "$work/adapter" "localhost:$port/team/adapter:v1" --model-name phi-3-mini-128k-instruct >/dev/null
skopeo inspect --tls-verify=false --raw "docker://localhost:$port/team/adapter:v1" >"$work/manifest.json"
python3 - "$work/manifest.json" <<'END'
import json, sys
m = json.load(open(sys.argv[1]))
assert m["annotations"] == {"sh.kaito.model.name": "phi-3-mini-128k-instruct"}, m
assert m["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json", m
assert [l["mediaType"] for l in m["layers"]] == ["application/vnd.oci.image.layer.v1.tar+gzip"], m
END
skopeo copy --src-tls-verify=false "docker://localhost:$port/team/adapter:v1" "dir:$work/copied" >/dev/null
layer=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["layers"][0]["digest"][7:])' "$work/manifest.json")
mkdir "$work/unpacked"
tar xzf "$work/copied/$layer" -C "$work/unpacked"
cmp "$work/adapter/adapter_config.json" "$work/unpacked/data/adapter_config.json"
cmp "$work/adapter/adapter_model.safetensors" "$work/unpacked/data/adapter_model.safetensors"

echo "2. skopeo pushes the same image elsewhere, kaito pulls it"
skopeo copy --dest-tls-verify=false "dir:$work/copied" "docker://localhost:$port/other/adapter:v1" >/dev/null
rm -rf "$KAITO_STORE"
"$kaito" pull "localhost:$port/other/adapter:v1" --output "$work/back" >/dev/null
cmp "$work/adapter/adapter_model.safetensors" "$work/back/adapter_model.safetensors"
cmp "$work/adapter/adapter_config.json" "$work/back/adapter_config.json"

echo "3. a model artifact goes there and back"
"$kaito" push "$work/model" "localhost:$port/team/model:v1" >/dev/null
skopeo copy --all --src-tls-verify=false --dest-tls-verify=false "docker://localhost:$port/team/model:v1" "docker://localhost:$port/other/model:v1" >/dev/null
"$kaito" pull "localhost:$port/other/model:v1" --output "$work/model-back" >/dev/null
cmp "$work/model/model.safetensors" "$work/model-back/model.safetensors"
cmp "$work/model/config.json" "$work/model-back/config.json"

echo "4. the local store is a layout that skopeo reads"
skopeo inspect --raw "oci:$KAITO_STORE:localhost:$port/other/adapter:v1" >"$work/from-store.json"
cmp "$work/manifest.json" "$work/from-store.json"

echo "5. a Docker schema 2 image made by skopeo is pulled"
skopeo copy --format v2s2 --src-tls-verify=false --dest-tls-verify=false "docker://localhost:$port/team/adapter:v1" \
	"docker://localhost:$port/docker/adapter:v1" >/dev/null
"$kaito" pull "localhost:$port/docker/adapter:v1" --output "$work/docker" >/dev/null
cmp "$work/adapter/adapter_model.safetensors" "$work/docker/adapter_model.safetensors"

echo "6. kaito lists and removes what it has"
"$kaito" images list -o json >"$work/images.json"
python3 -c 'import json, sys; assert len(json.load(open(sys.argv[1]))) >= 2' "$work/images.json"
"$kaito" images rm "localhost:$port/other/adapter:v1" 2>/dev/null
if "$kaito" images list | grep -q other/adapter; then
	echo "the image is still listed"
	exit 1
fi
echo "interop: ok"

#!/usr/bin/env bash
# Installs the Debian/Ubuntu packages that building and testing need, only where something is missing.
# Usage: install_deps.sh [extra package...]
set -euo pipefail
packages=(build-essential ccache meson ninja-build pkg-config python3 python3-venv unzip curl
	libjansson-dev libcurl4-openssl-dev libssl-dev libmicrohttpd-dev libgnutls28-dev libyaml-dev libarchive-dev
	zlib1g-dev libzstd-dev libsnappy-dev liblz4-dev libbrotli-dev libpcre2-dev libutf8proc-dev libexpat1-dev check docker-registry skopeo "$@")
missing=()
for p in "${packages[@]}"; do
	dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing+=("$p")
done
[ ${#missing[@]} -eq 0 ] && exit 0
command -v apt-get >/dev/null || { echo "install_deps: install these with your package manager: ${missing[*]}" >&2; exit 1; }
sudo=""
[ "$(id -u)" -eq 0 ] || sudo=sudo
echo "installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq >&2
# The registry package would start a service; the tests and the demo start their own on a loopback port.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
	$sudo chmod +x $policy
	trap '$sudo rm -f $policy' EXIT
fi
$sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2

#!/usr/bin/env bash
# Puts 999 Alpaca-style pairs (Apache-2.0, from the PyPI source package llamafactory 0.9.5, which is not installed) as a
# parquet file of chats into the user cache and prints its path.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${KAITO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kaito}
file=$cache/alpaca_en_demo.parquet
if [ ! -f "$file" ]; then
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/fetch.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	scripts/python.sh -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: --dest "$work" llamafactory==0.9.5 >&2
	tar -xzf "$work"/llamafactory-0.9.5.tar.gz -C "$work" --strip-components=1 llamafactory-0.9.5/data/alpaca_en_demo.json
	PACKAGES=pyarrow scripts/python.sh scripts/make_demo_dataset.py "$work/data/alpaca_en_demo.json" "$work/out.parquet" >&2
	mv "$work/out.parquet" "$file"
fi
echo "$file"

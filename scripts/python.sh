#!/usr/bin/env bash
# Runs Python from a virtual environment in the user cache; PACKAGES="a b" are installed into it first when missing.
# Usage: [PACKAGES="pyarrow"] scripts/python.sh ARGS...
set -euo pipefail
cache=${KAITO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kaito}
venv=$cache/venv
[ -x "$venv/bin/python" ] || { mkdir -p "$cache"; python3 -m venv "$venv"; }
for p in ${PACKAGES:-}; do
	mark=$venv/installed-${p//[^A-Za-z0-9._=-]/_}
	[ -e "$mark" ] && continue
	"$venv/bin/pip" install --quiet --disable-pip-version-check "$p" >&2
	touch "$mark"
done
exec "$venv/bin/python" "$@"

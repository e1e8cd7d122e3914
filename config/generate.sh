#!/usr/bin/env bash
# Writes install.yaml and crds.yaml of config/default from the chart with its defaults: config/generate.sh [FOLDER]. Needs helm on PATH.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/default}
chart=$here/../charts/kaito/workspace
note="# Printed by config/generate.sh from charts/kaito/workspace; do not edit."
{
  echo "$note"
  helm template kaito-workspace "$chart" --namespace kaito-workspace |
    awk -v RS='---\n' '!/\nkind: CustomResourceDefinition\n/ && NF { printf "---\n%s", $0 }' |
    grep -v -e '^# Source: ' -e '^ *helm.sh/chart: ' | sed 's/managed-by: Helm/managed-by: kustomize/'
} > "$out/install.yaml"
{
  echo "$note"
  for file in "$chart"/templates/crds/*.yaml; do
    echo ---
    grep -v '^#' "$file"
  done
} > "$out/crds.yaml"

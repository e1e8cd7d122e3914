#!/usr/bin/env bash
# Writes install.yaml and crds.yaml of the kustomize bases from the charts with their defaults. Needs helm on PATH.
# Usage: config/generate.sh [FOLDER [default|provisioner]]: without arguments both bases, in place.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
charts=$here/../charts/kaito

# base FOLDER CHART RELEASE DEFINITIONS
base() {
  note="# Printed by config/generate.sh from charts/kaito/$2; do not edit."
  {
    echo "$note"
    helm template "$3" "$charts/$2" --namespace "$3" |
      awk -v RS='---\n' '!/\nkind: CustomResourceDefinition\n/ && NF { printf "---\n%s", $0 }' |
      grep -v -e '^# Source: ' -e '^ *helm.sh/chart: ' | sed 's/managed-by: Helm/managed-by: kustomize/'
  } > "$1/install.yaml"
  {
    echo "$note"
    for file in "$charts/$2/$4"/*.yaml; do
      echo ---
      grep -v '^#' "$file"
    done
  } > "$1/crds.yaml"
}

which=${2:-default}
[ $# -eq 0 ] && which=both
[ "$which" = provisioner ] || base "${1:-$here/default}" workspace kaito-workspace templates/crds
[ "$which" = default ] || base "${1:-$here/provisioner}" gpu-provisioner gpu-provisioner crds

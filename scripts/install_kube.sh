#!/usr/bin/env bash
# Builds kube-apiserver, kube-controller-manager, kube-scheduler, kubectl, etcd and helm from their Go modules, for the tests
# that need a real Kubernetes API. They land in the user cache; what is there is not built again. KUBEBUILDER_ASSETS, when it
# names a folder with a program in it, replaces that program. Needs Go on PATH (1.24 or newer: a module that asks for a newer
# one fetches it through Go's own toolchain switch); without Go: exit status 77 and the reason.
# About ten minutes on two cores the first time. Prints the folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${KAITO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kaito}
bin=$cache/kube/bin
version=v1.34.3
stamp="-X k8s.io/component-base/version.gitVersion=$version -X k8s.io/client-go/pkg/version.gitVersion=$version"

# name, module folder, package; to add a program: a row here and an import in the module's tools.go.
programs="
etcd                     etcd  go.etcd.io/etcd/server/v3
kube-apiserver           k8s   k8s.io/kubernetes/cmd/kube-apiserver
kube-controller-manager  k8s   k8s.io/kubernetes/cmd/kube-controller-manager
kube-scheduler           k8s   k8s.io/kubernetes/cmd/kube-scheduler
kubectl                  k8s   k8s.io/kubernetes/cmd/kubectl
helm                     helm  helm.sh/helm/v3/cmd/helm
"
have() { [ -x "$bin/$1" ] || { [ -n "${KUBEBUILDER_ASSETS:-}" ] && [ -x "$KUBEBUILDER_ASSETS/$1" ]; }; }

while read -r name module package; do
	[ -n "$name" ] || continue
	have "$name" && continue
	if ! command -v go >/dev/null; then
		echo "install_kube: $name is not there and Go is not on PATH: install Go 1.24 or newer, or set KUBEBUILDER_ASSETS" >&2
		exit 77
	fi
	mkdir -p "$bin"
	echo "building $name" >&2
	(cd "$here/kube/$module" && go build -mod=readonly -trimpath -ldflags "-s -w $stamp" -o "$bin/.$name.new" "$package")
	mv "$bin/.$name.new" "$bin/$name"
done <<<"$programs"
echo "$bin"

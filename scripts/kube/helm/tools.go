//go:build tools

// Package tools pins the chart renderer of the cluster tests.
package tools

import _ "helm.sh/helm/v3/cmd/helm"

//go:build tools

// Package tools pins the store under the API server of the cluster tests.
package tools

import _ "go.etcd.io/etcd/server/v3/etcdmain"

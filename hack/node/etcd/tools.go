//go:build tools

// Package tools names etcd so that its module stays required.
package tools

import _ "go.etcd.io/etcd/server/v3"

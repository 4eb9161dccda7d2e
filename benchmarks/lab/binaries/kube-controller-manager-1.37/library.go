// Package library makes the module require this library, whose import paths a second
// kube-controller-manager is built with.
package library

import (
	_ "github.com/holdfast-go/holdfast/leaderelection"
	_ "github.com/holdfast-go/holdfast/resourcelock"
)

//go:build !linux

package node

import (
	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

const (
	planVariable = "HOLDFAST_LAB_NODE"
	bootIDFile   = "boot_id"
)

// Enter says that the laboratory needs Linux and exits with code 1.
func Enter(minors ...string) { lab.EnterWithKubelet(minors...) }

func isRoot() bool { return false }

//go:build !linux

package node

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

// errSystem is what every part says that only Linux has.
var errSystem = fmt.Errorf("node: a node is made of Linux namespaces, and this is %s: %w", runtime.GOOS, errors.ErrUnsupported)

const (
	planVariable = "HOLDFAST_LAB_NODE"
	bootIDFile   = "boot_id"
)

// Enter says that the laboratory needs Linux and exits with code 1.
func Enter(minors ...string) { lab.EnterWithNodes(minors...) }

func isRoot() bool { return false }

// A Service is a program that every node runs.
type Service string

// The services of a node.
const (
	Kubelet    Service = "kubelet"
	Containerd Service = "containerd"
)

func (*Node) Stop(Service) error                          { return errSystem }
func (*Node) Resume(Service) error                        { return errSystem }
func (*Node) Freeze(Service) error                        { return errSystem }
func (*Node) Kill(Service) error                          { return errSystem }
func (*Node) LoseContainers() error                       { return errSystem }
func (*Node) Bundle(string) (string, error)               { return "", errSystem }
func (*Node) Process(types.UID, string) (*Process, error) { return nil, errSystem }
func (*Node) Processes(types.UID) ([]*Process, error)     { return nil, errSystem }
func (*Node) Shims(types.UID) ([]*Process, error)         { return nil, errSystem }

// A Process is one in a node.
type Process struct{}

func (*Process) Pid() int                    { return 0 }
func (*Process) Done() <-chan struct{}       { return nil }
func (*Process) Died() time.Time             { return time.Time{} }
func (*Process) Signal(syscall.Signal) error { return errSystem }
func (*Process) Kill() error                 { return errSystem }
func (*Process) Close() error                { return errSystem }

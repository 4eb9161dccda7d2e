//go:build !linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
)

// errSystem is what every part says that only Linux has.
var errSystem = fmt.Errorf("lab: the laboratory is made of Linux network namespaces, and this is %s: %w", runtime.GOOS, errors.ErrUnsupported)

// Enter says that the laboratory needs Linux and exits with code 1.
func Enter(...string) {
	fmt.Fprintln(os.Stderr, errSystem)
	os.Exit(1)
}

// EnterWithNodes says that the laboratory needs Linux and exits with code 1.
func EnterWithNodes(...string) { Enter() }

func inside() bool     { return false }
func outerPID() string { return "" }

type router struct{}

func newRouter() (*router, error)             { return nil, errSystem }
func (*router) connect(string) (*link, error) { return nil, errSystem }
func (*router) close() error                  { return nil }

type link struct{ addr netip.Addr }

func (*link) fork(func() error) error                             { return errSystem }
func (*link) enter(func() error) error                            { return errSystem }
func (*link) cut() error                                          { return errSystem }
func (*link) mend() error                                         { return errSystem }
func (*link) balance(netip.AddrPort, []netip.AddrPort) error      { return errSystem }
func (*link) translated(netip.AddrPort) ([]netip.AddrPort, error) { return nil, errSystem }
func (*link) carry(netip.Prefix) error                            { return errSystem }
func (*link) cover(string, string) error                          { return errSystem }
func (*link) close() error                                        { return nil }

func bind(*exec.Cmd, bool)  {}
func freezeGroup(int) error { return errSystem }
func thawGroup(int) error   { return errSystem }
func killGroup(int) error   { return errSystem }

func lockFolder(string) (*os.File, error) { return nil, errSystem }

func lockFile(context.Context, string, func()) (*os.File, error) { return nil, errSystem }

func (*router) lose([]Loss) error { return errSystem }
func (*link) forget() error       { return errSystem }

func (*link) opened() ([]netip.AddrPort, error) { return nil, errSystem }

func (*link) next(_, _ netip.AddrPort) error { return errSystem }

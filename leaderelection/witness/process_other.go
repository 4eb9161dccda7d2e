//go:build !linux

package witness

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// Leave implements Witness.
func (Process) Leave(context.Context) (string, error) {
	return "", fmt.Errorf("sockets with abstract names on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// Await implements Witness.
func (Process) Await(context.Context, string) (Proof, error) {
	return Proof{}, noProof("sockets with abstract names on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

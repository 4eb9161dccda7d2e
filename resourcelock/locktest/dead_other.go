//go:build !linux

package locktest

import "testing"

// deadAddress returns an address of loopback that nobody listens on. Whether a SYN to
// it is refused or not answered at all depends on the system.
func deadAddress(*testing.T, int) string { return "127.0.0.2" }

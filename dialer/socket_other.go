//go:build !linux && !darwin && !windows

package dialer

import (
	"syscall"
	"time"
)

// SupportsUserTimeout reports whether this operating system's sockets can be
// told how long a peer may be silent. Here they cannot, so Harden and Transport
// open a fresh connection for every request, whatever mode is asked for.
const SupportsUserTimeout = false

// setUserTimeout does nothing: keepalive is all that this system offers.
func setUserTimeout(syscall.RawConn, time.Duration) error { return nil }

//go:build !linux && !darwin && !windows && !freebsd && !netbsd && !dragonfly

package socket

import (
	"syscall"
	"time"
)

// SupportsUserTimeout: there is nothing of the kind here, or nothing we know of.
const SupportsUserTimeout = false

// SetUserTimeout does nothing: keepalive is all that this system offers.
func SetUserTimeout(syscall.RawConn, time.Duration) error { return nil }

//go:build linux || freebsd || netbsd

package socket

import (
	"time"

	"golang.org/x/sys/unix"
)

// The option for the idle time, and the unit of the options for times.
const (
	keepIdle = unix.TCP_KEEPIDLE
	keepUnit = time.Second
)

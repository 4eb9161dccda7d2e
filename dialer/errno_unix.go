//go:build !windows

package dialer

import "syscall"

// What the operating system says of a connection that the peer's system
// refuses, and of one that has timed out. An ICMP "unreachable" does not end an
// established connection; it is only remembered, and replaces ETIMEDOUT when
// time has run out.
var (
	resets   = []error{syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED}
	timeouts = []error{syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.ENETUNREACH}
)

// connectionRefused is what it says where nobody listens.
const connectionRefused = syscall.ECONNREFUSED

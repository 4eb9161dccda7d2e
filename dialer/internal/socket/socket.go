// Package socket sets the options that make a TCP socket die in time: a user
// timeout, so that unacknowledged data, unanswered probes and, set before
// connect, an unanswered SYN end it, and keepalive probes, so that an idle
// connection has something unanswered. Each operating system has a file of its
// own. The package imports little on purpose: it can be vetted for every system
// within seconds (make cross).
//
// Every function is safe for concurrent use.
package socket

import (
	"math"
	"net"
	"syscall"
	"time"
)

// KeepAlive returns the probes that find a silent peer within about silence.
// They matter on an idle connection; while data is unacknowledged the kernel
// retransmits instead of probing, and the user timeout decides.
//
// Idle time, interval and count are whole seconds on Linux and most systems,
// hence at least one each: a silence of less than 2s is kept by probes in 2s.
// Where a user timeout is set too, Linux goes by it instead of by the count
// (tcp(7), TCP_USER_TIMEOUT): it drops the connection at the first probe that
// is due after the user timeout with an earlier probe unanswered, that is at
// most one interval late.
func KeepAlive(silence time.Duration) net.KeepAliveConfig {
	idle := max((silence / 3).Truncate(time.Second), time.Second)
	interval := max((silence / 6).Truncate(time.Second), time.Second)
	return net.KeepAliveConfig{
		Enable:   true,
		Idle:     idle,
		Interval: interval,
		Count:    max(int((silence-idle)/interval), 1),
	}
}

// tighter returns the probes that find a silent peer at least as soon as both.
// What is zero is unknown.
func tighter(a, b net.KeepAliveConfig) net.KeepAliveConfig {
	a.Idle = lesser(a.Idle, b.Idle)
	a.Interval = lesser(a.Interval, b.Interval)
	a.Count = lesser(a.Count, b.Count)
	return a
}

// lesser returns the lesser of two bounds, of which zero is none.
func lesser[T int | time.Duration](a, b T) T {
	if a <= 0 || b > 0 && b < a {
		return b
	}
	return a
}

// atMost sets a socket option that is a bound, unless it is tighter already. A
// bound that cannot be read is set.
func atMost(bound int, get func() (int, error), set func(int) error) error {
	if now, err := get(); err == nil && now > 0 && now <= bound {
		return nil
	}
	return set(bound)
}

// whole returns d in the given unit, rounded up (a bound of zero means "no
// bound" to every system), and at most what an int32 socket option holds.
func whole(d, unit time.Duration) int {
	n := d / unit
	if d%unit != 0 {
		n++
	}
	return int(min(max(n, 1), math.MaxInt32))
}

// Control runs set on the socket's descriptor and returns its error.
func Control(raw syscall.RawConn, set func(fd uintptr) error) error {
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = set(fd) }); err != nil {
		return err
	}
	return failed
}

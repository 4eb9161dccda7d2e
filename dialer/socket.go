package dialer

import (
	"context"
	"fmt"
	"math"
	"net"
	"strings"
	"syscall"
	"time"

	"k8s.io/klog/v2"
)

// keepalive returns the probes that find a silent peer within about silence.
// They matter on an idle connection; while data is unacknowledged the kernel
// retransmits instead of probing, and the user timeout decides.
//
// Idle time, interval and count are whole seconds on Linux and most systems,
// hence at least one each: a silence of less than 2s is kept by probes in 2s.
// Where a user timeout is set too, Linux goes by it instead of by the count
// (tcp(7), TCP_USER_TIMEOUT): it drops the connection at the first probe that
// is due after the user timeout with an earlier probe unanswered, that is at
// most one interval late.
func keepalive(silence time.Duration) net.KeepAliveConfig {
	idle := max((silence / 3).Truncate(time.Second), time.Second)
	interval := max((silence / 6).Truncate(time.Second), time.Second)
	return net.KeepAliveConfig{
		Enable:   true,
		Idle:     idle,
		Interval: interval,
		Count:    max(int((silence-idle)/interval), 1),
	}
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

func isTCP(network string) bool { return strings.HasPrefix(network, "tcp") }

// system returns the base dial for when the user brings none. Its sockets get
// their options before connect, so that the user timeout bounds the SYN as well.
func system(silence time.Duration) dialFunc {
	if silence < 0 {
		return new(net.Dialer).DialContext
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		dialer := net.Dialer{KeepAliveConfig: keepalive(silence)}
		if isTCP(network) {
			dialer.Control = func(_, remote string, raw syscall.RawConn) error {
				if err := setUserTimeout(raw, silence); err != nil {
					complain(ctx, remote, silence, err)
				}
				return nil
			}
		}
		return dialer.DialContext(ctx, network, address)
	}
}

// harden sets the options on the socket below a connection that a dial of the
// user's own has returned. A connection that is no TCP socket of this process
// (a tunnel inside another program's connection) is left as it is: then only
// the bounds of the round trip protect its users.
func harden(ctx context.Context, conn net.Conn, silence time.Duration) {
	if silence < 0 {
		return
	}
	tcp := tcpConn(conn)
	if tcp == nil {
		klog.FromContext(ctx).V(2).Info("Connection is no TCP socket, it has no user timeout", "type", fmt.Sprintf("%T", conn))
		return
	}
	raw, err := tcp.SyscallConn()
	if err == nil {
		err = setUserTimeout(raw, silence)
	}
	if err == nil {
		err = tcp.SetKeepAliveConfig(keepalive(silence))
	}
	if err != nil {
		complain(ctx, conn.RemoteAddr().String(), silence, err)
	}
}

// tcpConn finds the TCP socket below wrappers that give way to it through
// NetConn, as *tls.Conn does; nil if there is none.
func tcpConn(conn net.Conn) *net.TCPConn {
	for range maxChain {
		switch c := conn.(type) {
		case *net.TCPConn:
			return c
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
	return nil
}

// complain reports a socket option that the system refused. The dial goes on:
// round trips stay bounded without it, only idle connections are found late.
func complain(ctx context.Context, remote string, silence time.Duration, err error) {
	klog.FromContext(ctx).Error(err, "Socket option refused, a dead connection may outlive its bound", "remote", remote, "silence", silence)
}

// control runs set on the socket's descriptor and returns its error.
func control(raw syscall.RawConn, set func(fd uintptr) error) error {
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = set(fd) }); err != nil {
		return err
	}
	return failed
}

package dialer

import (
	"context"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast-go/holdfast/dialer/internal/socket"
	"k8s.io/klog/v2"
)

// SupportsUserTimeout reports whether this operating system's sockets can be
// told how long a peer may be silent; the package comment has the table. Where
// they cannot, Harden and Transport open a fresh connection for every request,
// whatever mode is asked for.
const SupportsUserTimeout = socket.SupportsUserTimeout

func isTCP(network string) bool { return strings.HasPrefix(network, "tcp") }

// system returns the base dial for when the user brings none. Its sockets get
// their options before connect, so that the user timeout bounds the SYN as well.
// They are plain TCP even where GODEBUG has multipathtcp=1: a socket of multipath
// TCP takes no user timeout.
func (d *Dialer) system(silence time.Duration) dialFunc {
	control := d.Control
	if control != nil {
		control = func(ctx context.Context, network, remote string, raw syscall.RawConn) error {
			return decline(d.Control(ctx, network, remote, raw))
		}
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		dialer := net.Dialer{LocalAddr: d.LocalAddr, Resolver: d.Resolver, ControlContext: control}
		if silence < 0 || !isTCP(network) {
			return dialer.DialContext(ctx, network, address)
		}
		dialer.SetMultipathTCP(false)
		dialer.ControlContext = func(ctx context.Context, network, remote string, raw syscall.RawConn) error {
			if control != nil {
				if err := control(ctx, network, remote, raw); err != nil {
					return err
				}
			}
			if err := socket.SetUserTimeout(raw, silence); err != nil {
				complain(ctx, remote, silence, err)
			}
			return nil
		}
		if d.Control == nil {
			dialer.KeepAliveConfig = socket.KeepAlive(silence)
			return dialer.DialContext(ctx, network, address)
		}
		// Control may have set probes of its own, which net.Dialer would undo.
		dialer.KeepAlive = -1
		conn, err := dialer.DialContext(ctx, network, address)
		if tcp, ok := conn.(*net.TCPConn); ok && err == nil {
			if err := socket.SetKeepAlive(tcp, silence); err != nil {
				complain(ctx, conn.RemoteAddr().String(), silence, err)
			}
		}
		return conn, err
	}
}

// harden sets the options on the socket below a connection that a dial of the
// user's own has returned; what is tighter there stays. A connection that is no
// TCP socket of this process (a tunnel inside another program's connection) is
// left as it is: then only the bounds of the round trip protect its users.
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
		err = socket.SetUserTimeout(raw, silence)
	}
	if err == nil {
		err = socket.SetKeepAlive(tcp, silence)
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

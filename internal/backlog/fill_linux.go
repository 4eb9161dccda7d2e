package backlog

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// patience is how long a dial to a listener may take whose backlog is not full.
const patience = 10 * time.Second

// Fill fills the backlog of a TCP listener, which then drops SYNs until it is closed: to
// a dialler it looks like a host that is not there. It goes by what the kernel says of
// the backlog; that a dial was not answered in time may also be due to a busy machine.
func Fill(t testing.TB, listener net.Listener) {
	t.Helper()
	tcp, ok := listener.(*net.TCPListener)
	require.True(t, ok, "a listener of TCP")
	raw, err := tcp.SyscallConn()
	require.NoError(t, err)
	control := func(f func(fd int) error) {
		t.Helper()
		var failed error
		require.NoError(t, raw.Control(func(fd uintptr) { failed = f(int(fd)) }))
		require.NoError(t, failed)
	}
	control(func(fd int) error { return unix.Listen(fd, 0) })
	for range 100 {
		var full bool
		control(func(fd int) error {
			info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
			// Of a listener these are how many connections wait to be accepted, and
			// how many may wait before one more.
			full = err == nil && info.Unacked > info.Sacked
			return err
		})
		if full {
			return
		}
		conn, err := net.DialTimeout("tcp", listener.Addr().String(), patience)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
	}
	require.Fail(t, "the backlog does not fill")
}

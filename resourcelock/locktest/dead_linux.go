package locktest

import (
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// deadAddress returns an address of loopback at whose port no SYN is answered: a
// listener with a backlog that is full drops them.
func deadAddress(t *testing.T, port int) string {
	const address = "127.0.0.2"
	listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	raw, err := listener.(*net.TCPListener).SyscallConn()
	require.NoError(t, err)
	var refused error
	require.NoError(t, raw.Control(func(fd uintptr) { refused = unix.Listen(int(fd), 0) }))
	require.NoError(t, refused)
	d := net.Dialer{Timeout: 100 * time.Millisecond}
	for range 16 {
		conn, err := d.Dial("tcp", listener.Addr().String())
		if err != nil {
			return address
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	require.Fail(t, "a listener with a full backlog goes on answering")
	return address
}

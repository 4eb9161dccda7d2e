package main

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/holdfast-go/holdfast/internal/backlog"
)

// vanish has the kernel drop all that comes to a connection, unacknowledged, as when
// its machine has gone.
func vanish(t *testing.T, conn *net.TCPConn) {
	raw, err := conn.SyscallConn()
	require.NoError(t, err)
	dropAll := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K} // of each packet keep nothing
	var failed error
	require.NoError(t, raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &dropAll})
	}))
	require.NoError(t, failed)
}

// full returns the address of a host that is not there.
func full(t *testing.T) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	backlog.Fill(t, listener)
	return listener.Addr().String()
}

func TestAServerThatGoesSilentIsDropped(t *testing.T) {
	vanishing := make(chan *net.TCPConn, 1)
	p := play(t, func(o *options) { o.silence = time.Second }, server(t, func(conn *net.TCPConn) {
		vanishing <- conn
		echo(conn)
	}))
	conn := p.dial()
	require.True(t, roundTrip(t, conn, "hello"))
	vanish(t, <-vanishing)
	_, err := io.WriteString(conn, "renew")
	require.NoError(t, err)
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET, "the program hears of it")
	p.until(reasonServer, 1)
	require.True(t, roundTrip(t, p.dial(), "the next connection is a new one"))
}

// A server that has gone while nothing was under way is found by keepalive.
func TestAServerThatGoesSilentWhileIdleIsDropped(t *testing.T) {
	vanishing := make(chan *net.TCPConn, 1)
	p := play(t, func(o *options) { o.silence = time.Second }, server(t, func(conn *net.TCPConn) {
		vanishing <- conn
		echo(conn)
	}))
	conn := p.dial()
	require.True(t, roundTrip(t, conn, "hello"))
	vanish(t, <-vanishing)
	_, err := conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	p.until(reasonServer, 1)
}

func TestADeadFirstAddressCostsASibling(t *testing.T) {
	p := play(t, func(o *options) { o.hedge = 50 * time.Millisecond }, full(t), server(t, echo))
	require.True(t, roundTrip(t, p.dial(), "hello"))
	siblings := p.counts.meter.Stats().Siblings
	assert.Positive(t, siblings)
	require.True(t, roundTrip(t, p.dial(), "hello"))
	assert.Equal(t, siblings, p.counts.meter.Stats().Siblings, "the next dial begins with the one that answered")
}

// Two listeners on one port are like the backends of a virtual IP: the kernel chooses by
// the source port which of them a connection comes to.
func TestAVirtualIPWithADeadBackendChoosesAgain(t *testing.T) {
	shared := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (failed error) {
		err := raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
		return errors.Join(err, failed)
	}}
	dead, err := shared.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = dead.Close() })
	backlog.Fill(t, dead)
	// Of a dial's attempts at the virtual IP there are eight at once. With one backend of
	// eight that is dead, they all meet it once in sixteen million dials.
	for range 7 {
		alive, err := shared.Listen(t.Context(), "tcp", dead.Addr().String())
		require.NoError(t, err)
		serveOn(t, alive, echo)
	}
	p := play(t, func(o *options) { o.hedge, o.connect = 20*time.Millisecond, soon }, dead.Addr().String())
	for range 1000 { // until one of them meets the dead one
		conn := p.dial()
		require.True(t, roundTrip(t, conn, "hello"))
		require.NoError(t, conn.Close())
		if p.counts.meter.Stats().SiblingsWon > 0 {
			return
		}
	}
	assert.Fail(t, "no dial has met the dead backend")
}

func TestARefusingFirstAddressIsPassedOver(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	p := play(t, func(o *options) { o.hedge = time.Hour }, listener.Addr().String(), server(t, echo))
	require.True(t, roundTrip(t, p.dial(), "hello"))
}

package lab

import (
	"context"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// echoing listens on a host and answers each byte with itself until the test
// ends. It returns where, and what has arrived so far.
func echoing(t *testing.T, h *Host) (at netip.AddrPort, arrived <-chan byte) {
	t.Helper()
	at = netip.AddrPortFrom(h.Addr(), 7)
	listener, err := h.Listen(t.Context(), "tcp", at.String())
	require.NoError(t, err)
	bytes := make(chan byte, 16)
	done := make(chan struct{})
	var conns []net.Conn
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns = append(conns, conn)
			go func() {
				var b [1]byte
				for {
					if _, err := io.ReadFull(conn, b[:]); err != nil {
						return
					}
					bytes <- b[0]
					if _, err := conn.Write(b[:]); err != nil {
						return
					}
				}
			}()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
		for _, conn := range conns {
			_ = conn.Close()
		}
	})
	return at, bytes
}

// answered sends one byte and reports whether it comes back in time.
func answered(t *testing.T, conn net.Conn, within time.Duration) bool {
	t.Helper()
	require.NoError(t, conn.SetDeadline(time.Now().Add(within)))
	_, err := conn.Write([]byte{'x'})
	require.NoError(t, err)
	var b [1]byte
	_, err = io.ReadFull(conn, b[:])
	return err == nil
}

func dialEcho(t *testing.T, h *Host, at netip.AddrPort, within time.Duration) (net.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	conn, err := h.Dial(ctx, "tcp", at.String())
	if err == nil {
		t.Cleanup(func() { _ = conn.Close() })
	}
	return conn, err
}

// assertUnanswered holds that a dial ran out of time, and was not refused.
func assertUnanswered(t *testing.T, err error) {
	t.Helper()
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	assert.True(t, timeout.Timeout(), "%v", err)
}

const (
	soon = 5 * time.Second
	// notSoon is how long nothing must arrive.
	notSoon = 300 * time.Millisecond
)

func TestALossTakesOneDirectionOnly(t *testing.T) {
	l := sharedLab(t)
	t.Cleanup(func() { require.NoError(t, l.LoseNothing()) })
	server, client := newHost(t, l, "echo"), newHost(t, l, "asker")
	at, arrived := echoing(t, server)
	conn, err := dialEcho(t, client, at, soon)
	require.NoError(t, err)
	require.True(t, answered(t, conn, soon))
	<-arrived

	require.NoError(t, l.Lose(Loss{From: server.Addr(), To: client.Addr()}))
	assert.False(t, answered(t, conn, notSoon), "an answer came through the loss")
	select {
	case <-arrived:
	case <-time.After(soon):
		assert.Fail(t, "the way to the server is lost as well")
	}

	require.NoError(t, l.LoseNothing())
	require.NoError(t, conn.SetDeadline(time.Now().Add(soon)))
	var b [1]byte
	_, err = io.ReadFull(conn, b[:])
	require.NoError(t, err, "the lost answer is sent again")

	require.NoError(t, l.Lose(Loss{From: client.Addr(), To: server.Addr()}))
	assert.False(t, answered(t, conn, notSoon))
	assert.Empty(t, arrived, "a byte reached the server through the loss")
}

func TestALossOfSYNsSparesConnectionsThatExist(t *testing.T) {
	l := sharedLab(t)
	t.Cleanup(func() { require.NoError(t, l.LoseNothing()) })
	server, client := newHost(t, l, "echo"), newHost(t, l, "asker")
	at, _ := echoing(t, server)
	conn, err := dialEcho(t, client, at, soon)
	require.NoError(t, err)

	require.NoError(t, l.Lose(Loss{To: server.Addr(), Flags: SYN}))
	assert.True(t, answered(t, conn, soon))
	_, err = dialEcho(t, client, at, notSoon)
	assertUnanswered(t, err)
}

func TestALossOfResetsMakesARefusalSilent(t *testing.T) {
	l := sharedLab(t)
	t.Cleanup(func() { require.NoError(t, l.LoseNothing()) })
	server, client := newHost(t, l, "echo"), newHost(t, l, "asker")
	nobody := netip.AddrPortFrom(server.Addr(), 9)
	_, err := dialEcho(t, client, nobody, soon)
	require.ErrorIs(t, err, unix.ECONNREFUSED)

	require.NoError(t, l.Lose(Loss{From: server.Addr(), Flags: RST | FIN}))
	_, err = dialEcho(t, client, nobody, notSoon)
	assertUnanswered(t, err)
}

func TestALossOfEverythingIsAnError(t *testing.T) {
	l := sharedLab(t)
	assert.ErrorContains(t, l.Lose(Loss{}), "every packet")
	assert.ErrorContains(t, l.Lose(Loss{From: netip.MustParseAddr("::1")}), "::1")
}

func TestTheVirtualIPNamesAnyBackend(t *testing.T) {
	l := sharedLab(t)
	server, client := newHost(t, l, "echo"), newHost(t, l, "asker")
	at, _ := echoing(t, server)
	require.NoError(t, client.SetBackendAddrs(at))
	conn, err := dialEcho(t, client, VirtualIP, soon)
	require.NoError(t, err)
	assert.True(t, answered(t, conn, soon))
	to, err := client.ConnectedTo()
	require.NoError(t, err)
	assert.Equal(t, []netip.AddrPort{at}, to)

	assert.ErrorContains(t, client.SetBackendAddrs(at, at), "twice")
	assert.ErrorContains(t, client.SetBackendAddrs(netip.AddrPort{}), "backend")
}

func TestAForgottenConnectionIsResetWhereItLeadsElsewhere(t *testing.T) {
	l := sharedLab(t)
	server, other, client := newHost(t, l, "echo"), newHost(t, l, "other"), newHost(t, l, "asker")
	at, _ := echoing(t, server)
	elsewhere, _ := echoing(t, other)
	require.NoError(t, client.SetBackendAddrs(at))
	conn, err := dialEcho(t, client, VirtualIP, soon)
	require.NoError(t, err)
	require.True(t, answered(t, conn, soon))

	require.NoError(t, client.SetBackendAddrs(elsewhere))
	require.True(t, answered(t, conn, soon), "tracked, it stays where it is")
	require.NoError(t, client.ForgetConnections())
	require.NoError(t, conn.SetDeadline(time.Now().Add(soon)))
	_, err = conn.Write([]byte{'x'})
	require.NoError(t, err)
	_, err = io.ReadFull(conn, make([]byte, 1))
	assert.ErrorIs(t, err, unix.ECONNRESET)
}

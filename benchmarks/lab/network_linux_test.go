package lab

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestVirtualIPSpreadsNewConnectionsAndKeepsOldOnes(t *testing.T) {
	l := sharedLab(t)
	h := newHost(t, l, "spread")
	count := map[int]int{}
	for range 90 { // that one of three gets none of 90 happens once in 10^15
		c := from(t, l, h)
		server, err := c.ask(t.Context(), 5*time.Second)
		require.NoError(t, err)
		count[server]++
		c.http.CloseIdleConnections()
	}
	t.Logf("figure: 90 connections spread over API servers as %v", count)
	assert.Len(t, count, 3, "every API server gets some of the connections")

	require.NoError(t, h.SetBackends(0))
	old := from(t, l, h)
	server, err := old.ask(t.Context(), 5*time.Second)
	require.NoError(t, err)
	require.Equal(t, 0, server)

	require.NoError(t, l.SetBackends(1))
	server, err = old.ask(t.Context(), 5*time.Second)
	require.NoError(t, err)
	assert.Equal(t, 0, server, "an existing connection stays where it is")
	young := from(t, l, h)
	server, err = young.ask(t.Context(), 5*time.Second)
	require.NoError(t, err)
	assert.Equal(t, 1, server, "a new connection goes to what the virtual IP names now")
	connected, err := h.Connected()
	require.NoError(t, err)
	assert.Equal(t, []int{0, 1}, connected, "connections that were closed do not count")

	late := newHost(t, l, "late")
	server, err = from(t, l, late).ask(t.Context(), 5*time.Second)
	require.NoError(t, err)
	assert.Equal(t, 1, server, "a host made later has the lab's backends")
}

func TestVirtualIPWithoutBackendsRefuses(t *testing.T) {
	l := sharedLab(t)
	h := newHost(t, l, "refused")
	require.NoError(t, h.SetBackends())
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := h.Dial(ctx, "tcp", VirtualIP.String())
	require.ErrorIs(t, err, unix.ECONNREFUSED)

	require.NoError(t, h.SetBackends(2))
	server, err := from(t, l, h).ask(t.Context(), 5*time.Second)
	require.NoError(t, err)
	assert.Equal(t, 2, server)
}

func TestBackendsThatDoNotExistAreAnError(t *testing.T) {
	l := sharedLab(t)
	assert.EqualError(t, l.SetBackends(0, 3), "lab: there is no API server 3: there are 3, from 0")
	assert.EqualError(t, l.SetBackends(1, 1), "lab: backends [1 1] name API server 1 twice")
	_, _, err := l.Observer(-1)
	assert.EqualError(t, err, "lab: there is no API server -1: there are 3, from 0")
}

func TestCutIsSilentAndMendHeals(t *testing.T) {
	l := sharedLab(t)
	h := newHost(t, l, "silent")
	require.NoError(t, h.SetBackends(0))
	conn, err := h.Dial(t.Context(), "tcp", VirtualIP.String())
	require.NoError(t, err)
	defer conn.Close()
	http := from(t, l, h)
	_, err = http.ask(t.Context(), 5*time.Second)
	require.NoError(t, err)

	require.NoError(t, l.APIServers()[0].Silence())
	assert.True(t, l.APIServers()[0].Host().IsCut())

	_, err = conn.Write([]byte("x"))
	require.NoError(t, err, "a write into the silence succeeds: the kernel keeps it")
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Second)))
	_, err = conn.Read(make([]byte, 1))
	requireTimeout(t, err, "the connection is neither reset nor closed")
	assert.EqualValues(t, 1, info(t, conn).Unacked, "nobody acknowledges what was written")

	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = h.Dial(ctx, "tcp", VirtualIP.String())
	requireTimeout(t, err, "a connection attempt hangs, it is not refused")

	require.NoError(t, l.APIServers()[0].Mend())
	require.Eventually(t, func() bool { return info(t, conn).Unacked == 0 }, 10*time.Second, 20*time.Millisecond,
		"TCP delivers after the mend what was written before")
	server, err := http.ask(t.Context(), 10*time.Second)
	require.NoError(t, err)
	assert.Equal(t, 0, server)
}

func TestANewHostIsConnectedAtOnce(t *testing.T) {
	l := sharedLab(t)
	for _, name := range []string{"first", "second", "third", "fourth", "fifth"} {
		h := newHost(t, l, name)
		ctx, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond) // before TCP and ARP try again
		conn, err := h.Dial(ctx, "tcp", VirtualIP.String())
		cancel()
		require.NoError(t, err, "the first packet of a host arrives")
		require.NoError(t, conn.Close())
	}
}

func TestCuttingAContenderHostHarmsNobodyElse(t *testing.T) {
	l := sharedLab(t)
	lonely, other := newHost(t, l, "lonely"), newHost(t, l, "other")
	require.NoError(t, lonely.Cut())
	_, err := from(t, l, lonely).ask(t.Context(), 500*time.Millisecond)
	requireTimeout(t, err, "nobody answers, nobody refuses")
	_, err = from(t, l, other).ask(t.Context(), 5*time.Second)
	require.NoError(t, err)
	require.NoError(t, lonely.Mend())
	_, err = from(t, l, lonely).ask(t.Context(), 5*time.Second)
	require.NoError(t, err)
}

func TestFrozenServerStillAcknowledges(t *testing.T) {
	l := sharedLab(t)
	h := newHost(t, l, "frozen")
	require.NoError(t, h.SetBackends(1))
	require.NoError(t, l.APIServers()[1].Freeze())

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	conn, err := h.Dial(ctx, "tcp", VirtualIP.String())
	require.NoError(t, err, "the kernel accepts for the process that stands still")
	defer conn.Close()
	_, err = conn.Write(make([]byte, 100))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return info(t, conn).Unacked == 0 }, 5*time.Second, 10*time.Millisecond,
		"and acknowledges what is sent to it")
	_, err = from(t, l, h).ask(t.Context(), time.Second)
	requireTimeout(t, err, "but nobody answers")

	short, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	err = l.APIServers()[1].Ready(short)
	require.ErrorContains(t, err, "api-1 not ready after")
	require.ErrorContains(t, err, l.APIServers()[1].Host().LogPath(), "the error says where the log is")

	require.NoError(t, l.APIServers()[1].Thaw())
	server, err := from(t, l, h).ask(t.Context(), 10*time.Second)
	require.NoError(t, err)
	assert.Equal(t, 1, server)
}

// requireTimeout tells silence from refusal: the net package has several
// errors for a time that is over.
func requireTimeout(t *testing.T, err error, why string) {
	t.Helper()
	var n net.Error
	require.ErrorAs(t, err, &n, why)
	require.True(t, n.Timeout(), "%s: %v", why, err)
}

// info is the kernel's view of a connection.
func info(t *testing.T, conn net.Conn) *unix.TCPInfo {
	t.Helper()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	require.NoError(t, err)
	var info *unix.TCPInfo
	var failed error
	require.NoError(t, raw.Control(func(fd uintptr) {
		info, failed = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	}))
	require.NoError(t, failed)
	return info
}

func TestLinkAddresses(t *testing.T) {
	for i, want := range map[int][2]string{
		0:            {"198.18.0.1", "198.18.0.2"},
		1:            {"198.18.0.5", "198.18.0.6"},
		64:           {"198.18.1.1", "198.18.1.2"},
		maxHosts - 1: {"198.18.255.253", "198.18.255.254"},
	} {
		router, host := linkAddresses(i)
		assert.Equal(t, want, [2]string{router.String(), host.String()}, "link %d", i)
		assert.True(t, netip.MustParsePrefix("198.18.0.0/15").Contains(host))
	}
}

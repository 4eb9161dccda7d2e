package lab

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestTCPGivesUpAfterTheDoublingsTheKernelDocuments(t *testing.T) {
	for retries2, want := range map[int]time.Duration{
		0:                  200 * time.Millisecond,
		5:                  12600 * time.Millisecond,
		8:                  102200 * time.Millisecond, // RFC 1122 asks for at least 100s, which the kernel says is 8
		9:                  204600 * time.Millisecond,
		10:                 324600 * time.Millisecond,
		DefaultTCPRetries2: 924600 * time.Millisecond, // named by the kernel's documentation
	} {
		assert.Equal(t, want, TCPGivesUpAfter(retries2), "tcp_retries2 = %d", retries2)
	}
}

func TestAHostGivesUpByItsOwnTCPRetries2(t *testing.T) {
	l := sharedLab(t)
	h, other := newHost(t, l, "impatient"), newHost(t, l, "patient")
	before := routerRetries2(t)
	const retries2 = 2
	require.NoError(t, h.SetTCPRetries2(retries2))
	set, err := h.TCPRetries2()
	require.NoError(t, err)
	assert.Equal(t, retries2, set)
	untouched, err := other.TCPRetries2()
	require.NoError(t, err)
	assert.Equal(t, DefaultTCPRetries2, untouched, "another host")
	assert.Equal(t, before, routerRetries2(t), "the router")

	require.NoError(t, l.SetBackends(0))
	conn, err := h.Dial(t.Context(), "tcp", VirtualIP.String())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, l.APIServers()[0].Silence())
	dropped, err := h.TCPTimeouts()
	require.NoError(t, err)
	elsewhere, err := other.TCPTimeouts()
	require.NoError(t, err)

	begun := time.Now()
	_, err = conn.Write([]byte("x"))
	require.NoError(t, err)
	bound := TCPGivesUpAfter(retries2)
	require.NoError(t, conn.SetReadDeadline(begun.Add(10*bound)))
	_, err = conn.Read(make([]byte, 1))
	took := time.Since(begun)
	t.Logf("figure: with tcp_retries2 = %d TCP gave up after %v (documented lower bound %v)", retries2, took.Round(time.Millisecond), bound)
	require.ErrorIs(t, err, unix.ETIMEDOUT, "the kernel gave up")
	assert.GreaterOrEqual(t, took, bound)

	now, err := h.TCPTimeouts()
	require.NoError(t, err)
	assert.Equal(t, dropped+1, now, "the drop is counted")
	now, err = other.TCPTimeouts()
	require.NoError(t, err)
	assert.Equal(t, elsewhere, now, "and only where it was")
}

func TestTCPRetries2ThatTheKernelCannotTakeIsAnError(t *testing.T) {
	h := newHost(t, sharedLab(t), "strict")
	assert.EqualError(t, h.SetTCPRetries2(256), `lab: host "strict": tcp_retries2 = 256: must be 0 to 255`)
	assert.EqualError(t, h.SetTCPRetries2(-1), `lab: host "strict": tcp_retries2 = -1: must be 0 to 255`)
}

func TestCountersAreReadByGroupAndName(t *testing.T) {
	const text = "TcpExt: A B\nTcpExt: 1 2\nIpExt: B C\nIpExt: 3 4\n"
	n, err := counter(text, "IpExt", "B")
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	_, err = counter(text, "TcpExt", "C")
	assert.EqualError(t, err, "there is no counter C of group TcpExt")
}

func routerRetries2(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(retries2Path)
	require.NoError(t, err)
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	return n
}

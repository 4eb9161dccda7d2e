package dialer

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/holdfast-go/holdfast/dialer/internal/socket"
)

// unread accepts connections on the first of which it reads nothing. The kernel
// acknowledges a little for it, and no more.
type unread struct {
	net.Listener
	first atomic.Bool
}

func (u *unread) Accept() (net.Conn, error) {
	conn, err := u.Listener.Accept()
	if err == nil && !u.first.Swap(true) {
		conn = &unreadConn{Conn: conn, closed: make(chan struct{})}
	}
	return conn, err
}

type unreadConn struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func (u *unreadConn) Read([]byte) (int, error) {
	<-u.closed
	return 0, io.EOF
}

func (u *unreadConn) Close() error {
	u.once.Do(func() { close(u.closed) })
	return u.Conn.Close()
}

// What the kernel takes for a peer that acknowledges nothing is no progress of an upload:
// the hedge comes while there is still room in the kernel's buffer.
func TestWhatNobodyAcknowledgesIsNoProgress(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		_, _ = io.Copy(io.Discard, request.Body)
		hello(w, request)
	}))
	listener := &unread{Listener: server.Listener}
	server.Listener = listener
	raw, err := listener.Listener.(*net.TCPListener).SyscallConn()
	require.NoError(t, err)
	require.NoError(t, socket.Control(raw, func(fd uintptr) error {
		return unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 16<<10)
	}))
	server.Start()
	t.Cleanup(server.Close)

	const whole, hedge = 2 << 20, 200 * ms
	var given, hedged atomic.Int64
	hedges := make(chan struct{})
	rt := &Transport{Budget: Budget{Answer: time.Minute, Hedge: hedge, Silence: -1}, Meter: &Meter{Trace: Trace{
		Hedged: func(_, _ string, attempt int, _ time.Duration) {
			if attempt == 2 {
				hedged.Store(given.Load())
				close(hedges)
			}
		},
	}}}
	t.Cleanup(rt.CloseIdleConnections)
	request := newRequestTo(t, http.MethodPut, server.URL)
	body := func(paced bool) (io.ReadCloser, error) {
		return io.NopCloser(&pacedBody{left: whole, paced: paced, given: &given, until: hedges}), nil
	}
	request.Body, _ = body(true)
	request.GetBody = func() (io.ReadCloser, error) { return body(false) }
	request.ContentLength = whole
	response, err := rt.RoundTrip(request)
	require.NoError(t, err)
	assert.Contains(t, bodyOf(t, response), "hello")
	assert.Less(t, hedged.Load(), int64(whole), "of the first attempt's body")
	t.Logf("the hedge came after %d bytes of %d", hedged.Load(), whole)
}

// pacedBody is a body of which the first attempt gets 10 KiB every 20ms, until it is
// hedged: half as much again as is progress, and for twenty times the hedge.
type pacedBody struct {
	left  int
	paced bool
	given *atomic.Int64
	until chan struct{}
}

func (p *pacedBody) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	n := min(len(b), 32<<10, p.left)
	if p.paced {
		select {
		case <-time.After(20 * ms * time.Duration(n) / (10 << 10)):
			p.given.Add(int64(n))
		case <-p.until:
		}
	}
	p.left -= n
	return n, nil
}

func TestUnackedIsWhatThePeerHasNotTaken(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	socket, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer func() { _ = socket.Close() }()
	peer, err := listener.Accept()
	require.NoError(t, err)
	defer func() { _ = peer.Close() }()
	u := &requestTrace{Context: context.Background(), carrier: &conn{Conn: socket}}
	written := make(chan error, 1)
	go func() {
		_, err := socket.Write(make([]byte, 64<<20))
		written <- err
	}()
	require.Eventually(t, func() bool {
		n, ok := u.unacknowledged()
		return ok && n > 0
	}, 30*time.Second, ms, "of more than the peer's window holds, nothing waits")
	require.NoError(t, socket.Close())
	require.ErrorIs(t, <-written, net.ErrClosed)
	_, ok := u.unacknowledged()
	assert.False(t, ok, "what is gone tells nothing")
}

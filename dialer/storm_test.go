package dialer

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"k8s.io/client-go/rest"
)

// storm is an HTTP/2 server that does to each request what its test says.
type storm struct {
	opened, requests atomic.Int32
	config           *rest.Config
}

// newStorm serves connections whose requests get what happens, which reports whether the
// connection goes on.
func newStorm(t *testing.T, happens func(f *http2.Framer, conn net.Conn, stream uint32) bool) *storm {
	t.Helper()
	identity := httptest.NewUnstartedServer(nil)
	identity.EnableHTTP2 = true
	identity.StartTLS()
	t.Cleanup(identity.Close)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: identity.TLS.Certificates, NextProtos: []string{"h2"}})
	require.NoError(t, err)
	s := &storm{config: newConfig(identity)}
	s.config.Host = "https://" + listener.Addr().String()
	var serving sync.WaitGroup
	var conns sync.Map
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Store(conn, nil)
			serving.Go(func() {
				defer func() { _ = conn.Close() }()
				s.serve(conn.(*tls.Conn), happens)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		conns.Range(func(conn, _ any) bool { _ = conn.(net.Conn).Close(); return true })
		serving.Wait()
	})
	return s
}

func (s *storm) serve(conn *tls.Conn, happens func(*http2.Framer, net.Conn, uint32) bool) {
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	s.opened.Add(1) // and not one that has lost the race of a dial
	f := http2.NewFramer(conn, conn)
	if f.WriteSettings() != nil {
		return
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = f.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				_ = f.WritePing(true, frame.Data)
			}
		case *http2.HeadersFrame:
			s.requests.Add(1)
			if !happens(f, conn.NetConn(), frame.StreamID) {
				return
			}
		}
	}
}

// reset ends a connection by an RST.
func reset(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// Whatever an HTTP/2 server does to each request, a call ends within its bound, a
// server is sent nothing twice but what it has said it did not execute, and a request
// is repeated at a pace that a server does not notice.
func TestStormsOverHTTP2AreNotAnsweredByStorms(t *testing.T) {
	const bound = 2500 * ms
	for name, c := range map[string]struct {
		happens func(f *http2.Framer, conn net.Conn, stream uint32) bool
		most    int32 // connections, and times that the request is sent
	}{
		// The server says that it has executed nothing. Two at once, then after 100ms,
		// 200ms, 400ms, 800ms: six, and one more that the bound may leave room for.
		"sent away": {func(f *http2.Framer, _ net.Conn, _ uint32) bool {
			return f.WriteGoAway(0, http2.ErrCodeNo, nil) == nil
		}, 7},
		"sent away and closed": {func(f *http2.Framer, _ net.Conn, _ uint32) bool {
			_ = f.WriteGoAway(0, http2.ErrCodeNo, nil)
			return false
		}, 7},
		"refused": {func(f *http2.Framer, _ net.Conn, stream uint32) bool {
			return f.WriteRSTStream(stream, http2.ErrCodeRefusedStream) == nil
		}, 7},
		// The server may have executed it.
		"sent away after it": {func(f *http2.Framer, _ net.Conn, stream uint32) bool {
			_ = f.WriteGoAway(stream, http2.ErrCodeNo, nil)
			return false
		}, 1},
		"stream reset": {func(f *http2.Framer, _ net.Conn, stream uint32) bool {
			return f.WriteRSTStream(stream, http2.ErrCodeInternal) == nil
		}, 1},
		"connection reset": {func(_ *http2.Framer, conn net.Conn, _ uint32) bool {
			reset(conn)
			return false
		}, 1},
		// The window is never opened again, while pings are answered.
		"stalled": {func(*http2.Framer, net.Conn, uint32) bool { return true }, 1},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			t.Run(name+"/"+method, func(t *testing.T) {
				t.Parallel()
				s := newStorm(t, c.happens)
				hardened, err := HardenTraffic(s.config, time.Second)
				require.NoError(t, err)
				ctx, cancel := context.WithTimeout(t.Context(), bound)
				defer cancel()
				var body io.Reader
				if method == http.MethodPost { // more than the window
					body = strings.NewReader(strings.Repeat("x", 1<<20))
				}
				request, err := http.NewRequestWithContext(ctx, method, s.config.Host, body)
				require.NoError(t, err)
				start := time.Now()
				_, err = clientFor(t, hardened).Do(request)
				require.Error(t, err)
				assert.Less(t, time.Since(start), bound+time.Second)
				assert.LessOrEqual(t, s.opened.Load(), c.most)
				assert.LessOrEqual(t, s.requests.Load(), c.most)
			})
		}
	}
}

// One storm that passes costs a moment: the call is repeated within its bound.
func TestARequestThatIsSentAwayIsRepeated(t *testing.T) {
	var sentAway atomic.Int32
	s := newStorm(t, func(f *http2.Framer, _ net.Conn, stream uint32) bool {
		if sentAway.Add(1) <= 4 {
			return f.WriteGoAway(0, http2.ErrCodeNo, nil) == nil
		}
		// 0x88 is the header :status 200 of HPACK's static table.
		return f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte{0x88}, EndHeaders: true, EndStream: true}) == nil
	})
	hardened, err := HardenTraffic(s.config, time.Second)
	require.NoError(t, err)
	assert.Empty(t, get(t, clientFor(t, hardened), s.config.Host))
	assert.EqualValues(t, 5, s.opened.Load())
	assert.EqualValues(t, 5, s.requests.Load())
}

func TestTheDialsOfOneRequestArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(new(Meter).follow(t.Context()))
		start := time.Now()
		var at []time.Duration
		for range 9 {
			require.NoError(t, again(ctx))
			at = append(at, time.Since(start))
		}
		assert.Equal(t, []time.Duration{0, 0, 100 * ms, 300 * ms, 700 * ms, 1500 * ms, 3100 * ms, 5100 * ms, 7100 * ms}, at)
		gone := errors.New("gone")
		cancel(gone)
		assert.ErrorIs(t, again(ctx), gone)
		assert.NoError(t, again(t.Context()), "a dial for nobody in particular")
	})
}

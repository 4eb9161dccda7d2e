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

// storms is what an HTTP/2 server does to each request, and how often one request may be
// sent to it, with as many connections.
var storms = map[string]struct {
	happens func(f *http2.Framer, conn net.Conn, stream uint32) bool
	most    int32
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
}

// stormed returns a request, one with a body that is more than the window where the
// method has one, and what it may last.
func (s *storm) stormed(t *testing.T, method string, bound time.Duration) *http.Request {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	t.Cleanup(cancel)
	var body io.Reader
	if method != http.MethodGet {
		body = strings.NewReader(strings.Repeat("x", 1<<20))
	}
	request, err := http.NewRequestWithContext(ctx, method, s.config.Host, body)
	assert.NoError(t, err)
	return request
}

// Whatever an HTTP/2 server does to each request, a call ends within its bound, a
// server is sent nothing twice but what it has said it did not execute, and a request
// is repeated at a pace that a server does not notice.
func TestStormsOverHTTP2AreNotAnsweredByStorms(t *testing.T) {
	const bound = 2500 * ms
	var all few
	defer all.Wait()
	for name, c := range storms {
		for whose, own := range map[string]bool{"client-go's": false, "the user's": true} {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				name := name + ", " + whose + ", " + method
				s := newStorm(t, c.happens)
				if own {
					s.config.Transport = &http.Transport{TLSClientConfig: s.tls(t), ForceAttemptHTTP2: true}
					s.config.TLSClientConfig = rest.TLSClientConfig{}
				}
				hardened, err := HardenTraffic(s.config, time.Second)
				require.NoError(t, err)
				client := clientFor(t, hardened)
				all.Go(func() {
					start := time.Now()
					answer, err := client.Do(s.stormed(t, method, bound))
					if !assert.Error(t, err, name) {
						_ = answer.Body.Close()
					}
					assert.Less(t, time.Since(start), bound+slowMachine, name)
					assert.LessOrEqual(t, s.opened.Load(), c.most, name)
					assert.LessOrEqual(t, s.requests.Load(), c.most, name)
				})
			}
		}
	}
}

// few is calls of which a few are made at once: each takes seconds of waiting, and all
// together would be short of CPU.
type few struct {
	sync.WaitGroup
	once  sync.Once
	slots chan struct{}
}

// Go makes a call once there is room.
func (f *few) Go(call func()) {
	f.once.Do(func() { f.slots = make(chan struct{}, 14) })
	f.slots <- struct{}{}
	f.WaitGroup.Go(func() {
		defer func() { <-f.slots }()
		call()
	})
}

// tls is what a client of the server's needs.
func (s *storm) tls(t *testing.T) *tls.Config {
	t.Helper()
	config, err := rest.TLSConfigFor(s.config)
	require.NoError(t, err)
	return config
}

// The same of a Transport whose base is the user's own. How many attempts there are is
// what its budget has room for; net/http repeats one once at once, x/net once more a
// second later, and beyond that the attempts of a call share their pauses.
func TestStormsOverTheUsersHTTP2AreNotAnsweredByStorms(t *testing.T) {
	const bound = 2500 * ms
	budget := Budget{Answer: bound}
	bases := map[string]func(s *storm) http.RoundTripper{
		"net/http": func(s *storm) http.RoundTripper {
			return &http.Transport{TLSClientConfig: s.tls(t), ForceAttemptHTTP2: true}
		},
		"net/http over a Dialer": func(s *storm) http.RoundTripper {
			return &http.Transport{TLSClientConfig: s.tls(t), ForceAttemptHTTP2: true, DialContext: new(Dialer).DialContext}
		},
		"x/net": func(s *storm) http.RoundTripper { return &http2.Transport{TLSClientConfig: s.tls(t)} },
	}
	var all few
	defer all.Wait()
	for name, c := range storms {
		for kind, base := range bases {
			for method, attempts := range map[string]int32{http.MethodGet: int32(budget.WithDefaults().attempts()), http.MethodPost: 1} {
				name := name + ", " + kind + ", " + method
				s := newStorm(t, c.happens)
				rt := &Transport{Base: base(s), Budget: budget}
				t.Cleanup(rt.CloseIdleConnections)
				all.Go(func() {
					start := time.Now()
					answer, err := rt.RoundTrip(s.stormed(t, method, time.Minute))
					if !assert.Error(t, err, name) {
						_ = answer.Body.Close()
					}
					assert.Less(t, time.Since(start), bound+slowMachine, name)
					stats := rt.Stats()
					made, requests, opened := int32(1+stats.Hedges+stats.Retries), s.requests.Load(), s.opened.Load()
					t.Logf("figure: storm, %s: %d attempts, %d requests, %d connections in %v", name, made, requests, opened, time.Since(start))
					assert.LessOrEqual(t, made, attempts, name)
					assert.LessOrEqual(t, requests, 3*made+c.most, name)
					assert.LessOrEqual(t, opened, 3*made+c.most, name)
				})
			}
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

package dialer

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// closings is a Meter's Trace that tells of every closing.
func closings() (Trace, <-chan CloseReason) {
	reasons := make(chan CloseReason, 64)
	return Trace{Closed: func(reason CloseReason, _ time.Duration, _ net.Addr, _ error) { reasons <- reason }}, reasons
}

func next(t *testing.T, reasons <-chan CloseReason) CloseReason {
	t.Helper()
	select {
	case reason := <-reasons:
		return reason
	case <-time.After(20 * time.Second):
		t.Fatal("no connection was closed")
		return -1
	}
}

func metered(t *testing.T, client *http.Client) (*Meter, <-chan CloseReason) {
	t.Helper()
	meter := new(Meter)
	var reasons <-chan CloseReason
	meter.Trace, reasons = closings()
	client.Transport.(*Transport).Meter = meter
	return meter, reasons
}

func TestMeterCountsRequestsAndTheirConnections(t *testing.T) {
	server, _ := newServer(t, false, hello)
	client := newClient(t, server, Budget{Answer: 20 * time.Second, Hedge: -1, DialHedge: -1})
	for range 3 {
		get(t, client, server.URL)
	}
	stats, ok := StatsOf(wrapper{client.Transport})
	require.True(t, ok)
	last := stats.Last
	assert.True(t, last.Reused)
	assert.Positive(t, last.Age)
	assert.Positive(t, last.Idle)
	assert.Greater(t, last.Age, last.Idle)
	assert.Positive(t, last.Took)
	assert.Equal(t, 1, last.Attempts)
	stats.Last = Served{}
	assert.Equal(t, Stats{Opened: 1, Open: 1, Dials: 1, Requests: 3, Answered: 3, ServedNew: 1, ServedReused: 2}, stats)

	client.CloseIdleConnections()
	stats = client.Transport.(*Transport).Stats()
	assert.Zero(t, stats.Open)
	assert.Equal(t, Closes{ByUs: 1}, stats.Closed)
	stats.Closed[Failed] = 9
	assert.Zero(t, client.Transport.(*Transport).Stats().Closed[Failed], "Stats shares nothing with the Meter")

	_, ok = StatsOf(http.DefaultTransport)
	assert.False(t, ok)
	_, ok = StatsOf(nil)
	assert.False(t, ok)
}

// The server answers our goodbye with one of its own, which may arrive before
// we have closed the socket: whoever spoke first has closed the connection.
func TestIdleConnectionThatWeCloseIsByUs(t *testing.T) {
	server, _ := newServer(t, false, hello)
	client := newClient(t, server, Budget{Answer: 20 * time.Second, Hedge: -1, DialHedge: -1})
	meter, reasons := metered(t, client)
	for range 50 {
		get(t, client, server.URL)
		client.CloseIdleConnections()
		require.Equal(t, ByUs, next(t, reasons))
	}
	assert.Equal(t, Closes{ByUs: 50}, meter.Stats().Closed)
}

func TestConnectionThatIsNotToBeKeptIsByUs(t *testing.T) {
	server, _ := newServer(t, false, hello)
	client := newClient(t, server, Budget{Mode: NewConnections, Answer: 20 * time.Second, Hedge: -1, DialHedge: -1})
	_, reasons := metered(t, client)
	for range 20 {
		get(t, client, server.URL)
		require.Equal(t, ByUs, next(t, reasons))
	}
}

func TestConnectionThatThePeerClosesIsPeerClosed(t *testing.T) {
	server, _ := newServer(t, false, hello)
	client := newClient(t, server, Budget{Answer: 20 * time.Second, Hedge: -1, DialHedge: -1})
	_, reasons := metered(t, client)
	for range 20 {
		get(t, client, server.URL)
		server.CloseClientConnections()
		require.Equal(t, PeerClosed, next(t, reasons))
	}
}

func TestLosersConnectionLostItsHedge(t *testing.T) {
	for name, hide := range map[string]func(net.Conn) net.Conn{
		"plain":            func(c net.Conn) net.Conn { return c },
		"behind a wrapper": func(c net.Conn) net.Conn { return struct{ net.Conn }{c} }, // as client-go's for certificates
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			server, _ := newServer(t, false, func(w http.ResponseWriter, request *http.Request) {
				if requests.Add(1) == 1 {
					<-request.Context().Done()
					return
				}
				hello(w, request)
			})
			client := newClient(t, server, Budget{Answer: 20 * time.Second, Hedge: 50 * ms, DialHedge: -1})
			base := client.Transport.(*Transport).WrappedRoundTripper().(*http.Transport)
			dial := base.DialContext
			base.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := dial(ctx, network, address)
				if err != nil {
					return nil, err
				}
				return hide(conn), nil
			}
			meter, reasons := metered(t, client)
			get(t, client, server.URL)
			require.Equal(t, LostHedge, next(t, reasons))
			stats := meter.Stats()
			assert.GreaterOrEqual(t, stats.Hedges, int64(1))
			assert.EqualValues(t, 1, stats.HedgesWon)
			assert.Zero(t, stats.Retries)
			assert.EqualValues(t, 1, stats.ServedNew)
			assert.GreaterOrEqual(t, stats.Last.Took, 50*ms)
			assert.EqualValues(t, 1+stats.Hedges, stats.Last.Attempts)
		})
	}
}

func TestCancelledRequestsConnectionIsGivenUp(t *testing.T) {
	got := make(chan struct{}, 1)
	server, _ := newServer(t, false, func(_ http.ResponseWriter, request *http.Request) {
		got <- struct{}{}
		<-request.Context().Done()
	})
	client := newClient(t, server, Budget{Answer: 20 * time.Second, Hedge: -1, DialHedge: -1})
	meter, reasons := metered(t, client)
	ctx, cancel := context.WithCancel(t.Context())
	context.AfterFunc(t.Context(), cancel)
	go func() {
		<-got
		cancel()
	}()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	_, err = client.Do(request)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, GivenUp, next(t, reasons))
	assert.EqualValues(t, 1, meter.Stats().Requests)
	assert.Zero(t, meter.Stats().Answered)
}

func TestWatchThatItsReaderEndsIsByUs(t *testing.T) {
	server, _ := newServer(t, false, func(w http.ResponseWriter, request *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-request.Context().Done()
	})
	client := newClient(t, server, Budget{Answer: 20 * time.Second, Hedge: -1, DialHedge: -1})
	_, reasons := metered(t, client)
	response, err := client.Get(server.URL + "?watch=true")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, ByUs, next(t, reasons))
}

func TestUntrustedPeersConnectionFailedItsHandshake(t *testing.T) {
	server, _ := newServer(t, false, hello)
	rt := &Transport{Budget: Budget{Answer: 20 * time.Second, Hedge: -1, DialHedge: -1}}
	_, err := (&http.Client{Transport: rt}).Get(server.URL)
	require.ErrorContains(t, err, "certificate")
	stats := rt.Stats()
	assert.Equal(t, Closes{Handshake: 1 + atOnce}, stats.Closed)
	assert.EqualValues(t, atOnce, stats.Retries)
}

func TestSiblingsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials, hedged, opened atomic.Int32
		trace, reasons := closings()
		trace.DialHedged = func(network, address string, waited time.Duration) {
			hedged.Add(1)
			assert.Equal(t, "tcp 192.0.2.1:443", network+" "+address)
			assert.Equal(t, 100*ms, waited)
		}
		trace.Opened = func(net.Addr, bool) { opened.Add(1) }
		meter := &Meter{Trace: trace}
		d := &Dialer{Hedge: 100 * ms, Meter: meter, Dial: func(context.Context, string, string) (net.Conn, error) {
			if dials.Add(1) == 1 {
				time.Sleep(time.Second)
			}
			ours, theirs := net.Pipe()
			return ours, theirs.Close()
		}}
		conn, err := d.DialContext(t.Context(), "tcp", "192.0.2.1:443")
		require.NoError(t, err)
		assert.Equal(t, LostDial, <-reasons)
		require.NoError(t, conn.Close())
		_ = conn.Close()
		assert.Equal(t, ByUs, <-reasons)
		assert.Equal(t, Stats{Opened: 2, Closed: Closes{ByUs: 1, LostDial: 1}, Dials: 1, Siblings: 1, SiblingsWon: 1}, meter.Stats())
		assert.EqualValues(t, 1, hedged.Load())
		assert.EqualValues(t, 2, opened.Load())
		assert.Empty(t, reasons, "a connection is closed once")
	})
}

func TestFailedDialIsCounted(t *testing.T) {
	meter := new(Meter)
	d := &Dialer{Hedge: -1, Meter: meter, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errBroken }}
	_, err := d.DialContext(t.Context(), "tcp", "192.0.2.1:443")
	require.ErrorIs(t, err, errBroken)
	assert.Equal(t, Stats{Dials: 1, DialsFailed: 1}, meter.Stats())
}

// brokenConn fails as told.
type brokenConn struct {
	net.Conn
	read, write error
}

func (b brokenConn) Read([]byte) (int, error)  { return 0, b.read }
func (b brokenConn) Write([]byte) (int, error) { return 0, b.write }

func TestWhatAReadOrWriteReturnsIsTheReason(t *testing.T) {
	for name, c := range map[string]struct {
		broken brokenConn
		want   CloseReason
	}{
		"user timeout":             {brokenConn{read: syscall.ETIMEDOUT, write: syscall.EPIPE}, TimedOut},
		"write after a reset":      {brokenConn{read: context.DeadlineExceeded, write: syscall.EPIPE}, Reset},
		"FIN":                      {brokenConn{read: io.EOF, write: syscall.ECONNRESET}, PeerClosed},
		"unknown":                  {brokenConn{read: errors.New("?"), write: errors.New("!")}, Failed},
		"a deadline of the user's": {brokenConn{read: context.DeadlineExceeded, write: net.ErrClosed}, ByUs},
	} {
		t.Run(name, func(t *testing.T) {
			if c.broken.read == context.DeadlineExceeded {
				c.broken.read = timeoutOfDeadline(t)
			}
			ours, theirs := net.Pipe()
			defer func() { _ = theirs.Close() }()
			c.broken.Conn = ours
			var meter Meter
			d := &Dialer{Meter: &meter, Dial: func(context.Context, string, string) (net.Conn, error) { return c.broken, nil }}
			conn, err := d.DialContext(t.Context(), "tcp", "192.0.2.1:443")
			require.NoError(t, err)
			_, _ = conn.Read(make([]byte, 1))
			_, _ = conn.Write([]byte("x"))
			require.NoError(t, conn.Close())
			assert.Equal(t, Closes{c.want: 1}, meter.Stats().Closed)
		})
	}
}

// timeoutOfDeadline returns what a read past its deadline returns.
func timeoutOfDeadline(t *testing.T) error {
	ours, theirs := net.Pipe()
	defer func() { _, _ = ours.Close(), theirs.Close() }()
	require.NoError(t, ours.SetReadDeadline(time.Unix(1, 0)))
	_, err := ours.Read(make([]byte, 1))
	require.Error(t, err)
	return err
}

func TestResetConnectionIsReset(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	go func() {
		for {
			peer, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = peer.Read(make([]byte, 1)) // a reset before connect has returned would fail the dial
			_ = peer.(*net.TCPConn).SetLinger(0)
			_ = peer.Close()
		}
	}()
	var meter Meter
	conn, err := (&Dialer{Hedge: -1, Meter: &meter}).DialContext(t.Context(), "tcp", listener.Addr().String())
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = conn.Write([]byte("x"))
	require.NoError(t, err)
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	require.NoError(t, conn.Close())
	assert.Equal(t, Closes{Reset: 1}, meter.Stats().Closed)
}

func TestHardenedClientsAreCounted(t *testing.T) {
	for name, shared := range map[string]*Meter{"a Meter each": nil, "one Meter": new(Meter)} {
		t.Run(name, func(t *testing.T) {
			server, _ := newServer(t, true, hello)
			lock, err := Harden(newConfig(server), Budget{Answer: 20 * time.Second, Hedge: -1, DialHedge: -1}, WithMeter(shared))
			require.NoError(t, err)
			rest, err := HardenTraffic(newConfig(server), 20*time.Second, nil, WithMeter(shared))
			require.NoError(t, err)
			first, second, third := clientFor(t, lock), clientFor(t, lock), clientFor(t, rest)
			for _, client := range []*http.Client{first, second, second, third, third, third} {
				get(t, client, server.URL)
			}
			if shared != nil {
				stats := shared.Stats()
				assert.EqualValues(t, 6, stats.Requests)
				assert.EqualValues(t, 3, stats.Opened)
				assert.EqualValues(t, 3, stats.ServedNew)
				assert.EqualValues(t, 3, stats.ServedReused)
				return
			}
			for requests, client := range map[int64]*http.Client{1: first, 2: second, 3: third} {
				stats, ok := StatsOf(client.Transport)
				require.True(t, ok)
				assert.Equal(t, requests, stats.Requests)
				assert.EqualValues(t, 1, stats.Opened, "the dial counts where its request does")
				assert.EqualValues(t, 1, stats.ServedNew)
				assert.Equal(t, requests-1, stats.ServedReused)
			}
		})
	}
}

func TestPeerThatAnswersNoPingTimedOut(t *testing.T) {
	server, _ := newServer(t, true, func(w http.ResponseWriter, request *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-request.Context().Done()
	})
	relay, config := behindRelay(t, server)
	var meter Meter
	var reasons <-chan CloseReason
	meter.Trace, reasons = closings()
	hardened, err := HardenTraffic(config, 2*time.Second, WithMeter(&meter))
	require.NoError(t, err)
	client := clientFor(t, hardened)
	watch, err := client.Get(config.Host)
	require.NoError(t, err)
	defer func() { _ = watch.Body.Close() }()
	require.Equal(t, 2, watch.ProtoMajor)
	relay.freeze()
	require.Equal(t, TimedOut, next(t, reasons))
}

func TestCancelledStreamDoesNotColourAnHTTP2Connection(t *testing.T) {
	server, _ := newServer(t, true, func(w http.ResponseWriter, request *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-request.Context().Done()
	})
	var meter Meter
	hardened, err := HardenTraffic(newConfig(server), 20*time.Second, WithMeter(&meter))
	require.NoError(t, err)
	client := clientFor(t, hardened)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	watch, err := client.Do(request)
	require.NoError(t, err)
	cancel()
	_, err = watch.Body.Read(make([]byte, 1))
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, watch.Body.Close())
	require.Eventually(t, func() bool {
		client.CloseIdleConnections()
		return meter.Stats().Open == 0
	}, 20*time.Second, ms)
	assert.Equal(t, Closes{ByUs: 1}, meter.Stats().Closed)
}

func TestAnsweredRequestThatIsCancelledLaterLeavesNoReason(t *testing.T) {
	server, _ := newServer(t, false, hello)
	var meter Meter
	hardened, err := HardenTraffic(newConfig(server), 20*time.Second, WithMeter(&meter))
	require.NoError(t, err)
	client := clientFor(t, hardened)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	response, err := client.Do(request)
	require.NoError(t, err)
	require.Equal(t, "hello over HTTP/1.1", bodyOf(t, response))
	cancel()
	client.CloseIdleConnections()
	assert.Equal(t, Closes{ByUs: 1}, meter.Stats().Closed)
}

func TestCountedConnectionHidesNothingThatMatters(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	var meter Meter
	d := &Dialer{Meter: &meter}
	conn, err := d.DialContext(t.Context(), "tcp", listener.Addr().String())
	require.NoError(t, err)
	assert.NotNil(t, tcpConn(conn))
	require.Implements(t, (*interface{ CloseWrite() error })(nil), conn)
	peer, err := listener.Accept()
	require.NoError(t, err)
	defer func() { _ = peer.Close() }()
	require.NoError(t, conn.(interface{ CloseWrite() error }).CloseWrite())
	_, err = peer.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, conn.Close())
	assert.Empty(t, meter.open, "the Meter forgets what is closed")

	d.Dial = func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		return ours, theirs.Close()
	}
	conn, err = d.DialContext(t.Context(), "tcp", "192.0.2.1:443")
	require.NoError(t, err)
	assert.NotImplements(t, (*interface{ CloseWrite() error })(nil), conn)
	require.NoError(t, conn.Close())
}

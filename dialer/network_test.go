package dialer

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newServer starts a TLS server that counts its connections.
func newServer(t *testing.T, http2 bool, handler http.HandlerFunc, configure ...func(*httptest.Server)) (server *httptest.Server, opened *atomic.Int32) {
	t.Helper()
	opened = new(atomic.Int32)
	server = httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = http2
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	for _, f := range configure {
		f(server)
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, opened
}

func hello(w http.ResponseWriter, request *http.Request) {
	_, _ = fmt.Fprint(w, "hello over ", request.Proto)
}

// newClient returns a plain net/http client of the server with the budget.
func newClient(t *testing.T, server *httptest.Server, budget Budget) *http.Client {
	t.Helper()
	rt := &Transport{Budget: budget}
	base := rt.WrappedRoundTripper().(*http.Transport)
	base.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	t.Cleanup(rt.CloseIdleConnections)
	return &http.Client{Transport: rt}
}

func TestRequestOnADeadConnectionIsAnsweredThroughAHedge(t *testing.T) {
	server, opened := newServer(t, true, hello)
	relay := newRelay(t, server.Listener.Addr().String())
	client := newClient(t, server, Budget{Answer: time.Minute, Hedge: 100 * ms, DialHedge: -1})

	assert.Equal(t, "hello over HTTP/1.1", get(t, client, "https://"+relay.address()))
	get(t, client, "https://"+relay.address())
	assert.EqualValues(t, 1, opened.Load(), "the connection is kept")

	relay.freeze()
	start := time.Now()
	get(t, client, "https://"+relay.address())
	elapsed := time.Since(start)
	t.Logf("answered after %v, hedge %v", elapsed, 100*ms)
	assert.EqualValues(t, 2, opened.Load())
	assert.GreaterOrEqual(t, elapsed, 100*ms)
	assert.Less(t, elapsed, slowMachine)

	get(t, client, "https://"+relay.address())
	assert.EqualValues(t, 2, opened.Load(), "the connection that answered is kept, the dead one is not used again")
}

func TestHandshakeThatIsNeverAnsweredIsHedged(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t, false, hello)
	relay := newRelay(t, server.Listener.Addr().String())
	client := newClient(t, server, Budget{Answer: 5 * time.Second, Hedge: 100 * ms})
	relay.deaf.Store(true)
	time.AfterFunc(250*ms, func() { relay.deaf.Store(false) })
	get(t, client, "https://"+relay.address())
	assert.GreaterOrEqual(t, relay.accepted.Load(), int32(2))
}

func TestPeerThatNeverAnswersEndsWithinAnswer(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t, false, hello)
	relay := newRelay(t, server.Listener.Addr().String())
	relay.deaf.Store(true)
	client := newClient(t, server, Budget{Answer: 500 * ms, Hedge: 100 * ms})
	start := time.Now()
	_, err := client.Get("https://" + relay.address())
	var failure net.Error
	require.ErrorAs(t, err, &failure)
	assert.True(t, failure.Timeout())
	assert.Less(t, time.Since(start), 500*ms+slowMachine)
}

func TestFreshModeOpensAConnectionForEachRequest(t *testing.T) {
	server, opened := newServer(t, false, hello)
	client := newClient(t, server, Budget{Mode: NewConnections, Answer: 5 * time.Second, Hedge: -1})
	for n := range 3 {
		get(t, client, server.URL)
		assert.EqualValues(t, n+1, opened.Load())
	}
}

func TestFreshConnectionIsForOneRequest(t *testing.T) {
	server, opened := newServer(t, false, hello)
	// With hedges as rare as these a process is short of CPU only when it is seconds late.
	client := newClient(t, server, Budget{Answer: 5 * time.Minute, Hedge: time.Minute, DialHedge: time.Minute})
	get(t, client, server.URL)
	request, err := http.NewRequestWithContext(FreshConnection(t.Context()), http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	response, err := client.Do(request)
	require.NoError(t, err)
	bodyOf(t, response)
	assert.EqualValues(t, 2, opened.Load())
	get(t, client, server.URL)
	assert.EqualValues(t, 2, opened.Load())
}

func TestLosersConnectionIsClosed(t *testing.T) {
	var requests atomic.Int32
	gone := make(chan struct{})
	server, _ := newServer(t, false, func(w http.ResponseWriter, request *http.Request) {
		if requests.Add(1) == 1 {
			<-request.Context().Done() // net/http ends it when the connection closes
			close(gone)
			return
		}
		hello(w, request)
	})
	client := newClient(t, server, Budget{Answer: 5 * time.Second, Hedge: 100 * ms})
	get(t, client, server.URL)
	select {
	case <-gone:
	case <-time.After(5 * time.Second):
		t.Fatal("the server still has the connection of the attempt that lost")
	}
}

package dialer

import (
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	_ "github.com/holdfast-go/holdfast/internal/onecpu"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// relay forwards TCP connections to a server and can go silent: what it has
// accepted stays open and acknowledged, but nothing passes any more.
type relay struct {
	listener net.Listener
	server   string
	accepted atomic.Int32
	deaf     atomic.Bool // connections to come are accepted and never served

	wg     sync.WaitGroup
	mu     sync.Mutex
	conns  []net.Conn
	frozen map[net.Conn]*atomic.Bool
	closed chan struct{}
}

func newRelay(t *testing.T, server string) *relay { return newRelayOn(t, "127.0.0.1:0", server) }

func newRelayOn(t *testing.T, address, server string) *relay {
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	r := &relay{listener: listener, server: server, frozen: map[net.Conn]*atomic.Bool{}, closed: make(chan struct{})}
	r.wg.Go(r.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		close(r.closed)
		r.mu.Lock()
		for _, conn := range r.conns {
			_ = conn.Close()
		}
		r.mu.Unlock()
		r.wg.Wait()
	})
	return r
}

func (r *relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.accepted.Add(1)
		r.keep(client)
		if r.deaf.Load() {
			continue
		}
		server, err := net.Dial("tcp", r.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		r.keep(server)
		frozen := new(atomic.Bool)
		r.mu.Lock()
		r.frozen[client] = frozen
		r.mu.Unlock()
		r.wg.Go(func() { r.pipe(client, server, frozen) })
		r.wg.Go(func() { r.pipe(server, client, frozen) })
	}
}

func (r *relay) keep(conn net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns = append(r.conns, conn)
}

func (r *relay) pipe(to, from net.Conn, frozen *atomic.Bool) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if frozen.Load() {
			if err != nil {
				return
			}
			continue // swallowed
		}
		if n > 0 {
			_, _ = to.Write(buffer[:n])
		}
		if err != nil {
			_ = to.Close()
			return
		}
	}
}

// freeze silences the connections there are; those to come are served.
func (r *relay) freeze() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, frozen := range r.frozen {
		frozen.Store(true)
	}
}

func (r *relay) address() string { return r.listener.Addr().String() }

// roundTripFunc makes a function an http.RoundTripper.
type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// trackedBody records that it has been closed.
type trackedBody struct {
	io.Reader
	closed atomic.Bool
}

func (b *trackedBody) Close() error {
	b.closed.Store(true)
	return nil
}

// slowMachine is how much later than its bound a call to a server that never answers may
// end on a machine that does other things too. How exactly a bound is kept is said by
// tests in virtual time.
const slowMachine = 10 * time.Second

// get sends a request with the client and returns the answer's body.
func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	return fetch(t, client, url)
}

// fetch is get in a round of a test.
func fetch(t require.TestingT, client *http.Client, url string) string {
	response, err := client.Get(url)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, response.StatusCode)
	return string(body)
}

// inARound tests what has a bound of its own: a machine that pauses may take a round
// away, and not one after the other.
func inARound(t *testing.T, round func(*assert.CollectT)) {
	t.Helper()
	require.EventuallyWithT(t, round, 2*time.Minute, ms)
}

package dialer

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/backlog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestSilentAddressCostsOneHedge(t *testing.T) {
	port, listeners := samePort(t, "127.0.0.1", "127.0.0.2", "::1")
	backlog.Fill(t, listeners[0])
	backlog.Fill(t, listeners[2])
	// Where IPv6 comes first so does ::1, otherwise 127.0.0.1: both are silent.
	d := &Dialer{Connect: time.Minute, Hedge: 200 * ms, Silence: 1250 * ms, Resolver: newNames(t, "127.0.0.1", "127.0.0.2", "::1").resolver()}
	start := time.Now()
	conn, err := d.DialContext(t.Context(), "tcp", apiName+":"+port)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	assert.Equal(t, "127.0.0.2:"+port, conn.RemoteAddr().String())
	assert.GreaterOrEqual(t, time.Since(start), 400*ms, "one hedge for each silent address")
	assert.Less(t, time.Since(start), 20*time.Second)
	assert.Equal(t, 1250, option(t, conn, unix.TCP_USER_TIMEOUT), "a sibling's socket is like the first's")
	assert.Equal(t, 1, option(t, conn, unix.TCP_KEEPIDLE))

	start = time.Now()
	d.Hedge, d.Silence = 30*time.Second, time.Minute
	assert.Equal(t, "127.0.0.2", dialHost(t, d, apiName+":"+port))
	assert.Less(t, time.Since(start), 20*time.Second, "the next dial does not begin with a silent one")
}

func TestEveryAddressIsTriedBeforeRefusalIsBelieved(t *testing.T) {
	port, _ := samePort(t, "127.0.0.7")
	addresses := []string{"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.7"}
	d := &Dialer{Connect: time.Minute, Hedge: 30 * time.Second, Resolver: newNames(t, addresses...).resolver()}
	start := time.Now()
	assert.Equal(t, "127.0.0.7", dialHost(t, d, apiName+":"+port))
	assert.Less(t, time.Since(start), 20*time.Second, "who refuses gives way at once")
}

// frozenBeside starts a TLS server on 127.0.0.2 beside a host on 127.0.0.1 that
// accepts and says nothing, as a frozen process does, behind one name.
func frozenBeside(t *testing.T, handler http.HandlerFunc) (server *httptest.Server, frozen *relay, host string) {
	t.Helper()
	port, listeners := samePort(t, "127.0.0.1", "127.0.0.2")
	_ = listeners[0].Close()
	frozen = newRelayOn(t, "127.0.0.1:"+port, "")
	frozen.deaf.Store(true)
	server, _ = newServer(t, true, handler, func(server *httptest.Server) {
		_ = server.Listener.Close()
		server.Listener = listeners[1]
	})
	newNames(t, "127.0.0.1", "127.0.0.2").becomeDefault(t)
	return server, frozen, "https://" + apiName + ":" + port
}

func TestFrozenAddressIsHedgedByTheTransport(t *testing.T) {
	server, frozen, host := frozenBeside(t, hello)
	for name, mode := range map[string]Mode{"kept": KeepConnections, "fresh": NewConnections} {
		t.Run(name, func(t *testing.T) {
			config := newConfig(server)
			config.Host = host
			hardened, err := Harden(config, Budget{Mode: mode, Answer: 4 * time.Minute, Hedge: 100 * ms})
			require.NoError(t, err)
			client := clientFor(t, hardened)
			before := frozen.accepted.Load()
			start := time.Now()
			for range 3 {
				assert.Equal(t, "hello over HTTP/1.1", get(t, client, host))
			}
			assert.Less(t, time.Since(start), 50*time.Second, "less than one handshake's bound")
			assert.Positive(t, frozen.accepted.Load()-before, "the frozen address had its turn")
		})
	}
}

func TestFrozenAddressIsLeftByTraffic(t *testing.T) {
	server, frozen, host := frozenBeside(t, hello)
	config := newConfig(server)
	config.Host = host
	hardened, err := HardenTraffic(config, 2*time.Second)
	require.NoError(t, err)
	client := clientFor(t, hardened)
	_, err = client.Get(host)
	require.Error(t, err, "requests are not hedged here, the handshake's bound ends this one")
	assert.Positive(t, frozen.accepted.Load())
	assert.Equal(t, "hello over HTTP/2.0", get(t, client, host), "the next is not sent there again")
}

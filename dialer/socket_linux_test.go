package dialer

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/dialer/internal/socket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"k8s.io/client-go/rest"
)

func option(t *testing.T, conn net.Conn, name int) (value int) {
	t.Helper()
	tcp := tcpConn(conn)
	require.NotNil(t, tcp)
	raw, err := tcp.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, socket.Control(raw, func(fd uintptr) (err error) {
		value, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, name)
		return err
	}))
	return value
}

func listen(t *testing.T) string {
	t.Helper()
	_, listeners := samePort(t, "127.0.0.1")
	return listeners[0].Addr().String()
}

func TestSocketsCarryTheUserTimeout(t *testing.T) {
	_, listeners := samePort(t, "127.0.0.1", "::1")
	own := func(ctx context.Context, network, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	for name, c := range map[string]struct {
		dialer         *Dialer
		timeout, idle  int
		interval, many int
	}{
		"zero value": {&Dialer{}, 15000, 5, 2, 5},
		"bound set":  {&Dialer{Silence: 1250 * ms}, 1250, 1, 1, 1},
		"own dial":   {&Dialer{Silence: 6 * time.Second, Dial: own}, 6000, 2, 1, 4},
		"own TLS dial": {&Dialer{Silence: 6 * time.Second, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := own(ctx, network, address)
			return tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS12}), err
		}}, 6000, 2, 1, 4},
	} {
		t.Run(name, func(t *testing.T) {
			for _, listener := range listeners {
				conn, err := c.dialer.DialContext(t.Context(), "tcp", listener.Addr().String())
				require.NoError(t, err)
				t.Cleanup(func() { _ = conn.Close() })
				assert.Equal(t, c.timeout, option(t, conn, unix.TCP_USER_TIMEOUT))
				assert.Equal(t, c.idle, option(t, conn, unix.TCP_KEEPIDLE))
				assert.Equal(t, c.interval, option(t, conn, unix.TCP_KEEPINTVL))
				assert.Equal(t, c.many, option(t, conn, unix.TCP_KEEPCNT))
			}
		})
	}
}

func TestHardenedClientsSocketCarriesTheUserTimeout(t *testing.T) {
	server, _ := newServer(t, true, hello)
	for name, harden := range map[string]func(*rest.Config) (*rest.Config, error){
		"lock":    func(c *rest.Config) (*rest.Config, error) { return Harden(c, Budget{Answer: 5 * time.Second}) },
		"traffic": func(c *rest.Config) (*rest.Config, error) { return HardenTraffic(c, 1250*ms) },
	} {
		t.Run(name, func(t *testing.T) {
			hardened, err := harden(newConfig(server))
			require.NoError(t, err)
			var got net.Conn
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { got = info.Conn }})
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
			require.NoError(t, err)
			response, err := clientFor(t, hardened).Do(request)
			require.NoError(t, err)
			bodyOf(t, response)
			assert.Equal(t, 1250, option(t, got, unix.TCP_USER_TIMEOUT))
		})
	}
}

func TestNegativeSilenceLeavesTheSocketAlone(t *testing.T) {
	conn, err := (&Dialer{Silence: -1}).DialContext(t.Context(), "tcp", listen(t))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	assert.Zero(t, option(t, conn, unix.TCP_USER_TIMEOUT))
}

func TestDialToAHostThatIsNotThereEndsWithinConnect(t *testing.T) {
	_, listeners := samePort(t, "127.0.0.1")
	silence(t, listeners[0])
	d := &Dialer{Connect: 400 * ms, Hedge: 100 * ms}
	start := time.Now()
	_, err := d.DialContext(t.Context(), "tcp", listeners[0].Addr().String())
	var failure *Error
	require.ErrorAs(t, err, &failure)
	assert.True(t, failure.Timeout())
	assert.Greater(t, failure.Tries, 1)
	assert.Less(t, time.Since(start), 3*time.Second)
}

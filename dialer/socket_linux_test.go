package dialer

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/dialer/internal/socket"
	"github.com/holdfast-go/holdfast/internal/backlog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
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
	for name, want := range map[string]int{"lock": 1250, "traffic": 5000} {
		t.Run(name, func(t *testing.T) {
			hardened, err := within[name](newConfig(server), 5*time.Second)
			require.NoError(t, err)
			var got net.Conn
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { got = info.Conn }})
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
			require.NoError(t, err)
			response, err := clientFor(t, hardened).Do(request)
			require.NoError(t, err)
			bodyOf(t, response)
			assert.Equal(t, want, option(t, got, unix.TCP_USER_TIMEOUT))
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
	backlog.Fill(t, listeners[0])
	d := &Dialer{Connect: 2 * time.Second, Hedge: 100 * ms}
	start := time.Now()
	_, err := d.DialContext(t.Context(), "tcp", listeners[0].Addr().String())
	var failure *Error
	require.ErrorAs(t, err, &failure)
	assert.True(t, failure.Timeout())
	assert.Greater(t, failure.Tries, 1)
	assert.Less(t, time.Since(start), d.Connect+slowMachine)
}

// What the user has bounded more tightly stays, and what he has not is bounded.
func TestTighterSocketOptionsStay(t *testing.T) {
	address := listen(t)
	set := func(fd uintptr, options map[int]int) {
		for name, value := range options {
			assert.NoError(t, unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, name, value))
		}
		assert.NoError(t, unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1))
	}
	tight := map[int]int{unix.TCP_USER_TIMEOUT: 700, unix.TCP_KEEPIDLE: 1, unix.TCP_KEEPINTVL: 2, unix.TCP_KEEPCNT: 2}
	loose := map[int]int{unix.TCP_USER_TIMEOUT: 70000, unix.TCP_KEEPIDLE: 100, unix.TCP_KEEPINTVL: 100, unix.TCP_KEEPCNT: 100}
	ours := map[int]int{unix.TCP_USER_TIMEOUT: 30000, unix.TCP_KEEPIDLE: 10, unix.TCP_KEEPINTVL: 5, unix.TCP_KEEPCNT: 4}
	for name, c := range map[string]struct{ theirs, want map[int]int }{
		"tighter": {tight, tight},
		"looser":  {loose, ours},
		"none":    {nil, ours},
	} {
		control := func(_ context.Context, _, _ string, raw syscall.RawConn) error {
			if c.theirs == nil {
				return nil
			}
			return raw.Control(func(fd uintptr) { set(fd, c.theirs) })
		}
		for way, d := range map[string]*Dialer{
			"Control": {Silence: 30 * time.Second, Control: control},
			"Dial": {Silence: 30 * time.Second, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				return (&net.Dialer{KeepAlive: -1, ControlContext: control}).DialContext(ctx, network, address)
			}},
		} {
			t.Run(name+" by "+way, func(t *testing.T) {
				conn, err := d.DialContext(t.Context(), "tcp", address)
				require.NoError(t, err)
				defer func() { _ = conn.Close() }()
				for name, value := range c.want {
					assert.Equal(t, value, option(t, conn, name), "option %d", name)
				}
			})
		}
	}
}

func TestMultipathTCPDoesNotCostTheUserTimeout(t *testing.T) {
	t.Setenv("GODEBUG", "multipathtcp=1")
	address := listen(t)
	for name, d := range map[string]*Dialer{
		"plain":   {Silence: 1250 * ms},
		"Control": {Silence: 1250 * ms, Control: func(context.Context, string, string, syscall.RawConn) error { return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := d.DialContext(t.Context(), "tcp", address)
			require.NoError(t, err)
			defer func() { _ = conn.Close() }()
			assert.Equal(t, 1250, option(t, conn, unix.TCP_USER_TIMEOUT))
			raw, err := tcpConn(conn).SyscallConn()
			require.NoError(t, err)
			require.NoError(t, socket.Control(raw, func(fd uintptr) error {
				protocol, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PROTOCOL)
				assert.Equal(t, unix.IPPROTO_TCP, protocol)
				return err
			}))
		})
	}
}

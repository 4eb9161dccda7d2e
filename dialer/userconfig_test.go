package dialer

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/proxy"
	"k8s.io/client-go/rest"
)

type hardenFunc = func(*rest.Config) (*rest.Config, error)

// hardeners are the two ways to harden a config. What a user has configured
// must go on working with both. The bounds are wide: nothing here waits for one.
var hardeners = map[string]hardenFunc{
	"lock": func(c *rest.Config) (*rest.Config, error) {
		return Harden(c, Budget{Answer: time.Minute, Hedge: 2 * time.Second})
	},
	"traffic": func(c *rest.Config) (*rest.Config, error) { return HardenTraffic(c, time.Minute) },
}

func forBoth(t *testing.T, test func(t *testing.T, harden hardenFunc)) {
	t.Helper()
	for name, harden := range hardeners {
		t.Run(name, func(t *testing.T) { test(t, harden) })
	}
}

// hardenedClient makes the client that client-go makes from the hardened config.
func hardenedClient(t *testing.T, harden hardenFunc, config *rest.Config) *http.Client {
	t.Helper()
	hardened, err := harden(config)
	require.NoError(t, err)
	return clientFor(t, hardened)
}

// status sends a request and returns the answer's status.
func status(t *testing.T, client *http.Client, url string) int {
	t.Helper()
	response, err := client.Get(url)
	require.NoError(t, err)
	_ = response.Body.Close()
	return response.StatusCode
}

func TestUserHeadersAndWrappersStay(t *testing.T) {
	forBoth(t, func(t *testing.T, harden hardenFunc) {
		headers := make(chan http.Header, 1)
		server, _ := newServer(t, true, func(_ http.ResponseWriter, request *http.Request) { headers <- request.Header.Clone() })
		config := newConfig(server)
		config.UserAgent = "holdfast-test"
		config.Impersonate = rest.ImpersonationConfig{
			UserName: "someone", UID: "7", Groups: []string{"some", "others"}, Extra: map[string][]string{"reason": {"test"}},
		}
		var wraps atomic.Int32
		config.WrapTransport = func(rt http.RoundTripper) http.RoundTripper {
			return roundTripFunc(func(request *http.Request) (*http.Response, error) {
				wraps.Add(1)
				return rt.RoundTrip(request)
			})
		}
		get(t, hardenedClient(t, harden, config), server.URL)
		got := <-headers
		assert.Equal(t, "holdfast-test", got.Get("User-Agent"))
		assert.Equal(t, "someone", got.Get("Impersonate-User"))
		assert.Equal(t, "7", got.Get("Impersonate-Uid"))
		assert.Equal(t, []string{"some", "others"}, got.Values("Impersonate-Group"))
		assert.Equal(t, "test", got.Get("Impersonate-Extra-Reason"))
		assert.EqualValues(t, 1, wraps.Load())
	})
}

func TestUserTunnelResolvesTheName(t *testing.T) {
	forBoth(t, func(t *testing.T, harden hardenFunc) {
		server, opened := newServer(t, true, hello)
		socks := newSocks(t, server.Listener.Addr().String())
		tunnel, err := proxy.SOCKS5("tcp", socks.address(), nil, nil)
		require.NoError(t, err)
		config := newConfig(server)
		config.Host = "https://api.internal.invalid:6443"
		config.ServerName = apiName
		config.Dial = tunnel.(proxy.ContextDialer).DialContext
		client := hardenedClient(t, harden, config)
		get(t, client, config.Host)
		get(t, client, config.Host)
		assert.Equal(t, "api.internal.invalid:6443", socks.asked.Load())
		assert.EqualValues(t, 1, opened.Load(), "the connection through the tunnel is kept")
	})
}

func TestUserProxyTunnelsWithCONNECT(t *testing.T) {
	forBoth(t, func(t *testing.T, harden hardenFunc) {
		server, _ := newServer(t, true, hello)
		asked := make(chan string, 8)
		gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
			asked <- request.Method + " " + request.Host
			far, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			defer func() { _ = far.Close() }()
			near, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
			join(near, far)
		}))
		defer gateway.Close()
		address, err := url.Parse(gateway.URL)
		require.NoError(t, err)
		config := newConfig(server)
		config.Host = "https://api.internal.invalid:6443"
		config.ServerName = apiName
		config.Proxy = http.ProxyURL(address)
		client := hardenedClient(t, harden, config)
		get(t, client, config.Host)
		assert.Equal(t, "CONNECT api.internal.invalid:6443", <-asked)
		client.CloseIdleConnections()
		assert.Empty(t, asked, "one tunnel was enough")
	})
}

func TestUserProxyThatFreezesIsHedged(t *testing.T) {
	server, opened := newServer(t, true, hello)
	socks := newSocks(t, server.Listener.Addr().String())
	relay := newRelay(t, socks.address())
	address, err := url.Parse("socks5://" + relay.address())
	require.NoError(t, err)
	config := newConfig(server)
	config.Proxy = http.ProxyURL(address)
	answersThroughAFreeze(t, config, Budget{Answer: 20 * time.Second, Hedge: 100 * ms}, relay, opened)
}

func TestUserHostMayBeIPv6OrANameWithSeveralAddresses(t *testing.T) {
	forBoth(t, func(t *testing.T, harden hardenFunc) {
		port, listeners := samePort(t, "::1")
		server, opened := newServer(t, true, hello, func(server *httptest.Server) {
			_ = server.Listener.Close()
			server.Listener = listeners[0]
		})
		newNames(t, "127.0.0.1", "::1").becomeDefault(t)
		for n, host := range []string{"https://[::1]:" + port, "https://" + apiName + ":" + port} {
			config := newConfig(server)
			config.Host = host
			client := hardenedClient(t, harden, config)
			get(t, client, host)
			get(t, client, host)
			assert.EqualValues(t, n+1, opened.Load())
		}
	})
}

// join copies both ways until one side ends.
func join(a, b net.Conn) {
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		go func() {
			_, _ = io.Copy(way[0], way[1])
			_ = way[0].Close()
			done <- struct{}{}
		}()
	}
	<-done
	_ = a.Close()
	_ = b.Close()
	<-done
}

// socks is a SOCKS5 server (RFC 1928) that leads everyone to one server.
type socks struct {
	listener net.Listener
	asked    atomic.Value // the last "host:port" that a client wanted
}

func newSocks(t *testing.T, server string) *socks {
	t.Helper()
	_, listeners := samePort(t, "127.0.0.1")
	s := &socks{listener: listeners[0]}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			near, err := s.listener.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(ctx, func() { _ = near.Close() })
			go func() {
				defer stop()
				s.serve(near, server)
			}()
		}
	}()
	t.Cleanup(func() {
		_ = s.listener.Close()
		cancel()
		<-served
	})
	return s
}

func (s *socks) address() string { return s.listener.Addr().String() }

func (s *socks) serve(near net.Conn, server string) {
	defer func() { _ = near.Close() }()
	buffer := make([]byte, 512)
	read := func(n int) []byte {
		if _, err := io.ReadFull(near, buffer[:n]); err != nil {
			return make([]byte, n)
		}
		return buffer[:n]
	}
	methods := int(read(2)[1])
	read(methods)
	_, _ = near.Write([]byte{5, 0}) // no authentication
	var host string
	switch kind := read(4)[3]; kind {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		length := int(read(1)[0])
		host = string(read(length))
	default:
		return
	}
	port := binary.BigEndian.Uint16(read(2))
	s.asked.Store(net.JoinHostPort(host, strconv.Itoa(int(port))))
	far, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	_, _ = near.Write([]byte{5, 0, 0, 1, 127, 0, 0, 1, 0, 0})
	join(near, far)
}

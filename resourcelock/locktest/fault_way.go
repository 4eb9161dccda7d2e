package locktest

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"testing"

	"github.com/holdfast-go/holdfast/internal/dnsname"
)

// ways are what becomes of the way to the server.
func ways() []Fault {
	return []Fault{
		{Name: "proxy-silent-http", plays: []played{in(Everyone)}, way: throughProxy("http")},
		{Name: "proxy-silent-socks5", plays: []played{in(Everyone)}, way: throughProxy("socks5")},
		{Name: "frozen", plays: []played{in(Old), in(Everyone)}, way: (*stage).freezing},
		{
			// A Dial of the user's own resolves the name. Its connections end, and from
			// now on the name has another address before the server's, which is dead.
			Name: "name-with-a-dead-address", plays: []played{in(Old)},
			bears: func(string) bool { return true },
			way:   byName,
		},
	}
}

// throughProxy has the clients go through a proxy, which ends its connections and
// says nothing to those who come.
func throughProxy(scheme string) func(s *stage) (begin, end func()) {
	return func(s *stage) (begin, end func()) {
		p := newProxy(s.t)
		s.config.Proxy = http.ProxyURL(&url.URL{Scheme: scheme, Host: p.listener.Addr().String()})
		return p.silence, p.mend
	}
}

// freezing has the server's process stand still: the kernel accepts and acknowledges
// for it.
func (s *stage) freezing() (begin, end func()) {
	return func() { s.freeze(make(chan struct{})) }, func() { s.freeze(nil) }
}

// dialUntilTheEnd is the dialer's dial, of which nothing is left when the test has
// ended: net/http waits for what it dials though nobody else does, and a dialer that
// dials several addresses begins one more at any time.
func dialUntilTheEnd(t *testing.T, d *net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	over, end := context.WithCancel(context.Background())
	var (
		beginning sync.Mutex
		dials     sync.WaitGroup
	)
	begin := func() error {
		beginning.Lock()
		defer beginning.Unlock()
		if over.Err() == nil {
			dials.Add(1)
		}
		return over.Err()
	}
	t.Cleanup(func() {
		beginning.Lock()
		end()
		beginning.Unlock()
		dials.Wait()
	})
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if err := begin(); err != nil {
			return nil, err
		}
		defer dials.Done()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(over, cancel)()
		return d.DialContext(ctx, network, address)
	}
}

// byName has the clients dial a name.
func byName(s *stage) (begin, end func()) {
	port := s.server.Listener.Addr().(*net.TCPAddr).Port
	dead := deadAddress(s.t, port)
	name, alive := dnsname.New("api.locktest.invalid"), netip.MustParseAddr("127.0.0.1")
	name.Set(alive)
	s.config.Host = "https://" + net.JoinHostPort("api.locktest.invalid", strconv.Itoa(port))
	s.config.ServerName = "example.com" // what the server's certificate is good for
	s.config.Dial = dialUntilTheEnd(s.t, &net.Dialer{Resolver: resolverOf(name)})
	return func() {
		name.Set(netip.MustParseAddr(dead), alive)
		s.server.CloseClientConnections()
	}, func() { name.Set(alive) }
}

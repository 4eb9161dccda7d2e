package dialer

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/dnsname"
)

// apiName is the host name of the tests' servers. httptest's certificate is
// good for it, and no query for it leaves the process.
const apiName = "example.com"

// names is a DNS server on loopback that knows apiName.
type names struct {
	conn    net.PacketConn
	queries atomic.Int32
	lose    atomic.Int32 // queries to come that are lost
	*dnsname.Name
}

func newNames(t *testing.T, addresses ...string) *names {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	n := &names{conn: conn, Name: dnsname.New(apiName)}
	n.set(addresses...)
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.serve()
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return n
}

// set changes what the name stands for.
func (n *names) set(addresses ...string) {
	var all []netip.Addr
	for _, a := range addresses {
		all = append(all, netip.MustParseAddr(a))
	}
	n.Set(all...)
}

// dial leads to the server, whatever name server is asked for.
func (n *names) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return (&net.Dialer{Resolver: new(net.Resolver)}).DialContext(ctx, "udp", n.conn.LocalAddr().String())
}

func (n *names) resolver() *net.Resolver { return &net.Resolver{PreferGo: true, Dial: n.dial} }

// defaultNames is the server that net.DefaultResolver asks, nil for those of the
// machine. The resolver itself stays what it is: a lookup that nobody waits for any
// more may outlast its test.
var defaultNames atomic.Pointer[names]

func init() {
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if n := defaultNames.Load(); n != nil {
			return n.dial(ctx, network, address)
		}
		return (&net.Dialer{Resolver: new(net.Resolver)}).DialContext(ctx, network, address)
	}}
}

// becomeDefault makes the server that of net.DefaultResolver during the test.
func (n *names) becomeDefault(t *testing.T) {
	before := defaultNames.Swap(n)
	t.Cleanup(func() { defaultNames.Store(before) })
}

func (n *names) serve() {
	packet := make([]byte, 1500)
	for {
		size, from, err := n.conn.ReadFrom(packet)
		if err != nil {
			return
		}
		n.queries.Add(1)
		if n.lose.Add(-1) >= 0 {
			continue
		}
		if reply, err := n.Answer(packet[:size]); err == nil {
			_, _ = n.conn.WriteTo(reply, from)
		}
	}
}

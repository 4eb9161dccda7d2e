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

func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		// A resolver of its own: a lookup that nobody waits for may outlast becomeDefault.
		return (&net.Dialer{Resolver: new(net.Resolver)}).DialContext(ctx, "udp", n.conn.LocalAddr().String())
	}}
}

// becomeDefault makes the server that of net.DefaultResolver during the test.
func (n *names) becomeDefault(t *testing.T) {
	before := net.DefaultResolver
	net.DefaultResolver = n.resolver()
	t.Cleanup(func() { net.DefaultResolver = before })
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

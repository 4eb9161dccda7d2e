package dialer

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// apiName is the host name of the tests' servers. httptest's certificate is
// good for it, and no query for it leaves the process.
const apiName = "example.com"

// names is a DNS server on loopback that knows apiName.
type names struct {
	conn    net.PacketConn
	queries atomic.Int32
	lose    atomic.Int32 // queries to come that are lost

	mu        sync.Mutex
	addresses []netip.Addr
}

func newNames(t *testing.T, addresses ...string) *names {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	n := &names{conn: conn}
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
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addresses = nil
	for _, a := range addresses {
		n.addresses = append(n.addresses, netip.MustParseAddr(a))
	}
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
		if reply, err := n.reply(packet[:size]); err == nil {
			_, _ = n.conn.WriteTo(reply, from)
		}
	}
}

func (n *names) reply(query []byte) ([]byte, error) {
	var parser dnsmessage.Parser
	header, err := parser.Start(query)
	if err != nil {
		return nil, err
	}
	question, err := parser.Question()
	if err != nil {
		return nil, err
	}
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: header.ID, Response: true, Authoritative: true},
		Questions: []dnsmessage.Question{question},
	}
	if question.Name.String() != apiName+"." {
		reply.RCode = dnsmessage.RCodeNameError
		return reply.Pack()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range n.addresses {
		resource := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET}}
		switch {
		case a.Is4() && question.Type == dnsmessage.TypeA:
			resource.Body = &dnsmessage.AResource{A: a.As4()}
		case a.Is6() && question.Type == dnsmessage.TypeAAAA:
			resource.Body = &dnsmessage.AAAAResource{AAAA: a.As16()}
		default:
			continue
		}
		reply.Answers = append(reply.Answers, resource)
	}
	return reply.Pack()
}

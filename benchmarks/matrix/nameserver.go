package matrix

import (
	"context"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/internal/dnsname"
)

// serverName is the API servers' name in DNS; it stands in their certificates.
const serverName = "kubernetes.default.svc"

// nameserverVariable is the environment variable that names the nameserver of a
// probe or contender.
const nameserverVariable = "HOLDFAST_MATRIX_NAMESERVER"

// useNameserver makes the process resolve names at the nameserver of its
// environment, if that names one. It asks by TCP.
func useNameserver() {
	at := os.Getenv(nameserverVariable)
	if at == "" {
		return
	}
	net.DefaultResolver = &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", at)
		},
	}
}

// nameserver answers questions for the address of serverName, by TCP. It knows
// no other name and no caching.
type nameserver struct {
	listener net.Listener
	running  sync.WaitGroup
	name     *dnsname.Name

	mu    sync.Mutex
	conns map[net.Conn]bool // nil once closed
}

func newNameserver(l net.Listener) *nameserver {
	n := &nameserver{listener: l, name: dnsname.New(serverName), conns: map[net.Conn]bool{}}
	n.running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			n.running.Go(func() { n.serve(c) })
		}
	})
	return n
}

// set says which addresses the name has from now on.
func (n *nameserver) set(addrs ...netip.Addr) { n.name.Set(addrs...) }

func (n *nameserver) close() error {
	err := n.listener.Close()
	n.mu.Lock()
	for c := range n.conns {
		_ = c.Close()
	}
	n.conns = nil
	n.mu.Unlock()
	n.running.Wait()
	return err
}

// askerBound is how long a connection may be idle.
const askerBound = 10 * time.Second

func (n *nameserver) serve(c net.Conn) {
	defer c.Close()
	n.mu.Lock()
	if n.conns == nil {
		n.mu.Unlock()
		return
	}
	n.conns[c] = true
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.conns, c)
	}()
	for {
		if c.SetDeadline(time.Now().Add(askerBound)) != nil {
			return
		}
		if n.name.AnswerNext(c) != nil {
			return
		}
	}
}

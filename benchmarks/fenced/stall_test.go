package fenced

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// leaseStore passes on what the API servers say to etcd of Leases, and can stall
// that for one of them: all else of it goes on.
type leaseStore struct {
	listener net.Listener
	etcd     string

	mu      sync.Mutex
	changed chan struct{} // closed when stalled changes
	stalled netip.Addr
}

// etcdAt is where the laboratory's etcd listens: it is the first host.
const etcdAt = "198.18.0.2:2379"

func newLeaseStore(t *testing.T) *leaseStore {
	t.Helper()
	listener, err := net.Listen("tcp4", "0.0.0.0:0")
	require.NoError(t, err)
	s := &leaseStore{listener: listener, etcd: etcdAt, changed: make(chan struct{})}
	var running sync.WaitGroup
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		s.stall(netip.Addr{})
		running.Wait()
	})
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // closed
			}
			running.Go(func() { s.serve(client.(*net.TCPConn)) })
		}
	})
	return s
}

// args has an API server keep its Leases there. The router is the first host's
// gateway.
func (s *leaseStore) args() []string {
	_, port, _ := net.SplitHostPort(s.listener.Addr().String())
	return []string{"--etcd-servers-overrides=coordination.k8s.io/leases#http://198.18.0.1:" + port}
}

// stall holds back what the API server at the address says and hears of Leases;
// the zero address ends that.
func (s *leaseStore) stall(server netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stalled = server
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *leaseStore) serve(client *net.TCPConn) {
	defer client.Close()
	server, err := net.Dial("tcp", s.etcd)
	if err != nil {
		return // the client sees its connection end
	}
	defer server.Close()
	from := netip.MustParseAddrPort(client.RemoteAddr().String()).Addr()
	var both sync.WaitGroup
	pass := func(to, of net.Conn) {
		_, _ = io.Copy(gated{to, func() { s.wait(from) }}, of)
		_, _ = client.Close(), server.Close()
	}
	both.Go(func() { pass(server, client) })
	both.Go(func() { pass(client, server) })
	both.Wait()
}

// wait waits while the API server at the address is stalled.
func (s *leaseStore) wait(from netip.Addr) {
	for {
		s.mu.Lock()
		stalled, changed := s.stalled == from, s.changed
		s.mu.Unlock()
		if !stalled {
			return
		}
		<-changed
	}
}

// gated waits before each write.
type gated struct {
	net.Conn
	wait func()
}

func (g gated) Write(p []byte) (int, error) {
	g.wait()
	return g.Conn.Write(p)
}

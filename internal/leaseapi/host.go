package leaseapi

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// Host is one machine's way to a Relay: a TCP port on loopback of its own, so
// that the network of one machine can fail and the others' not. Clients that
// share a Host share what befalls it. It is safe for concurrent use.
type Host struct {
	name     string
	relay    *Relay
	config   *rest.Config
	listener net.Listener
	line     *line
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu          sync.Mutex
	connections map[net.Conn]*Endpoint
}

// Host opens a way to the Relay for the machine of that name. Close ends it, as
// does the end of the Relay. The error wraps what the listener said.
//
// All Endpoints that the Relay is ever to name must belong to one Store, and
// one must be named when Host is called: its Store's authority is the one that
// Config trusts.
func (r *Relay) Host(name string) (*Host, error) {
	named := r.Named()
	if len(named) == 0 {
		return nil, fmt.Errorf("opening host %q: the relay names no endpoint", name)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for host %q on loopback: %w", name, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	h := &Host{
		name:        name,
		relay:       r,
		config:      configFor(listener.Addr(), named[0].config.CAData),
		listener:    listener,
		line:        newLine(),
		ctx:         ctx,
		cancel:      cancel,
		connections: map[net.Conn]*Endpoint{},
	}
	if err := r.add(h); err != nil {
		cancel()
		_ = listener.Close()
		return nil, err
	}
	h.running.Go(h.accept)
	return h, nil
}

// Name is the name given to Relay.Host.
func (h *Host) Name() string { return h.name }

// Config returns a configuration for clients on this Host. Each call returns a
// new copy. Client-go keeps one transport for all configurations that are equal,
// so its clients on one Host share connections; those on different Hosts do not.
func (h *Host) Config() *rest.Config { return rest.CopyConfig(h.config) }

// Silence stops every byte to and from this Host, as when its network fails or
// its power: nothing is reset, nothing arrives. See Endpoint.Silence for what
// loopback cannot do.
func (h *Host) Silence() {
	h.line.requests.shut()
	h.line.answers.shut()
}

// DelayAnswers holds back every byte to this Host for d. Zero ends it.
func (h *Host) DelayAnswers(d time.Duration) { h.line.delay.Store(int64(d)) }

// Mend ends Silence and DelayAnswers.
func (h *Host) Mend() { h.line.mend() }

// Endpoints returns the Endpoint of each connection that this Host has open, in
// the order of their names. One that began while no byte passed is not open until
// one does, as on a network where its first packet is lost; one that a client has
// closed is not, though a fault may still keep the other side from hearing of
// that.
func (h *Host) Endpoints() []*Endpoint {
	h.mu.Lock()
	defer h.mu.Unlock()
	var endpoints []*Endpoint
	for _, endpoint := range h.connections {
		if endpoint != nil {
			endpoints = append(endpoints, endpoint)
		}
	}
	slices.SortFunc(endpoints, func(a, b *Endpoint) int { return strings.Compare(a.name, b.name) })
	return endpoints
}

// Close closes all connections of this Host and takes no more, as when its
// process is killed. It returns when its goroutines have ended. Closing twice
// is harmless.
func (h *Host) Close() {
	h.cancel()
	_ = h.listener.Close()
	h.running.Wait()
}

func (h *Host) accept() {
	for {
		conn, err := h.listener.Accept()
		if err != nil {
			if h.ctx.Err() != nil {
				return
			}
			// Out of file descriptors or the like: the next try may do better.
			select {
			case <-time.After(10 * time.Millisecond):
				continue
			case <-h.ctx.Done():
				return
			}
		}
		h.running.Go(func() { h.carry(conn) })
	}
}

// carry gives one connection its Endpoint and moves its bytes until it ends.
func (h *Host) carry(client net.Conn) {
	defer client.Close()
	endpoint := h.relay.choose()
	if endpoint == nil {
		reset(client)
		return
	}
	ctx, cancel := context.WithCancel(h.ctx)
	defer cancel()
	gates := []*gate{h.line.requests, endpoint.line.requests}
	if through(ctx, gates...) != nil {
		return
	}
	h.track(client, endpoint)
	defer h.untrack(client)
	var dialer net.Dialer
	server, err := dialer.DialContext(ctx, "tcp4", endpoint.address)
	if err != nil {
		reset(client)
		return
	}
	defer server.Close()
	stop := context.AfterFunc(ctx, func() {
		_ = client.Close()
		_ = server.Close()
	})
	defer stop()

	var directions sync.WaitGroup
	from := &heardConn{Conn: client, ended: func() { h.untrack(client) }}
	directions.Go(func() { pump(ctx, server, from, noDelay, gates...) })
	directions.Go(func() {
		pump(ctx, client, server, func() time.Duration {
			return time.Duration(max(h.line.delay.Load(), endpoint.line.delay.Load()))
		}, h.line.answers, endpoint.line.answers)
	})
	directions.Wait()
}

// heardConn calls ended at the end of what its peer sends.
type heardConn struct {
	net.Conn
	ended func()
}

func (c *heardConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.ended()
	}
	return n, err
}

func noDelay() time.Duration { return 0 }

func (h *Host) track(conn net.Conn, endpoint *Endpoint) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.connections[conn] = endpoint
}

func (h *Host) untrack(conn net.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.connections, conn)
}

// reset closes a connection so that its peer sees a reset, which is what an
// address without endpoints answers.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

package dialer

import (
	"net"
	"sync"
	"time"
)

// Meter counts what becomes of connections and requests. Its zero value is
// useful. One Meter may serve any number of Dialers, Transports and hardened
// configs; it is safe for concurrent use, and must not be copied after first
// use. It counts what it is told and holds only connections that are open.
type Meter struct {
	// Trace is called when something happens. It must be set before first use.
	Trace Trace

	mu    sync.Mutex
	stats Stats
	// open finds a counted connection below a wrapper that hides it, such as the
	// one with which client-go closes connections when certificates change: the
	// address that it reports is the very one of the socket.
	open map[*net.TCPAddr]*conn
}

// Trace holds functions that are called as things happen; those that are nil
// are not. They are called synchronously, by the goroutine to which it
// happened and from several at once, so they must be quick and safe for
// concurrent use. No lock is held: they may call Meter.Stats.
type Trace struct {
	// Opened: a connection to remote is open, before any TLS handshake. sibling
	// says that it was not its dial's first try.
	Opened func(remote net.Addr, sibling bool)
	// Closed: a connection was closed for the reason at the given age. err is
	// what a read or write returned, if that is the reason, else nil.
	Closed func(reason CloseReason, age time.Duration, remote net.Addr, err error)
	// DialHedged: a dial of address has got a sibling, after it was unanswered
	// for waited or had failed.
	DialHedged func(network, address string, waited time.Duration)
	// Hedged: a request that was unanswered for waited is sent once more.
	// attempt is 2 for the second.
	Hedged func(method, host string, attempt int, waited time.Duration)
	// Served: a request was answered.
	Served func(Served)
}

// Stats returns the counts as they are now. The value shares nothing with the Meter.
func (m *Meter) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stats.clone()
}

func (m *Meter) count(change func(*Stats)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.stats)
}

// connected counts a connection that a dial has opened and returns its wrapper.
func (m *Meter) connected(c *conn) net.Conn {
	c.meter = m
	c.opened = time.Now()
	c.heard = c.opened
	m.mu.Lock()
	m.stats.Opened++
	m.stats.Open++
	if key := addressOf(c.Conn); key != nil {
		if m.open == nil {
			m.open = map[*net.TCPAddr]*conn{}
		}
		m.open[key] = c
	}
	m.mu.Unlock()
	if hook := m.Trace.Opened; hook != nil {
		hook(c.RemoteAddr(), c.sibling)
	}
	return c.wrap()
}

// forget counts the connection as closed.
func (m *Meter) forget(c *conn, reason CloseReason) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Open--
	if m.stats.Closed == nil {
		m.stats.Closed = Closes{}
	}
	m.stats.Closed[reason]++
	if key := addressOf(c.Conn); key != nil && m.open[key] == c {
		delete(m.open, key)
	}
}

// find returns the open connection that c is a wrapper of, nil if none is.
func (m *Meter) find(c net.Conn) *conn {
	key := addressOf(c)
	if key == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.open[key]
}

func (m *Meter) serve(served Served, known bool) {
	m.mu.Lock()
	m.stats.Answered++
	m.stats.Last = served
	switch {
	case known && served.Reused:
		m.stats.ServedReused++
	case known:
		m.stats.ServedNew++
	}
	m.mu.Unlock()
	if hook := m.Trace.Served; hook != nil {
		hook(served)
	}
}

// addressOf returns the local address that identifies a TCP connection, by its
// place in memory, and nil for other connections.
func addressOf(c net.Conn) *net.TCPAddr {
	if c == nil {
		return nil
	}
	address, _ := c.LocalAddr().(*net.TCPAddr)
	return address
}

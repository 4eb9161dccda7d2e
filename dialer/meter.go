package dialer

import (
	"net"
	"reflect"
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
	// address that it reports is the very one of the counted connection.
	open map[net.Addr]*conn
}

// Trace holds functions that are called as things happen; those that are nil
// are not. They are called synchronously, by the goroutine to which it
// happened and from several at once, so they must be quick and safe for
// concurrent use. No lock is held: they may call Meter.Stats. A panic of Opened or
// DialHedged fails the dial (Dialer.DialContext), one of Closed goes to the log, and one
// of the others reaches whoever made the call.
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
	c.local = identity(c.Conn.LocalAddr())
	m.mu.Lock()
	m.stats.Opened++
	m.stats.Open++
	if m.open == nil {
		m.open = map[net.Addr]*conn{}
	}
	m.open[c.local] = c
	m.mu.Unlock()
	if hook := m.Trace.Opened; hook != nil {
		done := false
		defer func() {
			if !done { // nobody gets the connection
				_ = c.Close()
			}
		}()
		hook(c.RemoteAddr(), c.sibling)
		done = true
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
	delete(m.open, c.local)
}

// find returns the open connection that c is a wrapper of, nil if none is.
func (m *Meter) find(c net.Conn) *conn {
	if c == nil {
		return nil
	}
	key := c.LocalAddr()
	if key == nil || reflect.TypeOf(key).Kind() != reflect.Pointer { // it is none of ours
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

// identity returns an address that says what the given one does and is equal to
// no other. A connection may make its address anew at each call, and two of them
// may have the same.
func identity(address net.Addr) net.Addr {
	switch a := address.(type) {
	case *net.TCPAddr:
		if a != nil {
			own := *a
			return &own
		}
	case *net.UnixAddr:
		if a != nil {
			own := *a
			return &own
		}
	}
	return &unidentified{address}
}

// unidentified is the address of a connection of the user's own kind.
type unidentified struct{ address net.Addr }

// Network implements net.Addr.
func (u *unidentified) Network() string {
	if u.address == nil {
		return ""
	}
	return u.address.Network()
}

// String implements net.Addr.
func (u *unidentified) String() string {
	if u.address == nil {
		return ""
	}
	return u.address.String()
}

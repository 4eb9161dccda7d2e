package dialer

import (
	"context"
	"net"
	"sync/atomic"
	"time"
)

// meterFor returns who counts a dial: the Dialer's Meter, else that of the
// Transport whose request asks for the dial, else nobody.
func (d *Dialer) meterFor(ctx context.Context) *Meter {
	if d.Meter != nil {
		return d.Meter
	}
	if u := requestTraceOf(ctx); u != nil {
		return u.meter
	}
	return nil
}

// count runs the race and counts its dials and connections. Datagram networks
// have no connections to count and their sockets more methods than net.Conn.
func (d *Dialer) count(ctx context.Context, r *race, made func(ready bool)) (net.Conn, error) {
	m := d.meterFor(ctx)
	if m == nil && d.untilTaken > 0 {
		m = &d.tally
	}
	if m == nil || !isTCP(r.network) && r.network != "unix" {
		defer made(false)
		return r.run(ctx)
	}
	m.count(func(s *Stats) { s.Dials++ })
	var tries atomic.Int32
	start, next := time.Now(), r.dial
	r.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		sibling := tries.Add(1) > 1
		if sibling {
			m.count(func(s *Stats) { s.Siblings++ })
			if hook := m.Trace.DialHedged; hook != nil {
				hook(network, address, time.Since(start))
			}
		}
		inner, err := next(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return m.connected(&conn{Conn: inner, sibling: sibling, lost: d.lost}), nil
	}
	won, err := r.run(ctx)
	if err != nil {
		made(false)
		m.count(func(s *Stats) { s.DialsFailed++ })
		return nil, err
	}
	if c := countedConn(won); c != nil {
		c.mu.Lock()
		c.won = true
		c.mu.Unlock()
		if c.sibling {
			m.count(func(s *Stats) { s.SiblingsWon++ })
		}
		u := requestTraceOf(ctx)
		if u != nil {
			u.dial(c)
		}
		if d.untilTaken > 0 && !u.straight() {
			c.await(d.untilTaken, start, r.op(), u, made)
			return won, nil
		}
	}
	made(false)
	return won, nil
}

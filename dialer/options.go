package dialer

import (
	"context"
	"net"
	"net/http"
	"syscall"
)

// Option changes what Harden and HardenTraffic do beyond their bounds.
type Option func(*options)

type options struct {
	meter     *Meter
	hedgeable func(*http.Request) bool
	stream    func(*http.Request) bool
	localAddr net.Addr
	control   func(ctx context.Context, network, address string, c syscall.RawConn) error
}

// WithLocalAddr makes the sockets of a hardened config dial from address, see
// Dialer.LocalAddr. Together with a Dial of the user's own, in the config or in
// its Transport, it is an error of Harden and HardenTraffic.
func WithLocalAddr(address net.Addr) Option { return func(o *options) { o.localAddr = address } }

// WithControl has control called with each socket of a hardened config before it
// is connected, see Dialer.Control. Together with a Dial of the user's own, in the
// config or in its Transport, it is an error of Harden and HardenTraffic.
func WithControl(control func(ctx context.Context, network, address string, c syscall.RawConn) error) Option {
	return func(o *options) { o.control = control }
}

// apply gives a Dialer what was chosen.
func (o options) apply(d *Dialer) {
	d.Meter, d.LocalAddr, d.Control = o.meter, o.localAddr, o.control
}

// WithMeter makes the clients of a hardened config count into m, which may
// serve others as well. Without it, or with nil, each client counts into a
// Meter of its own, which StatsOf reads.
func WithMeter(m *Meter) Option { return func(o *options) { o.meter = m } }

// WithHedgeable says which requests Harden's clients may send more than once,
// see Transport.Hedgeable. Without it, or with nil, those are the idempotent ones of
// HTTP: a POST (a creation, an event) and a PATCH are sent once, a DELETE may be sent
// twice and then be answered 404 for what its first sending has done. A client
// whose writes are all such that a second equal one is refused, as a lock's are, may
// allow every request. HardenTraffic sends nothing twice and ignores it.
func WithHedgeable(may func(*http.Request) bool) Option {
	return func(o *options) { o.hedgeable = may }
}

// WithStreams says which requests of Harden's clients are answered by a stream,
// see Transport.Stream. Without it, or with nil, IsStream says so.
// HardenTraffic bounds no answers and ignores it.
func WithStreams(is func(*http.Request) bool) Option {
	return func(o *options) { o.stream = is }
}

func choose(opts []Option) (chosen options) {
	for _, option := range opts {
		if option != nil {
			option(&chosen)
		}
	}
	return chosen
}

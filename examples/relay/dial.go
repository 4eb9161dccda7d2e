package main

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/dialer"
)

// servers dials API servers.
type servers struct {
	addresses []string
	// each dials what a sibling is for, and all of them.
	each, all dialer.Dialer
	// good is the number of the address that answered last.
	good atomic.Int64
}

// newServers returns a way to one address or several. A name or a virtual IP is one: the
// dialer tries the addresses of a name, and has a virtual IP choose anew for each
// sibling, whose source port differs. Of several each sibling tries the next, the first
// of them the one that answered last.
func newServers(addresses []string, connect, hedge, silence time.Duration, meter *dialer.Meter) *servers {
	s := &servers{addresses: addresses}
	s.all = dialer.Dialer{Connect: connect, Hedge: hedge, Silence: silence, Meter: meter}
	if len(addresses) > 1 {
		s.each = dialer.Dialer{Connect: connect, Hedge: -1, Silence: silence}
		s.all.Dial = s.next
	}
	return s
}

type triesKey struct{}

// dial returns a connection to one of the servers.
func (s *servers) dial(ctx context.Context) (net.Conn, error) {
	return s.all.DialContext(context.WithValue(ctx, triesKey{}, new(atomic.Int64)), "tcp", s.addresses[0])
}

// next dials the address that this dial has not tried yet.
func (s *servers) next(ctx context.Context, network, _ string) (net.Conn, error) {
	tried := ctx.Value(triesKey{}).(*atomic.Int64).Add(1) - 1
	number := (s.good.Load() + tried) % int64(len(s.addresses))
	conn, err := s.each.DialContext(ctx, network, s.addresses[number])
	if err == nil {
		s.good.Store(number)
	}
	return conn, err
}

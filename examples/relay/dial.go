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
	// first is the number of the address that the next dial begins with.
	first atomic.Int64
}

// newServers returns a way to one address or several. A name or a virtual IP is one: the
// dialer tries the addresses of a name, and has a virtual IP choose anew for each
// sibling, whose source port differs. Of several each sibling tries the next. A dial
// begins with the one that answered last, or behind those that have failed since.
func newServers(addresses []string, connect, hedge, silence time.Duration, meter *dialer.Meter) *servers {
	s := &servers{addresses: addresses}
	s.all = dialer.Dialer{Connect: connect, Hedge: hedge, Silence: silence, Meter: meter}
	if len(addresses) > 1 {
		s.each = dialer.Dialer{Connect: connect, Hedge: -1, Silence: silence}
		s.all.Dial = s.next
	}
	return s
}

type tourKey struct{}

// tour is what one dial has tried.
type tour struct {
	first int64
	tried atomic.Int64
}

// dial returns a connection to one of the servers.
func (s *servers) dial(ctx context.Context) (net.Conn, error) {
	return s.all.DialContext(context.WithValue(ctx, tourKey{}, &tour{first: s.first.Load()}), "tcp", s.addresses[0])
}

// next dials the address that this dial has not tried yet. One that fails is not what
// the next dial begins with: of addresses that refuse again and again a Dialer has one
// tried at a time.
func (s *servers) next(ctx context.Context, network, _ string) (net.Conn, error) {
	t, all := ctx.Value(tourKey{}).(*tour), int64(len(s.addresses))
	number := (t.first + t.tried.Add(1) - 1) % all
	conn, err := s.each.DialContext(ctx, network, s.addresses[number])
	switch {
	case err == nil:
		s.first.Store(number)
	case ctx.Err() == nil:
		s.first.CompareAndSwap(number, (number+1)%all)
	}
	return conn, err
}

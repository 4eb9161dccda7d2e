package dialer

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"golang.org/x/net/nettest"
)

// The connections that a Dialer hands out keep the contract of net.Conn.
func TestConnectionsConform(t *testing.T) {
	sockets := func(d *Dialer) nettest.MakePipe {
		return func() (ours, theirs net.Conn, stop func(), err error) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, nil, nil, err
			}
			defer func() { _ = listener.Close() }()
			ours, err = d.DialContext(context.Background(), "tcp", listener.Addr().String())
			if err != nil {
				return nil, nil, nil, err
			}
			theirs, err = listener.Accept()
			return ours, theirs, func() { _, _ = ours.Close(), theirs.Close() }, err
		}
	}
	memory := func(d *Dialer) nettest.MakePipe {
		return func() (ours, theirs net.Conn, stop func(), err error) {
			counted := &Dialer{Hedge: d.Hedge, Meter: d.Meter, Dial: func(context.Context, string, string) (net.Conn, error) {
				ours, peer := net.Pipe()
				theirs = peer
				return ours, nil
			}}
			ours, err = counted.DialContext(context.Background(), "tcp", "192.0.2.1:443")
			return ours, theirs, func() { _, _ = ours.Close(), theirs.Close() }, err
		}
	}
	var meter Meter
	for name, pipe := range map[string]nettest.MakePipe{
		"socket":         sockets(&Dialer{Hedge: 10 * time.Second}),
		"counted socket": sockets(&Dialer{Hedge: 10 * time.Second, Meter: &meter}),
		"counted memory": memory(&Dialer{Hedge: 10 * time.Second, Meter: &meter}),
	} {
		t.Run(name, func(t *testing.T) { nettest.TestConn(t, pipe) })
	}
	stats := meter.Stats()
	assert.Positive(t, stats.Opened)
	assert.Zero(t, stats.Open)
	assert.Zero(t, stats.Closed[Failed], "deadlines are no failure")
}

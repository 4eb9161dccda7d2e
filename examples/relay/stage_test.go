package main

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const soon, often = 20 * time.Second, 5 * time.Millisecond

// playing is a relay that runs.
type playing struct {
	t       *testing.T
	address string
	counts  *counts
	stop    func() // asks it to end
	ended   func() // waits until it has
}

// play runs a relay to addresses, changed by change, until the test ends.
func play(t *testing.T, change func(*options), to ...string) *playing {
	o, err := parse([]string{"-to=" + strings.Join(to, ","), "-drain=0s"}, new(bytes.Buffer))
	require.NoError(t, err)
	change(&o)
	counts := new(counts)
	r := &relay{
		servers: newServers(o.to, o.connect, o.hedge, o.silence, &counts.meter),
		limits:  o.limits, most: o.connections, drain: o.drain, counts: counts,
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { assert.NoError(t, r.serve(ctx, listener)) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return &playing{t, listener.Addr().String(), counts, cancel, running.Wait}
}

func asItIs(*options) {}

// dial returns a connection through the relay.
func (p *playing) dial() *net.TCPConn {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.address)
	require.NoError(p.t, err)
	p.t.Cleanup(func() { _ = conn.Close() })
	require.NoError(p.t, conn.SetDeadline(time.Now().Add(soon)))
	return conn.(*net.TCPConn)
}

// until waits until so many connections have ended for a reason.
func (p *playing) until(why reason, number int) {
	p.t.Helper()
	for i, r := range reasons {
		if r == why {
			require.Eventually(p.t, func() bool { return p.counts.ends[i].Load() >= int64(number) }, soon, often, "none has ended for %s", why)
			return
		}
	}
	require.Fail(p.t, "no such reason", why)
}

// server listens and handles each connection in a goroutine that closes it at its end.
func server(t *testing.T, handle func(*net.TCPConn)) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return serveOn(t, listener, handle)
}

func serveOn(t *testing.T, listener net.Listener, handle func(*net.TCPConn)) (address string) {
	var handling sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	handling.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			handling.Go(func() {
				defer conn.Close()
				handle(conn.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for _, conn := range open {
			_ = conn.Close()
		}
		mu.Unlock()
		handling.Wait()
	})
	return listener.Addr().String()
}

package dialer

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// counter is a server that makes one TLS handshake after the other, each of
// which takes its time, also for a client that has gone meanwhile: it finds that
// out when it answers. What comes after the handshake costs nothing.
type counter struct {
	config  *tls.Config
	takes   time.Duration
	queue   chan net.Conn
	shaken  atomic.Int32 // handshakes it has worked on
	stopped chan struct{}
}

func newCounter(pair tls.Certificate, takes time.Duration) *counter {
	return &counter{
		config: &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}},
		takes:  takes, queue: make(chan net.Conn, 1<<16), stopped: make(chan struct{}),
	}
}

func (c *counter) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	c.queue <- far
	return near, nil
}

// serve works until stopped is closed.
func (c *counter) serve() {
	for {
		select {
		case conn := <-c.queue:
			c.shaken.Add(1)
			time.Sleep(c.takes)
			go func() {
				server := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
				_ = server.Serve(tls.NewListener(&oneConn{conn: conn, stopped: c.stopped}, c.config))
			}()
		case <-c.stopped:
			for len(c.queue) > 0 {
				_ = (<-c.queue).Close()
			}
			return
		}
	}
}

// oneConn is a listener to which one connection comes.
type oneConn struct {
	conn    net.Conn
	taken   atomic.Bool
	stopped chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if !l.taken.Swap(true) {
		return l.conn, nil
	}
	<-l.stopped
	_ = l.conn.Close()
	return nil, io.EOF
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }

// TestACrowdSettles has many clients come to a server at once that needs longer
// for all of them than Connect. Each is to get its answer all the same, and the
// server not to be given the work of more than twice as many handshakes.
func TestACrowdSettles(t *testing.T) {
	const clients, takes = 20, 250 * ms // five seconds for all
	authority := newAuthority(t, "authority")
	pair := authority.pair(t, "server")
	synctest.Test(t, func(t *testing.T) {
		server := newCounter(pair, takes)
		var running sync.WaitGroup
		running.Go(server.serve)
		budget := Budget{Answer: 10 * time.Second}.WithDefaults()
		start := time.Now()
		settled := make(chan time.Duration)
		for range clients {
			running.Go(func() {
				base := &http.Transport{
					DialContext:     budget.dialer(server.dial).DialContext,
					TLSClientConfig: &tls.Config{RootCAs: authority.pool(), ServerName: apiName},
				}
				tune(base, budget)
				transport := &Transport{Base: base, Budget: budget}
				client := &http.Client{Transport: transport}
				for time.Since(start) < 2*time.Minute {
					response, err := client.Get("https://" + apiName)
					if err == nil {
						_ = response.Body.Close()
						break
					}
				}
				settled <- time.Since(start)
				<-server.stopped
				transport.CloseIdleConnections()
			})
		}
		var last time.Duration
		for range clients {
			last = max(last, <-settled)
		}
		t.Logf("figure: the last of %d was answered after %v, %d handshakes", clients, last, server.shaken.Load())
		assert.LessOrEqual(t, last, 2*clients*takes, "twice what the useful handshakes take")
		assert.LessOrEqual(t, server.shaken.Load(), int32(2*clients), "most of the work is of use")
		close(server.stopped)
		running.Wait()
		time.Sleep(budget.Answer) // until the handshakes of attempts that lost have been given up
	})
}

// TestASilentHandshakeIsNoticedWithoutABudget has a peer that accepts and then
// says nothing, for a client that has no hedge left: there is another attempt
// when the handshake misses Connect, at the next pace of the hedges.
func TestASilentHandshakeIsNoticedWithoutABudget(t *testing.T) {
	authority := newAuthority(t, "authority")
	pair := authority.pair(t, "server")
	synctest.Test(t, func(t *testing.T) {
		server := newCounter(pair, ms)
		var running sync.WaitGroup
		running.Go(server.serve)
		var dials atomic.Int32
		silent, _ := net.Pipe()
		budget := Budget{Answer: 10 * time.Second}.WithDefaults()
		base := &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if dials.Add(1) == 1 {
					return silent, nil
				}
				return server.dial(ctx, network, address)
			},
			TLSClientConfig: &tls.Config{RootCAs: authority.pool(), ServerName: apiName},
		}
		tune(base, budget)
		transport := &Transport{Base: base, Budget: budget}
		drain(&transport.tokens)
		start := time.Now()
		response, err := (&http.Client{Transport: transport}).Get("https://" + apiName)
		require.NoError(t, err)
		_ = response.Body.Close()
		assert.GreaterOrEqual(t, time.Since(start), budget.Connect)
		assert.LessOrEqual(t, time.Since(start), budget.Connect+budget.Hedge)
		transport.CloseIdleConnections()
		close(server.stopped)
		running.Wait()
		time.Sleep(budget.Answer) // until the silent handshake has been given up
	})
}

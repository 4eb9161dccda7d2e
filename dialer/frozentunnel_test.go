package dialer

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tunnels are connections of a user's own that hold no byte back (net.Pipe), as an SSH
// channel or a stream of a proxy does whose window is shut.
type tunnels struct {
	to     string
	bare   bool // its connections have no deadlines
	frozen atomic.Pointer[chan struct{}]

	mu  sync.Mutex
	all []net.Conn
}

func newTunnels(t *testing.T, to string) *tunnels {
	u := &tunnels{to: to}
	u.thaw()
	t.Cleanup(func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		for _, c := range u.all {
			_ = c.Close()
		}
	})
	return u
}

// freeze has what is open take nothing more; what is opened later is well.
func (u *tunnels) freeze() { close(*u.frozen.Load()); u.thaw() }

func (u *tunnels) thaw() { well := make(chan struct{}); u.frozen.Store(&well) }

func (u *tunnels) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	server, err := new(net.Dialer).DialContext(ctx, "tcp", u.to)
	if err != nil {
		return nil, err
	}
	ours, theirs := net.Pipe()
	u.mu.Lock()
	u.all = append(u.all, ours, theirs, server)
	u.mu.Unlock()
	frozen := *u.frozen.Load()
	go pump(server, theirs, frozen)
	go pump(theirs, server, frozen)
	if u.bare {
		return withoutDeadlines{ours}, nil
	}
	return ours, nil
}

// pump passes on what comes until the tunnel freezes.
func pump(to, from net.Conn, frozen <-chan struct{}) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		select {
		case <-frozen:
			return
		default:
		}
		if _, writeErr := to.Write(buffer[:n]); err != nil || writeErr != nil {
			_ = to.Close()
			return
		}
	}
}

type withoutDeadlines struct{ net.Conn }

func (withoutDeadlines) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (withoutDeadlines) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (withoutDeadlines) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }

// Closing an idle connection writes an alert, for which TLS has five seconds each where
// there are deadlines. A call does not wait for that.
func TestACallDoesNotWaitForConnectionsThatAreClosed(t *testing.T) {
	const bound = 2 * time.Second
	for name, c := range map[string]struct{ bare, busy bool }{
		"at a hedge": {}, "without deadlines": {bare: true}, "after a refusal": {busy: true},
	} {
		t.Run(name, func(t *testing.T) {
			const atOnce = 4
			var refuses atomic.Bool
			var arrived atomic.Int32
			all := make(chan struct{})
			var tunnel *tunnels
			server, _ := newServer(t, false, func(w http.ResponseWriter, _ *http.Request) {
				if refuses.CompareAndSwap(true, false) {
					tunnel.freeze()
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				if arrived.Add(1) == atOnce {
					close(all)
				}
				<-all // so that each has a connection of its own
				_, _ = io.WriteString(w, "well")
			})
			tunnel = newTunnels(t, server.Listener.Addr().String())
			tunnel.bare = c.bare
			config := newConfig(server)
			config.Dial = tunnel.dial
			hardened, err := Harden(config, Budget{Answer: bound})
			require.NoError(t, err)
			client := clientFor(t, hardened)
			var asking sync.WaitGroup
			for range atOnce {
				asking.Go(func() {
					response, err := client.Get(server.URL)
					if assert.NoError(t, err) {
						_ = response.Body.Close()
					}
				})
			}
			asking.Wait()
			if !c.busy {
				tunnel.freeze()
			}
			refuses.Store(c.busy)
			took := make(chan time.Duration, 1)
			go func() {
				start := time.Now()
				if response, err := client.Get(server.URL); err == nil {
					_ = response.Body.Close()
				}
				took <- time.Since(start)
			}()
			select {
			case d := <-took:
				assert.Less(t, d, 5*time.Second, "what TLS has for one alert")
			case <-time.After(10 * bound):
				assert.Fail(t, "the call has no end")
			}
		})
	}
}

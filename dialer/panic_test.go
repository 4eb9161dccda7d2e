package dialer

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// hooks are the functions of the user's that dials call in goroutines of ours.
var hooks = map[string]func(c *rest.Config, panics func()) []Option{
	"Dial": func(c *rest.Config, panics func()) []Option {
		c.Dial = func(context.Context, string, string) (net.Conn, error) { panics(); return nil, nil }
		return nil
	},
	"Dial of a Transport": func(c *rest.Config, panics func()) []Option {
		c.Transport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { panics(); return nil, nil }}
		return nil
	},
	"Control": func(_ *rest.Config, panics func()) []Option {
		return []Option{WithControl(func(context.Context, string, string, syscall.RawConn) error { panics(); return nil })}
	},
	"Trace.Opened": func(_ *rest.Config, panics func()) []Option {
		return []Option{WithMeter(&Meter{Trace: Trace{Opened: func(net.Addr, bool) { panics() }}})}
	},
}

// A panic in what a dial calls is raised where one in a round tripper is: in the
// goroutine that made the call, which can recover it.
func TestAPanicInADialReachesTheCaller(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	for kind, harden := range map[string]func(*rest.Config, ...Option) (*rest.Config, error){
		"lock": func(c *rest.Config, o ...Option) (*rest.Config, error) {
			return Harden(c, Budget{Answer: 20 * time.Second}, o...)
		},
		"traffic": func(c *rest.Config, o ...Option) (*rest.Config, error) { return HardenTraffic(c, 20*time.Second, o...) },
	} {
		for name, hook := range hooks {
			t.Run(kind+", "+name, func(t *testing.T) {
				config := &rest.Config{Host: server.URL}
				options := hook(config, func() { panic(errPolicy) })
				hardened, err := harden(config, options...)
				require.NoError(t, err)
				client := clientFor(t, hardened)
				assert.PanicsWithValue(t, errPolicy, func() { _, _ = client.Get(server.URL) })
				stats, _ := StatsOf(client.Transport)
				assert.Zero(t, stats.Open, "what was opened is closed")
			})
		}
	}
}

// Who dials by hand may be a goroutine of net/http, in which nobody could recover it.
func TestAPanicInADialIsItsError(t *testing.T) {
	for name, end := range map[string]struct {
		call func()
		says string
	}{
		"panic":  {func() { panic("boom") }, "panicked: boom"},
		"Goexit": {runtime.Goexit, "ended its goroutine"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &Dialer{Dial: func(context.Context, string, string) (net.Conn, error) { end.call(); return nil, nil }}
				start := time.Now()
				_, err := d.DialContext(t.Context(), "tcp", "192.0.2.1:443")
				require.ErrorContains(t, err, end.says)
				assert.Zero(t, time.Since(start), "no other dial would fare better")
				assert.Empty(t, d.crowd.places)
			})
		})
	}
}

func TestAPanicInAResolverIsAnError(t *testing.T) {
	d := &Dialer{Connect: time.Second, Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { panic("boom") }}}
	_, err := d.DialContext(t.Context(), "tcp", "nowhere.example:443")
	require.ErrorContains(t, err, "panicked: boom")
}

// What nobody waits for ends nothing when it panics.
func TestAPanicInWhatIsClosedLateEndsNothing(t *testing.T) {
	t.Run("a connection", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := &Dialer{Connect: time.Second, Hedge: -1, Dial: func(context.Context, string, string) (net.Conn, error) {
				time.Sleep(2 * time.Second)
				return panicking{}, nil
			}}
			_, err := d.DialContext(t.Context(), "tcp", "192.0.2.1:443")
			require.Error(t, err)
			time.Sleep(2 * time.Second)
		})
	})
	t.Run("a connection that is not ready in time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := &Dialer{untilTaken: time.Second, Dial: func(context.Context, string, string) (net.Conn, error) { return panicking{}, nil }}
			_, err := d.DialContext(t.Context(), "tcp", "192.0.2.1:443")
			require.NoError(t, err)
			time.Sleep(2 * time.Second)
		})
	})
	t.Run("a body", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			end := make(chan struct{})
			rt := &Transport{Budget: Budget{Answer: time.Second, Hedge: -1}, Base: roundTripFunc(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Body: deafBody{end}}, nil
			})}
			_, err := rt.RoundTrip(newRequest(t.Context(), "GET", ""))
			require.Error(t, err)
			close(end)
			time.Sleep(2 * time.Second)
		})
	})
	t.Run("Trace.Closed", func(t *testing.T) {
		c := new(Meter)
		c.Trace.Closed = func(CloseReason, time.Duration, net.Addr, error) { panic("boom") }
		near, far := net.Pipe()
		defer func() { _ = far.Close() }()
		assert.NoError(t, c.connected(&conn{Conn: near}).Close())
	})
}

// panicking is a connection whose Close panics.
type panicking struct{ mapConn }

func (panicking) Close() error { panic("boom") }

// deafBody is a body that comes to no end before another does, and whose Close panics.
type deafBody struct{ end chan struct{} }

func (b deafBody) Read([]byte) (int, error) { <-b.end; return 0, errors.Join(io.EOF, errPolicy) }
func (deafBody) Close() error               { panic("boom") }

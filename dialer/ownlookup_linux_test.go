package dialer

import (
	"context"
	"net"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/backlog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// heard remembers what a dial of the user's own was asked for.
type heard struct {
	mu    sync.Mutex
	asked []string
}

func (h *heard) before(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		h.mu.Lock()
		h.asked = append(h.asked, address)
		h.mu.Unlock()
		return dial(ctx, network, address)
	}
}

func (h *heard) all() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.asked)
}

// net.Dialer gives each address of a name two seconds. A bound of less is enough
// all the same, and so is one of more.
func TestOwnDialOfANameWithADeadAddressConnectsWithinAHedge(t *testing.T) {
	port, listeners := samePort(t, "127.0.0.1", "127.0.0.2")
	backlog.Fill(t, listeners[0])
	server, _ := newServer(t, true, hello, func(server *httptest.Server) {
		_ = server.Listener.Close()
		server.Listener = listeners[1]
	})
	newNames(t, "127.0.0.1", "127.0.0.2").becomeDefault(t)
	host := "https://" + apiName + ":" + port
	for name, own := range map[string]dialFunc{
		"net.Dialer": new(net.Dialer).DialContext,
		"within another": func(ctx context.Context, n, a string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, n, a)
		},
		"with a time out": (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
	} {
		for whose, harden := range within {
			for _, bound := range []time.Duration{1500 * ms, 6 * time.Second} {
				t.Run(name+"/"+whose+"/"+bound.String(), func(t *testing.T) {
					inARound(t, func(round *assert.CollectT) {
						var h heard
						config := newConfig(server)
						config.Host, config.Dial = host, h.before(own)
						hardened, err := harden(config, bound)
						require.NoError(round, err)
						assert.Contains(round, fetch(round, clientFor(t, hardened), host), "hello")
						asked := h.all()
						require.GreaterOrEqual(round, len(asked), 2)
						assert.Equal(round, apiName+":"+port, asked[0], "the first has the name")
						assert.Contains(round, asked, "127.0.0.2:"+port)
						assert.LessOrEqual(round, len(asked), 6)
					})
				})
			}
		}
	}
}

// A dial that has the name resolved elsewhere, or leads somewhere else, is given
// nothing but the name.
func TestOwnDialThatWantsTheNameHasIt(t *testing.T) {
	port, listeners := samePort(t, "127.0.0.1", "127.0.0.2")
	backlog.Fill(t, listeners[0])
	backlog.Fill(t, listeners[1])
	newNames(t, "127.0.0.1", "127.0.0.2").becomeDefault(t)
	plain := new(net.Dialer)
	for name, own := range map[string]dialFunc{
		"resolved at the far end": func(ctx context.Context, network, _ string) (net.Conn, error) {
			return plain.DialContext(ctx, network, listeners[0].Addr().String())
		},
		"a proxy with a name": func(ctx context.Context, network, _ string) (net.Conn, error) {
			return plain.DialContext(ctx, network, apiName+":"+port)
		},
		"looked up and not used": func(ctx context.Context, network, address string) (net.Conn, error) {
			host, _, _ := net.SplitHostPort(address)
			_, _ = net.DefaultResolver.LookupIPAddr(ctx, host)
			<-ctx.Done()
			return nil, ctx.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			const address = "tunnelled.invalid:443"
			to := address
			if name == "looked up and not used" {
				to = apiName + ":443"
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var h heard
			d := &Dialer{Connect: time.Hour, Hedge: 50 * ms, Silence: -1, Dial: h.before(func(dial context.Context, network, address string) (net.Conn, error) {
				if len(h.all()) > 2 {
					cancel()
				}
				return own(dial, network, address)
			})}
			_, err := d.DialContext(ctx, "tcp", to)
			require.ErrorIs(t, err, context.Canceled)
			asked := h.all()
			assert.Greater(t, len(asked), 2)
			for _, a := range asked {
				assert.Equal(t, to, a)
			}
		})
	}
}

// What stands in for a dead address is not forgotten: the next dial begins with
// the name, and its sibling with the address that has answered.
func TestOwnDialsSiblingBeginsWithWhatHasAnswered(t *testing.T) {
	addresses := []string{"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"}
	port, listeners := samePort(t, addresses...)
	for _, listener := range listeners[:3] {
		backlog.Fill(t, listener)
	}
	newNames(t, addresses...).becomeDefault(t)
	var h heard
	d := &Dialer{Connect: 20 * time.Second, Hedge: 100 * ms, Silence: -1, Dial: h.before(new(net.Dialer).DialContext)}
	assert.Equal(t, "127.0.0.4", dialHost(t, d, apiName+":"+port))
	first := h.all()
	assert.Equal(t, []string{apiName + ":" + port, "127.0.0.2:" + port, "127.0.0.3:" + port, "127.0.0.4:" + port}, first)
	assert.Equal(t, "127.0.0.4", dialHost(t, d, apiName+":"+port))
	assert.Equal(t, []string{apiName + ":" + port, "127.0.0.4:" + port}, h.all()[len(first):])
}

package dialer

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// A client that nobody holds any more while its watch is read goes on with the watch,
// and leaves no connection when that has ended.
func TestAWatchOutlivesItsDroppedClientAndTheConnectionDoesNot(t *testing.T) {
	for kind, harden := range map[string]hardenFunc{
		"lock":    func(c *rest.Config) (*rest.Config, error) { return Harden(c, Budget{Answer: 20 * time.Second}) },
		"traffic": func(c *rest.Config) (*rest.Config, error) { return HardenTraffic(c, 20*time.Second) },
	} {
		for whose, own := range map[string]bool{"client-go's": false, "the user's": true} {
			t.Run(kind+", "+whose, func(t *testing.T) {
				more := make(chan struct{})
				server, _ := newServer(t, true, func(w http.ResponseWriter, _ *http.Request) {
					_, _ = io.WriteString(w, "one ")
					w.(http.Flusher).Flush()
					<-more
					_, _ = io.WriteString(w, "two")
				})
				stats, body := watchAndDrop(t, server, harden, own)
				for range 5 { // cleanups run after a collection, in a goroutine of their own
					runtime.GC()
					time.Sleep(10 * ms)
				}
				assert.Positive(t, stats().Open)
				close(more)
				all, err := io.ReadAll(body)
				require.NoError(t, err)
				assert.Equal(t, "one two", string(all), "who reads it, reads on")
				require.NoError(t, body.Close())
				body = nil
				require.Eventually(t, func() bool {
					runtime.GC()
					return stats().Open == 0
				}, 10*time.Second, 10*ms, "the connection is given back")
			})
		}
	}
}

// watchAndDrop opens a watch with a client that nobody holds when it returns.
func watchAndDrop(t *testing.T, server *httptest.Server, harden hardenFunc, own bool) (stats func() Stats, body io.ReadCloser) {
	config, meter := newConfig(server), new(Meter)
	if own {
		base := server.Client().Transport.(*http.Transport).Clone()
		base.IdleConnTimeout = 0
		config = &rest.Config{Host: server.URL, Transport: base}
	}
	hardened, err := harden(config)
	require.NoError(t, err)
	client, err := rest.HTTPClientFor(hardened)
	require.NoError(t, err)
	for link := range chain(client.Transport) {
		switch link := link.(type) {
		case *Transport:
			link.Meter = meter
		case *meteredTransport:
			link.meter = meter
		}
	}
	response, err := client.Get(server.URL + "?watch=true")
	require.NoError(t, err)
	return meter.Stats, response.Body
}

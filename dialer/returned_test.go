package dialer

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// When a call is over its request is the caller's again, also where an attempt has only
// just been launched.
func TestARequestIsTheCallersAgainWhenItsCallIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer, sent := make(chan struct{}), make(chan string, 2)
		meter := new(Meter)
		meter.Trace.Hedged = func(string, string, int, time.Duration) {
			close(answer) // to the first attempt, while the second is launched
			synctest.Wait()
		}
		rt := &Transport{Budget: Budget{Answer: time.Second}, Meter: meter, Base: roundTripFunc(func(r *http.Request) (*http.Response, error) {
			<-answer
			sent <- r.Header.Get("Of")
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
		})}
		request, err := http.NewRequest(http.MethodGet, "http://192.0.2.1", nil)
		require.NoError(t, err)
		request.Header.Set("Of", "the call")
		response, err := rt.RoundTrip(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		request.Header.Set("Of", "another")
		assert.Equal(t, "the call", <-sent)
		assert.Equal(t, "the call", <-sent)
	})
}

// A hook that panics, and is recovered from, leaves no attempt to wait for.
func TestAHedgeWhoseHookPanicsIsNoAttemptThatGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		meter, well := new(Meter), new(atomic.Bool)
		meter.Trace.Hedged = func(string, string, int, time.Duration) { panic("of the user's") }
		rt := &Transport{Budget: Budget{Answer: time.Second}, Meter: meter, Base: roundTripFunc(func(r *http.Request) (*http.Response, error) {
			if well.Load() {
				return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}
		request, err := http.NewRequest(http.MethodGet, "http://192.0.2.1", nil)
		require.NoError(t, err)
		for range int(bucketSize) { // as many as are paid for
			assert.PanicsWithValue(t, "of the user's", func() { _, _ = rt.RoundTrip(request) })
		}
		time.Sleep(time.Minute)
		assert.Zero(t, rt.deaf.Load())
		assert.Zero(t, rt.order.underway.Load())
		well.Store(true)
		response, err := rt.RoundTrip(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
	})
}

// What a hook that panics has kept from its caller is closed: a watch would stay for ever.
func TestAStreamWhoseHookPanicsIsClosed(t *testing.T) {
	for way, harden := range map[string]func(*rest.Config, Option) (*rest.Config, error){
		"lock":    func(c *rest.Config, o Option) (*rest.Config, error) { return Harden(c, Budget{Answer: time.Second}, o) },
		"traffic": func(c *rest.Config, o Option) (*rest.Config, error) { return HardenTraffic(c, time.Second, o) },
	} {
		t.Run(way, func(t *testing.T) {
			body := &trackedBody{Reader: strings.NewReader("")}
			config := &rest.Config{Host: "http://192.0.2.1"}
			config.Wrap(func(http.RoundTripper) http.RoundTripper {
				return roundTripFunc(func(r *http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: http.StatusOK, Body: body, Request: r}, nil
				})
			})
			hardened, err := harden(config, WithMeter(&Meter{Trace: Trace{Served: func(Served) { panic("of the user's") }}}))
			require.NoError(t, err)
			rt, err := rest.TransportFor(hardened)
			require.NoError(t, err)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://192.0.2.1/?watch=true", nil)
			require.NoError(t, err)
			assert.PanicsWithValue(t, "of the user's", func() { _, _ = rt.RoundTrip(request) })
			assert.True(t, body.closed.Load())
		})
	}
}

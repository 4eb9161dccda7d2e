package contender

import (
	"net/http"
	"net/http/httptrace"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// counted returns a copy of config whose requests, and the connections that are
// opened for them, appear in the stream. It
// wraps below whatever a peer wraps around it, so that each attempt of a
// hedged request is one.
func counted(config *rest.Config, says voice) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(func(base http.RoundTripper) http.RoundTripper {
		return &counter{base: base, says: says}
	})
	return config
}

type counter struct {
	base http.RoundTripper
	says voice
}

var _ utilnet.RoundTripperWrapper = (*counter)(nil)

// WrappedRoundTripper lets a peer reach the transport below.
func (c *counter) WrappedRoundTripper() http.RoundTripper { return c.base }

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := time.Now()
	c.says.say(event.Event{Time: sent, What: event.Requested, Verb: r.Method})
	answer, err := c.base.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		ConnectDone: func(_, address string, err error) {
			if err == nil {
				c.says.say(event.Event{What: event.Connected, On: address})
			}
		},
	})))
	if err != nil {
		what := event.Failed
		if r.Context().Err() != nil {
			what = event.Abandoned
		}
		c.says.say(event.Event{What: what, Verb: r.Method, Took: time.Since(sent), Reason: err.Error()})
	}
	return answer, err
}

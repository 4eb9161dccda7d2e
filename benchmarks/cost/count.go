package cost

import (
	"net"
	"net/http"
	"sync/atomic"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
)

// count counts the requests of one contender: every attempt, hedges included.
type count struct{ sent, answered atomic.Uint64 }

// own returns a copy of config whose requests are counted and whose transport
// is nobody else's: client-go keeps one transport for equal configurations, but
// none for those with a Dial. This Dial is the one that it uses by default.
func (c *count) own(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.Dial = (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	config.Wrap(func(base http.RoundTripper) http.RoundTripper { return &counting{base: base, count: c} })
	return config
}

type counting struct {
	base  http.RoundTripper
	count *count
}

var _ utilnet.RoundTripperWrapper = (*counting)(nil)

// WrappedRoundTripper lets a peer reach the transport below.
func (c *counting) WrappedRoundTripper() http.RoundTripper { return c.base }

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.count.sent.Add(1)
	answer, err := c.base.RoundTrip(r)
	if err == nil {
		c.count.answered.Add(1)
	}
	return answer, err
}

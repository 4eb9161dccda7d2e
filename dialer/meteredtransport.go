package dialer

import (
	"net/http"
	"runtime"
	"time"
)

// meteredTransport counts the requests of a client that are not hedged.
type meteredTransport struct {
	base  http.RoundTripper
	meter *Meter
}

// RoundTrip implements http.RoundTripper.
func (t *meteredTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	start := time.Now()
	t.meter.count(func(s *Stats) { s.Requests++ })
	u := t.meter.follow(request.Context())
	u.final.Store(request.Close)
	response, err := t.base.RoundTrip(request.WithContext(u))
	if err == nil {
		u.answered(1, time.Since(start), response)
		t.heldBy(response)
	} else if crash := crashOf(err); crash != nil {
		crash.raise(request.Context())
	}
	return response, err
}

// heldBy makes a body that is to be read hold the client. Where nothing does any more,
// the idle connections are closed, once; one over HTTP/2 that carries a watch is not
// idle, and would stay when the watch has ended.
func (t *meteredTransport) heldBy(response *http.Response) {
	if response.Body != nil && response.Body != http.NoBody {
		body := &stream{ReadCloser: response.Body, cancel: func() {}, closed: func() { runtime.KeepAlive(t) }}
		response.Body = body.live()
	}
}

// CloseIdleConnections closes the connections that no request is using.
func (t *meteredTransport) CloseIdleConnections() { closeIdle(t.base) }

// WrappedRoundTripper gives way to what it wraps.
func (t *meteredTransport) WrappedRoundTripper() http.RoundTripper { return t.base }

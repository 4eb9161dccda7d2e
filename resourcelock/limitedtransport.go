package resourcelock

import (
	"fmt"
	"net/http"

	"github.com/holdfast-go/holdfast/dialer"
)

// limitedTransport is a round tripper whose requests pass a limiter. A request waits for its
// turn for as long as its context lasts, which is that of a call of a lock and
// ends with the lock's bound. Watches do not wait: each is a connection for as
// long as it lasts anyway.
type limitedTransport struct {
	next    http.RoundTripper
	limiter *limiter
}

func newTurns(next http.RoundTripper, budget dialer.Budget) *limitedTransport {
	slow := budget.Hedge
	if slow <= 0 { // no hedging: then what a hedge would have waited
		slow = dialer.Budget{Answer: budget.Answer}.WithDefaults().Hedge
	}
	return &limitedTransport{next: next, limiter: newLimiter(slow, budget.Connect)}
}

// RoundTrip implements http.RoundTripper.
func (t *limitedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if isWatch(request) {
		return t.next.RoundTrip(request)
	}
	slot, waited, err := t.limiter.acquire(request.Context())
	if err != nil {
		if request.Body != nil {
			_ = request.Body.Close()
		}
		return nil, fmt.Errorf("%s %s: waited %v for its turn among the requests of other leases: %w", request.Method, request.URL.Host, waited, err)
	}
	answered := false
	defer func() { slot.end(answered) }() // also if it panics
	response, err := t.next.RoundTrip(request)
	answered = err == nil
	return response, err
}

// isWatch reports whether a request is a lock's watch, the only one of its requests whose
// answer is a stream. It goes by the query alone: what the path of the API server's
// address looks like says nothing of it.
func isWatch(request *http.Request) bool {
	return request.URL != nil && request.URL.Query().Get("watch") != ""
}

// WrappedRoundTripper gives way to what is below.
func (t *limitedTransport) WrappedRoundTripper() http.RoundTripper { return t.next }

// CloseIdleConnections closes the connections that no request is using.
func (t *limitedTransport) CloseIdleConnections() { closeIdleConnections(t.next) }

package resourcelock

import (
	"fmt"
	"net/http"

	"github.com/holdfast-go/holdfast/dialer"
)

// turns is a round tripper whose requests pass a gate. A request waits for its
// turn for as long as its context lasts, which is that of a call of a lock and
// ends with the lock's bound. Watches do not wait: each is a connection for as
// long as it lasts anyway.
type turns struct {
	next http.RoundTripper
	gate *gate
}

func newTurns(next http.RoundTripper, budget dialer.Budget) *turns {
	slow := budget.Hedge
	if slow <= 0 { // no hedging: then what a hedge would have waited
		slow = dialer.Budget{Answer: budget.Answer}.WithDefaults().Hedge
	}
	return &turns{next: next, gate: newGate(slow)}
}

// RoundTrip implements http.RoundTripper.
func (t *turns) RoundTrip(request *http.Request) (*http.Response, error) {
	if dialer.IsStream(request) {
		return t.next.RoundTrip(request)
	}
	if p := t.gate.straight(); p != nil {
		defer p.end()
		return t.next.RoundTrip(request)
	}
	waited, leave, err := t.gate.enter(request.Context())
	if err != nil {
		if request.Body != nil {
			_ = request.Body.Close()
		}
		return nil, fmt.Errorf("%s %s: waited %v for its turn among the requests of other leases: %w", request.Method, request.URL.Host, waited, err)
	}
	defer leave()
	return t.next.RoundTrip(request)
}

// WrappedRoundTripper gives way to what is below.
func (t *turns) WrappedRoundTripper() http.RoundTripper { return t.next }

// CloseIdleConnections closes the connections that no request is using.
func (t *turns) CloseIdleConnections() { closeIdleConnections(t.next) }

package resourcelock

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/dialer"
)

// turns is a round tripper whose requests pass a gate. The wait for a turn is
// part of the time in which a call returns. Watches do not wait: each is a
// connection for as long as it lasts anyway.
type turns struct {
	next  http.RoundTripper
	gate  *gate
	bound time.Duration
}

func newTurns(next http.RoundTripper, budget dialer.Budget) *turns {
	slow := budget.Hedge
	if slow <= 0 { // no hedging: then what a hedge would have waited
		slow = dialer.Budget{Answer: budget.Answer}.WithDefaults().Hedge
	}
	return &turns{next: next, bound: budget.Answer, gate: newGate(slow)}
}

// RoundTrip implements http.RoundTripper.
func (t *turns) RoundTrip(request *http.Request) (*http.Response, error) {
	if strings.Contains(request.URL.RawQuery, "watch=") {
		return t.next.RoundTrip(request)
	}
	if p := t.gate.straight(); p != nil {
		defer p.end()
		return t.next.RoundTrip(request)
	}
	bounded, cancel := context.WithTimeout(request.Context(), t.bound)
	waited, leave, err := t.gate.enter(bounded)
	cancel()
	if err != nil {
		if request.Body != nil {
			_ = request.Body.Close()
		}
		return nil, fmt.Errorf("%s %s: waited %v for its turn among the requests of other leases: %w", request.Method, request.URL.Host, waited, err)
	}
	defer leave()
	if waited == 0 {
		return t.next.RoundTrip(request)
	}
	return t.roundTripWithin(t.bound-waited, request)
}

// roundTripWithin bounds the round trip, but not the reading of a body that is
// a stream.
func (t *turns) roundTripWithin(rest time.Duration, request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(request.Context())
	timer := time.AfterFunc(rest, func() { cancel(context.DeadlineExceeded) })
	response, err := t.next.RoundTrip(request.WithContext(ctx))
	timer.Stop()
	if err != nil {
		cancel(nil)
		return nil, err
	}
	response.Request = request
	response.Body = &endingBody{ReadCloser: response.Body, end: func() { cancel(nil) }}
	return response, nil
}

// WrappedRoundTripper gives way to what is below.
func (t *turns) WrappedRoundTripper() http.RoundTripper { return t.next }

// CloseIdleConnections closes the connections that no request is using.
func (t *turns) CloseIdleConnections() { closeIdleConnections(t.next) }

// endingBody frees the context of its request when it is closed.
type endingBody struct {
	io.ReadCloser
	once sync.Once
	end  func()
}

func (b *endingBody) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(b.end)
	return err
}

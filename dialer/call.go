package dialer

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"time"

	"k8s.io/klog/v2"
)

// atOnce is how many failed attempts of a round trip are made again at once.
// What fails more often than that is made again at the pace of the hedges.
const atOnce = 2

// call is one round trip: a request and the attempts made at it. It belongs to
// the goroutine that runs it; attempts report through results.
type call struct {
	transport *Transport
	base      http.RoundTripper
	budget    Budget // complete
	request   *http.Request
	once      bool // must not be sent twice
	results   chan outcome
	over      chan struct{} // closed when the call has ended: who comes now has lost

	attempts []*attempt
	underway int
	failed   int
	last     error // of the attempt that failed last
}

func (c *call) run(caller context.Context) (*http.Response, error) {
	start := time.Now()
	defer close(c.over)
	fail := func(err error) (*http.Response, error) {
		c.settle(nil)
		return nil, &Error{
			Op:      c.request.Method + " " + c.host(),
			Tries:   len(c.attempts),
			Elapsed: time.Since(start),
			Bound:   c.budget.Answer,
			Err:     err,
		}
	}
	if err := caller.Err(); err != nil {
		closeBody(c.request)
		return fail(ended(caller, nil))
	}
	bound := time.NewTimer(c.budget.Answer)
	defer bound.Stop()
	pace := time.NewTimer(c.budget.pace())
	defer pace.Stop()

	c.transport.meter().count(func(s *Stats) { s.Requests++ })
	c.transport.tokens.earn()
	c.launch(caller, false)
	for {
		select {
		case o := <-c.results:
			c.underway--
			if o.err == nil {
				return c.win(o, time.Since(start)), nil
			}
			o.attempt.cancel(endedFailed)
			if caller.Err() != nil {
				return fail(ended(caller, c.last))
			}
			c.failed++
			c.last = o.err
			switch {
			case !c.exhausted() && c.failed <= atOnce:
				c.launch(caller, false)
				pace.Reset(c.budget.pace())
			case c.underway == 0 && (c.exhausted() || hopeless(o.err)):
				return fail(o.err)
			}
		case <-pace.C:
			if hedge := c.underway > 0; !c.exhausted() && (!hedge || c.mayHedge()) {
				c.launch(caller, hedge)
			}
			pace.Reset(c.budget.pace())
		case <-bound.C:
			return fail(ended(caller, c.last))
		case <-caller.Done():
			return fail(ended(caller, c.last))
		}
	}
}

// host names the server for errors and the log. The path is left to net/http
// and client-go, whose errors wrap ours and state it.
func (c *call) host() string {
	if c.request.URL == nil {
		return "(no URL)"
	}
	return c.request.URL.Host
}

// exhausted reports whether no further attempt may be made.
func (c *call) exhausted() bool {
	return c.once || len(c.attempts) >= c.budget.attempts()
}

// mayHedge reports whether the budget allows a hedge, and takes its token.
func (c *call) mayHedge() bool {
	return c.budget.Hedge > 0 && c.transport.tokens.spend()
}

// launch starts an attempt. Every attempt but the first is to have a new
// connection. An idle one must not be taken for it, for it may be as dead as
// the one that the attempt before is waiting on; one that becomes idle from now
// on has just carried an answer, and is as good as new.
func (c *call) launch(caller context.Context, hedge bool) {
	a := &attempt{number: len(c.attempts), hedge: hedge}
	c.attempts = append(c.attempts, a)
	c.underway++
	ctx := a.begin(caller, c.transport.meter())
	c.count(a)
	if a.number > 0 || c.budget.Mode == Fresh || wantsFresh(caller) {
		c.transport.freshen(c.budget)
	}
	request, err := a.replay(ctx, c.request)
	if err == nil && c.budget.Mode == Fresh {
		request.Close = true
		a.use.final.Store(true)
	}
	go func() {
		o := outcome{attempt: a, err: err}
		if err == nil {
			o = a.run(c.base, request)
		}
		select {
		case c.results <- o:
		case <-c.over:
			o.discard()
		}
	}()
}

// win returns the first answer and cancels the attempts that have lost.
func (c *call) win(o outcome, elapsed time.Duration) *http.Response {
	c.settle(o.attempt)
	if o.attempt.hedge {
		c.transport.meter().count(func(s *Stats) { s.HedgesWon++ })
	}
	o.attempt.use.answered(len(c.attempts), elapsed)
	if len(c.attempts) > 1 {
		klog.FromContext(c.request.Context()).V(2).Info("Request needed more than one attempt",
			"method", c.request.Method, "host", c.host(), "attempts", len(c.attempts),
			"answered", o.attempt.number+1, "failed", c.failed, "elapsed", elapsed)
	}
	// Nothing that failed is used again.
	after := func() {}
	if gatewayFailed(o.response.StatusCode) {
		after = c.transport.CloseIdleConnections
	}
	response := o.response
	response.Request = c.request
	if streams(c.request, response) {
		s := &stream{ReadCloser: response.Body, cancel: func() { o.attempt.cancel(endedWell) }, closed: after}
		response.Body = s.live()
		return response
	}
	o.attempt.cancel(endedWell)
	after()
	return response
}

// count counts an attempt that is not the first.
func (c *call) count(a *attempt) {
	if a.number == 0 {
		return
	}
	meter := c.transport.meter()
	if !a.hedge {
		meter.count(func(s *Stats) { s.Retries++ })
		return
	}
	meter.count(func(s *Stats) { s.Hedges++ })
	if hook := meter.Trace.Hedged; hook != nil {
		hook(c.request.Method, c.host(), a.number+1, a.start.Sub(c.attempts[0].start))
	}
}

// settle cancels every attempt but the winner and gives tokens back.
func (c *call) settle(winner *attempt) {
	h := hedging{delay: c.budget.Hedge, answered: winner != nil}
	why := endedGivenUp
	if winner != nil {
		why = endedOutrun
		h.byFirst = winner.number == 0
		h.took = time.Since(winner.use.since(winner.start))
	}
	for _, a := range c.attempts {
		if a != winner {
			a.cancel(why)
		}
		switch {
		case a.number == 0:
			reused, known := a.use.reused()
			h.fresh = known && !reused
		case a.hedge && a.weighed():
			h.weighed++
		case a.hedge:
			h.empty++
		}
	}
	c.transport.tokens.refund(h.refund())
}

// hopeless reports whether an attempt failed for a reason that the next one
// will most likely meet as well: a certificate that does not verify, or a peer
// that refuses ours.
func hopeless(err error) bool {
	var (
		certificate *tls.CertificateVerificationError
		alert       tls.AlertError
	)
	return errors.As(err, &certificate) || errors.As(err, &alert)
}

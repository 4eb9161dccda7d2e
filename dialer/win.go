package dialer

import (
	"context"
	"net/http"
	"time"

	"k8s.io/klog/v2"
)

// win returns the first answer and cancels the attempts that have lost.
func (c *call) win(o outcome) *http.Response {
	if c.refusal != nil && c.refusal.attempt != o.attempt {
		c.refusal.discard()
	}
	served := !refused(o.response.StatusCode)
	c.settle(o.attempt, served)
	if o.attempt.hedge {
		c.transport.meter().count(func(s *Stats) { s.HedgesWon++ })
	}
	c.transport.order.answered()
	if served && !c.stream {
		c.transport.learned.answered(time.Since(o.attempt.trace.since(o.attempt.start)), c.budget.pace())
	}
	elapsed := time.Since(c.first.start)
	o.attempt.trace.answered(len(c.attempts), elapsed, o.response)
	if len(c.attempts) > 1 {
		klog.FromContext(c.request.Context()).V(2).Info("Request needed more than one attempt",
			"method", c.request.Method, "host", c.host(), "attempts", len(c.attempts),
			"answered", o.attempt.number+1, "failed", c.failed, "elapsed", elapsed)
	}
	// Nothing that failed is used again, and who redirects is not asked again: a
	// balancer that leads back to itself would be for as long as the connection lasts.
	after := func() {}
	if gatewayFailed(o.response.StatusCode) || redirects(o.response) {
		after = func() { promptly(c.transport.CloseIdleConnections) }
	}
	response := o.response
	response.Request = c.sent(o)
	if redirects(response) { // what follows is part of the call
		response.Request = response.Request.WithContext(context.WithValue(c.request.Context(), spanKey{}, c.span))
	} else {
		c.span.over.Store(true)
	}
	if o.stream {
		s := &stream{ReadCloser: response.Body, cancel: func() { o.attempt.cancel(endedWell) }, closed: after}
		response.Body = s.live()
		return response
	}
	o.attempt.cancel(endedWell)
	after()
	return response
}

// sent returns the request that an answer is to: the caller's, or what a round tripper of
// the user's below has made of it. Some only ask for that and send it themselves
// (MirrorRequest of k8s.io/apimachinery/pkg/util/proxy).
func (c *call) sent(o outcome) *http.Request {
	made := o.response.Request
	if made == nil || made == o.attempt.request {
		return c.request
	}
	made = made.WithContext(c.request.Context()) // that of the attempt ends with it
	if made.Response == nil {
		made.Response = c.request.Response
	}
	return made
}

// settle cancels every attempt but the winner and gives tokens back. A winner
// that was served shows a server that is well.
func (c *call) settle(winner *attempt, served bool) {
	c.over = true
	h := hedging{delay: c.budget.Hedge, answered: served}
	why := endedGivenUp
	if winner != nil {
		why = endedOutrun
		h.byFirst = winner.number == 0
		h.took = time.Since(winner.trace.since(winner.start))
		h.whole = time.Since(winner.start)
	}
	for _, a := range c.attempts {
		if a != winner {
			a.cancel(why)
			a.leave(&c.transport.deaf)
		}
		switch {
		case a.number == 0:
			reused, known := a.trace.reused()
			h.fresh = known && !reused
		case !a.paid:
		case !a.trace.waits.Load() && c.transport.traces.Load():
			h.unconnected++ // it was launched just now, and has not asked for a connection yet
		case a.reachedServer():
			h.reachedServer++
		case a.inHandshake():
			h.inHandshake++
		default:
			h.unconnected++
		}
	}
	c.transport.tokens.refund(h.refund())
}

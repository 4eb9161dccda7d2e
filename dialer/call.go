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

	attempts []*attempt
	// first and room are where the first attempt stands and the first few are
	// listed, so that an ordinary call allocates neither.
	first    attempt
	room     [2]*attempt
	underway int
	failed   int
	last     error // of the attempt that failed last
	missed   int   // attempts that were sent since a handshake had missed its bound
	refusals int
	refusal  *outcome // the last answer that was a refusal, while another server is asked
}

func (c *call) run(caller context.Context) (*http.Response, error) {
	start := time.Now()
	fail := func(err error) (*http.Response, error) {
		if c.refusal != nil && caller.Err() == nil {
			return c.win(*c.refusal, time.Since(start)), nil
		}
		c.settle(nil, false)
		if c.refusal != nil {
			c.refusal.discard()
		}
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
	// One timer for both, the pace of the attempts and the end of the call.
	wake := time.NewTimer(c.untilNext(start))
	defer wake.Stop()

	c.transport.meter().count(func(s *Stats) { s.Requests++ })
	c.transport.tokens.earn()
	c.launch(caller, false)
	for {
		select {
		case o := <-c.results:
			c.underway--
			if o.err == nil && c.elsewhere(o) {
				c.launch(caller, true)
				wake.Reset(c.untilNext(start))
				continue
			}
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
				wake.Reset(c.untilNext(start))
			case c.underway == 0 && (c.exhausted() || hopeless(o.err)):
				return fail(o.err)
			}
		case <-wake.C:
			if time.Since(start) >= c.budget.Answer {
				return fail(ended(caller, c.last))
			}
			switch hedge := c.underway > 0; {
			case c.exhausted():
			case !hedge || c.mayHedge():
				c.launch(caller, hedge)
			case c.overdue():
				c.missed++
				c.launch(caller, false)
			}
			wake.Reset(c.untilNext(start))
		case <-caller.Done():
			return fail(ended(caller, c.last))
		}
	}
}

// untilNext returns how long to wait for an answer until there is something to
// do: another attempt, or to give up.
func (c *call) untilNext(start time.Time) time.Duration {
	return min(c.budget.pace(), c.budget.Answer-time.Since(start))
}

// host names the server for errors and the log. The path is left to net/http
// and client-go, whose errors wrap ours and state it.
func (c *call) host() string {
	if c.request.URL == nil {
		return "(no URL)"
	}
	return c.request.URL.Host
}

// elsewhere reports whether another server is to be asked, on a new connection,
// since this answer is a refusal: the server has too much to do, or a load
// balancer has no server. It takes the token of a hedge for it, so that servers
// which are all busy are soon left alone; then the refusal is the answer.
func (c *call) elsewhere(o outcome) bool {
	if !refused(o.response.StatusCode) || c.refusals >= atOnce || c.exhausted() || !c.mayHedge() {
		return false
	}
	c.refusals++
	if c.refusal != nil {
		c.refusal.discard()
	}
	kept := o // a copy, so that o itself, which is rarely kept, is not allocated
	c.refusal = &kept
	return true
}

// exhausted reports whether no further attempt may be made.
func (c *call) exhausted() bool {
	return c.once || len(c.attempts) >= c.budget.attempts()
}

// mayHedge reports whether the budget allows a hedge, and takes its token.
func (c *call) mayHedge() bool {
	return c.budget.Hedge > 0 && c.transport.tokens.spend()
}

// overdue reports whether the newest attempt has been in its TLS handshake for
// longer than Connect, twice as long each time it was so before. Then there is
// another attempt whatever the hedging budget says, for the peer may be dead;
// and it is not taken for dead, for it may have too much to do.
func (c *call) overdue() bool {
	newest := c.attempts[len(c.attempts)-1]
	return newest.shaking() && time.Since(newest.start) >= c.budget.Connect<<min(c.missed, attemptsCap)
}

// launch starts an attempt. Every attempt but the first is to have a new
// connection. An idle one must not be taken for it, for it may be as dead as
// the one that the attempt before is waiting on; one that becomes idle from now
// on has just carried an answer, and is as good as new.
func (c *call) launch(caller context.Context, hedge bool) {
	a := &c.first
	if len(c.attempts) == 0 {
		c.attempts = c.room[:0]
	} else {
		a = &attempt{number: len(c.attempts), hedge: hedge}
	}
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
		case <-ctx.Done(): // the call has ended or is about to: who comes now has lost
			o.discard()
		}
	}()
}

// win returns the first answer and cancels the attempts that have lost.
func (c *call) win(o outcome, elapsed time.Duration) *http.Response {
	if c.refusal != nil && c.refusal.attempt != o.attempt {
		c.refusal.discard()
	}
	c.settle(o.attempt, !refused(o.response.StatusCode))
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

// settle cancels every attempt but the winner and gives tokens back. A winner
// that was served shows a server that is well.
func (c *call) settle(winner *attempt, served bool) {
	h := hedging{delay: c.budget.Hedge, answered: served}
	why := endedGivenUp
	if winner != nil {
		why = endedOutrun
		h.byFirst = winner.number == 0
		h.took = time.Since(winner.use.since(winner.start))
		h.whole = time.Since(winner.start)
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
		case a.hedge && a.shaking():
			h.shaking++
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

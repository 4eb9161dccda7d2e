package dialer

import (
	"context"
	"net/http"
)

// beside says why there is another attempt.
type beside struct {
	hedge bool // beside one that is unanswered, or after a refusal
	paid  bool // a token was taken for it
}

// launch starts an attempt. Every attempt but the first is to have a new
// connection. An idle one must not be taken for it, for it may be as dead as
// the one that the attempt before is waiting on; one that becomes idle from now
// on has just carried an answer, and is as good as new.
func (c *call) launch(caller context.Context, why beside) {
	a := &c.first
	if len(c.attempts) == 0 {
		c.attempts = c.room[:0]
	} else {
		a = &attempt{number: len(c.attempts), hedge: why.hedge, paid: why.paid}
	}
	c.attempts = append(c.attempts, a)
	c.underway++
	ctx := a.begin(caller, c)
	c.looked = a.start
	c.count(a)
	if a.number > 0 || c.budget.Mode == NewConnections && !c.transport.tuned() || wantsFresh(caller) {
		c.transport.closeIdleOnce(c.budget)
	}
	go func() {
		o, done := outcome{attempt: a}, false
		defer func() {
			a.back(&c.transport.deaf)
			if !done {
				o = outcome{attempt: a, crash: caught(recover())}
			}
			select {
			case c.results <- o:
			case <-ctx.Done(): // the call has ended or is about to: who comes now has lost
				o.discard()
			}
		}()
		request, err := c.prepare(ctx, a)
		if err != nil {
			o, done = outcome{attempt: a, err: err}, true
			return
		}
		o, done = a.run(c.base, request, c.stream, c.budget.MaxBody), true
	}()
}

// prepare returns the request of an attempt. It calls the user's GetBody.
func (c *call) prepare(ctx context.Context, a *attempt) (*http.Request, error) {
	request, err := a.replay(ctx, c.request)
	if err != nil {
		return nil, err
	}
	if c.budget.Mode == NewConnections && !switches(request) { // one that switches is never kept
		request.Close = true
		a.trace.final.Store(true)
	}
	if c.transport.announce && !c.stream {
		announce(request, c.left())
	}
	return request, nil
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

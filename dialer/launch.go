package dialer

import "context"

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
	a.copy(ctx, c.request)
	c.looked = a.start
	c.count(a)
	if a.number > 0 || c.budget.Mode == NewConnections && !c.transport.tuned() || wantsFresh(caller) {
		c.transport.closeIdleOnce(c.budget)
	}
	a.state.Store(isRunning)
	a.place = c.transport.order.sent()
	go func() {
		o, done := outcome{attempt: a}, false
		defer func() {
			a.back(&c.transport.deaf)
			c.transport.order.back()
			if !done {
				o = outcome{attempt: a, crash: caught(recover())}
			}
			select {
			case c.results <- o:
			case <-ctx.Done(): // the call has ended or is about to: who comes now has lost
				o.discard()
			}
		}()
		if err := c.prepare(a); err != nil {
			o, done = outcome{attempt: a, err: err}, true
			return
		}
		o, done = a.run(c.base, c.stream, c.budget.MaxBody), true
	}()
}

// prepare makes the request of an attempt ready to be sent. It calls the user's GetBody.
func (c *call) prepare(a *attempt) error {
	if err := a.fill(); err != nil {
		return err
	}
	if c.budget.Mode == NewConnections && !switches(a.request) { // one that switches is never kept
		a.request.Close = true
		a.trace.final.Store(true)
	}
	if c.transport.announce && !c.stream {
		announce(a.request, c.left())
	}
	return nil
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

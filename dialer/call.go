package dialer

import (
	"context"
	"errors"
	"fmt"
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
	transport  *Transport
	base       http.RoundTripper
	budget     Budget // complete
	request    *http.Request
	stream     bool // its answer is a stream, and only the opening of it is bounded
	replayable bool // its body, if any, can be sent again
	repeatable bool // the request may be sent more than once, and can be
	span       span
	bound      time.Duration
	results    chan outcome

	attempts []*attempt
	// first and room are where the first attempt stands and the first few are
	// listed, so that an ordinary call allocates neither.
	first    attempt
	room     [2]*attempt
	underway int
	failed   int
	stubborn int   // failures that no attempt on the same server can change
	verdict  error // what the call fails with unless an attempt that is under way is answered by
	until    time.Time
	latest   *attempt // the attempt that failed last, and
	last     error    // what it failed with
	next     beside   // how the next attempt goes out, once none is underway
	missed   int      // attempts that were sent since a handshake had missed its bound
	refusals int
	refusal  *outcome // the last answer that was a refusal, while another server is asked
	over     bool

	wake   *time.Timer // the pace of the attempts and the end of the call, one timer for both
	due    time.Time   // when it fires
	looked time.Time   // when an attempt was last started, or last thought of
	moved  int64       // of the attempts' bodies, when that was
}

func (t *Transport) newCall(request *http.Request, budget Budget) *call {
	stream := IsStream
	if t.Stream != nil {
		stream = t.Stream
	}
	hedgeable := idempotent
	if t.Hedgeable != nil {
		hedgeable = t.Hedgeable
	}
	c := &call{
		transport:  t,
		base:       t.WrappedRoundTripper(),
		budget:     budget,
		request:    request,
		stream:     stream(request),
		replayable: replayable(request),
		results:    make(chan outcome),
	}
	c.repeatable = c.replayable && hedgeable(request)
	c.bound = budget.call(c.stream, hasBody(request))
	if s, follows := spanOf(request); follows {
		c.span, c.bound = s, s.end.Sub(s.start)
	} else {
		now := time.Now()
		c.span = span{start: now, end: now.Add(c.bound)}
	}
	return c
}

func (c *call) run(caller context.Context) (*http.Response, error) {
	if caller.Err() != nil || c.left() <= 0 {
		closeBody(c.request)
		return c.fail(caller, ended(caller, nil))
	}
	if c.transport.deaf.Load() >= mostDeaf {
		closeBody(c.request)
		return c.fail(caller, errDeaf)
	}
	defer c.abandon()
	c.wake = time.NewTimer(c.left())
	defer c.wake.Stop()
	c.transport.meter().count(func(s *Stats) { s.Requests++ })
	c.transport.tokens.earn()
	c.launch(caller, beside{})
	for {
		c.arm()
		var o *outcome
		select {
		case result := <-c.results:
			o = &result
		case <-c.wake.C:
			select { // an answer that is there already is taken, however late we are
			case result := <-c.results:
				o = &result
			default:
			}
		case <-caller.Done():
			return c.fail(caller, c.ranOut(caller))
		}
		var answer *outcome
		var err error
		if o != nil {
			answer, err = c.take(caller, *o)
		} else {
			err = c.look(caller)
		}
		switch {
		case answer != nil:
			return c.win(*answer), nil
		case err != nil:
			return c.fail(caller, err)
		}
	}
}

// take takes how an attempt has ended. It returns the answer if it is one, an
// error if the call has failed, and neither if the call goes on.
func (c *call) take(caller context.Context, o outcome) (*outcome, error) {
	c.underway--
	if o.crash != nil {
		c.settle(nil, false)
		o.crash.raise(caller)
	}
	if o.err == nil {
		if !c.elsewhere(o) {
			return &o, nil
		}
		c.launch(caller, beside{paid: true, hedge: true})
		return nil, nil
	}
	o.attempt.cancel(endedFailed)
	if caller.Err() != nil {
		return nil, ended(caller, c.last)
	}
	c.failed++
	c.latest, c.last = o.attempt, o.err
	switch o.attempt.failure(o.err).judge() {
	case permanent:
		return nil, c.conclude(o.err)
	case stubborn:
		if c.stubborn++; c.stubborn > atOnce {
			return nil, c.conclude(o.err)
		}
	}
	switch {
	case c.verdict != nil && c.underway == 0:
		return nil, c.verdict
	case c.verdict != nil:
		return nil, nil
	}
	if c.failed > atOnce && c.underway > 0 {
		return nil, nil
	}
	paid, may := c.mayRetry()
	switch {
	case may && c.failed <= atOnce:
		c.launch(caller, beside{paid: paid})
	case may:
		c.next = beside{paid: paid}
	case c.underway == 0:
		return nil, o.err
	}
	return nil, nil
}

// conclude takes an error that no further attempt can change for that of the call,
// and returns it if nothing is under way. What is under way was sent before, and may
// not be refused what another attempt was: a hedge by a round tripper that lets one
// request through at a time, or by the one bad server of three. It is given as long
// as a connection is.
func (c *call) conclude(err error) error {
	if c.verdict == nil {
		c.verdict, c.until = err, time.Now().Add(c.budget.Connect)
	}
	if c.underway == 0 || errors.Is(err, ErrTooLarge) {
		return c.verdict
	}
	return nil
}

// look sees at the pace of the attempts whether there is to be another. It
// returns an error if the call has failed.
func (c *call) look(caller context.Context) error {
	now := time.Now()
	process.fired(c.due, now)
	if c.left() <= 0 {
		return c.ranOut(caller)
	}
	if c.verdict != nil {
		if now.Before(c.until) {
			return nil
		}
		return c.verdict
	}
	if now.Before(c.looked.Add(c.pace())) {
		return nil // we are late, and wait longer
	}
	c.looked = now
	moved := c.moved
	c.moved = 0
	for _, a := range c.attempts {
		c.moved += a.moved.Load()
	}
	switch {
	case c.underway == 0:
		c.launch(caller, c.next)
	case !c.another() || !c.repeatable || c.moved-moved >= noticed:
	case c.mayHedge():
		c.launch(caller, beside{paid: true, hedge: true})
	case c.overdue(now):
		c.missed++
		c.transport.tokens.charge()
		c.launch(caller, beside{paid: true})
	}
	return nil
}

// ranOut says that the call's bound has passed, or its caller's, and what came of it.
func (c *call) ranOut(caller context.Context) error {
	err := ended(caller, c.last)
	for _, a := range c.attempts {
		if status := a.status.Load(); status != 0 {
			return fmt.Errorf("%w; an answer (%d) had begun, its body had not ended", err, status)
		}
	}
	return err
}

// arm sets the timer to the moment at which there is something to do if nothing
// comes: another attempt, or to give up.
func (c *call) arm() {
	now := time.Now()
	c.due = c.looked.Add(c.pace())
	if c.verdict != nil {
		c.due = c.until
	}
	if c.due.After(c.span.end) {
		c.due = c.span.end
	}
	c.wake.Reset(c.due.Sub(now))
}

// pace is the time from one attempt to the next that nothing else justifies.
func (c *call) pace() time.Duration {
	if c.underway == 0 {
		return c.budget.pace()
	}
	return c.transport.learned.delay(c.budget.pace(), c.bound/2, process.now(time.Now()))
}

// left is how much of the bound is left.
func (c *call) left() time.Duration { return time.Until(c.span.end) }

// fail ends the call without an answer, unless there was a refusal at least.
func (c *call) fail(caller context.Context, err error) (*http.Response, error) {
	if c.refusal != nil && caller.Err() == nil {
		return c.win(*c.refusal), nil
	}
	c.settle(nil, false)
	if c.refusal != nil {
		err = fmt.Errorf("%w; another server was asked after an answer of %d (%s)", err, c.refusal.response.StatusCode, http.StatusText(c.refusal.response.StatusCode))
		c.refusal.discard()
	}
	return nil, &Error{
		Op:      c.request.Method + " " + c.host(),
		Tries:   len(c.attempts),
		Elapsed: time.Since(c.span.start),
		Bound:   c.bound,
		Err:     err,
	}
}

// abandon cancels what a panic would leave behind.
func (c *call) abandon() {
	if !c.over {
		c.settle(nil, false)
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

// elsewhere reports whether another server is to be asked, on a new connection,
// since this answer is a refusal: the server has too much to do, or a load
// balancer has no server. It takes the token of a hedge for it, so that servers
// which are all busy are soon left alone; then the refusal is the answer.
func (c *call) elsewhere(o outcome) bool {
	if !refused(o.response.StatusCode) || c.refusals >= atOnce || !c.repeatable || !c.another() || c.verdict != nil || !c.mayHedge() {
		return false
	}
	c.refusals++
	o.attempt.use.drop() // else the next attempt may get it, and meet the same server
	if c.refusal != nil {
		c.refusal.discard()
	}
	kept := o // a copy, so that o itself, which is rarely kept, is not allocated
	c.refusal = &kept
	return true
}

// another reports whether the number of attempts allows another one.
func (c *call) another() bool { return len(c.attempts) < c.budget.attempts() }

// mayHedge reports whether the budget allows a hedge, and takes its token.
func (c *call) mayHedge() bool {
	return c.budget.Hedge > 0 && c.transport.tokens.spend()
}

// mayRetry reports whether there may be another attempt after one that failed,
// and takes the token for it if the one that failed was work for a server.
// A request that must not be sent twice may go out again if it has not gone out.
func (c *call) mayRetry() (paid, may bool) {
	switch {
	case !c.another() || !c.replayable:
		return false, false
	case c.latest.reached():
		may = c.repeatable && c.transport.tokens.spend()
		return may, may
	}
	return false, c.repeatable || c.latest.unsent()
}

// overdue reports whether the newest attempt has been in its TLS handshake for
// longer than Connect, twice as long each time it was so before. Then there is
// another attempt whatever the hedging budget says, for the peer may be dead;
// and it is not taken for dead, for it may have too much to do.
func (c *call) overdue(now time.Time) bool {
	newest := c.attempts[len(c.attempts)-1]
	return newest.shaking() && now.Sub(newest.start) >= max(c.budget.Connect, c.pace())<<min(c.missed, attemptsCap)
}

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
	ctx := a.begin(caller, c.transport.meter(), &c.transport.making)
	c.looked = a.start
	c.count(a)
	if a.number > 0 || c.budget.Mode == NewConnections || wantsFresh(caller) {
		c.transport.freshen(c.budget)
	}
	request, err := a.replay(ctx, c.request)
	if err == nil && c.budget.Mode == NewConnections && !switches(request) { // one that switches is never kept
		request.Close = true
		a.use.final.Store(true)
	}
	if err == nil && c.transport.announce && !c.stream {
		announce(request, c.left())
	}
	go func() {
		o, done := outcome{attempt: a, err: err}, err != nil
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
		if err == nil {
			o, done = a.run(c.base, request, c.stream, c.budget.MaxBody), true
		}
	}()
}

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
	if served && !c.stream {
		c.transport.learned.answered(time.Since(o.attempt.use.since(o.attempt.start)), c.budget.pace())
	}
	elapsed := time.Since(c.first.start)
	o.attempt.use.answered(len(c.attempts), elapsed)
	if len(c.attempts) > 1 {
		klog.FromContext(c.request.Context()).V(2).Info("Request needed more than one attempt",
			"method", c.request.Method, "host", c.host(), "attempts", len(c.attempts),
			"answered", o.attempt.number+1, "failed", c.failed, "elapsed", elapsed)
	}
	// Nothing that failed is used again, and who redirects is not asked again: a
	// balancer that leads back to itself would be for as long as the connection lasts.
	after := func() {}
	if gatewayFailed(o.response.StatusCode) || redirects(o.response) {
		after = c.transport.CloseIdleConnections
	}
	response := o.response
	response.Request = c.request
	if redirects(response) { // what follows is part of the call
		response.Request = c.request.WithContext(context.WithValue(c.request.Context(), spanKey{}, c.span))
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
	c.over = true
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
			a.leave(&c.transport.deaf)
		}
		switch {
		case a.number == 0:
			reused, known := a.use.reused()
			h.fresh = known && !reused
		case !a.paid:
		case a.weighed():
			h.weighed++
		case a.shaking():
			h.shaking++
		default:
			h.empty++
		}
	}
	c.transport.tokens.refund(h.refund())
}

package dialer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
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
	span       *span
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
	latest   *attempt     // the attempt that failed last, and
	last     error        // what it failed with
	repeats  atomic.Int32 // see rest
	company  atomic.Int32 // see requestTrace.company
	next     beside       // how the next attempt goes out, once none is underway
	missed   int          // attempts that were sent since a handshake had missed its bound
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
	if s := spanOf(request); s != nil {
		c.span, c.bound = s, s.end.Sub(s.start)
	} else {
		now := time.Now()
		c.span = &span{start: now, end: now.Add(c.bound)}
	}
	return c
}

// errCancelled is what a call fails with whose Request.Cancel was closed.
var errCancelled = fmt.Errorf("Request.Cancel is closed: %w", context.Canceled)

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
	c.transport.tokens.earn(c.transport.slow(c.budget))
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
		case <-c.request.Cancel: //nolint:staticcheck // deprecated, and heeded by net/http
			return c.fail(caller, errCancelled)
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
	o.attempt.trace.failed()
	if caller.Err() != nil {
		return nil, ended(caller, c.last)
	}
	select {
	case <-c.request.Cancel: //nolint:staticcheck // what net/http says of it is no failure of the network
		return nil, errCancelled
	default:
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
		c.moved += a.progress()
	}
	switch {
	case c.underway == 0:
		c.launch(caller, c.next)
	case !c.another() || !c.repeatable || c.queues() || c.approaches(now) || c.moved-moved >= noticed:
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
	if c.underway == 0 {
		return err
	}
	furthest := slices.MaxFunc(c.attempts, func(a, b *attempt) int { return cmp.Compare(a.trace.stage(), b.trace.stage()) })
	if words := furthest.trace.stage().words(); words != "" {
		return fmt.Errorf("%w; %s", err, words)
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
	if c.due.Before(now) { // by what has come meanwhile, and not because we are late
		c.due = now
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
	c.span.over.Store(true)
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

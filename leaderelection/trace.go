package leaderelection

import (
	"context"
	"errors"
	"time"
)

// Trace holds functions that are told what an elector does, as it does it, for
// metrics and tests. Each may be nil. But for Made they are called one at a time,
// in a goroutine of their own. The elector waits for each, at most 100 ms, and then
// goes on: one that blocks delays the election by that at most, and while it does
// so, the newest 16 calls wait for it. A function may call any method of the
// elector, Resign too.
type Trace struct {
	// Made is called with the elector when NewLeaderElector, or RunOrDie, has made
	// it.
	Made func(elector *LeaderElector)
	// TermBegan is called when a term begins, before its work.
	TermBegan func(term *Term, how Succession)
	// TermEnded is called when a term has ended, after its work's context.
	TermEnded func(term *Term, ended *TermEndedError)
	// Renewal is called when an attempt to renew has come to its end; took is the
	// time since its first write was sent.
	Renewal func(result RenewalResult, took time.Duration)
	// WatchEnded is called when a watch of the Lease has ended that was to go on,
	// or could not begin; another is tried after a pause. err is nil where the
	// server ended it, as it does now and then, or where it had fallen silent.
	WatchEnded func(err error)
}

// Succession says how a term came about: what became of the lease before it.
type Succession string

const (
	// SuccessionTakeover: the last holder's lease had run out.
	SuccessionTakeover Succession = "takeover"
	// SuccessionHandover: the last holder had released the lease.
	SuccessionHandover Succession = "handover"
	// SuccessionNewLease: there was no Lease.
	SuccessionNewLease Succession = "new lease"
	// SuccessionOwnClaim: a write of this elector's own, whose answer was lost, turned out
	// to have succeeded.
	SuccessionOwnClaim Succession = "own claim"
	// SuccessionProof: a witness has proven that the last holder's process was dead, before
	// its lease had run out (package witness).
	SuccessionProof Succession = "proof"
)

// RenewalResult says what an attempt to renew came to.
type RenewalResult string

const (
	// RenewalConfirmed: a write was answered with success.
	RenewalConfirmed RenewalResult = "confirmed"
	// RenewalSettled: the answer was lost, and reading the record showed success.
	RenewalSettled RenewalResult = "settled"
	// RenewalLost: the record shows that the lease is no longer ours.
	RenewalLost RenewalResult = "lost"
	// RenewalGivenUp: the term ended first.
	RenewalGivenUp RenewalResult = "given up"
)

func (t *Trace) made(elector *LeaderElector) {
	if t != nil && t.Made != nil {
		t.Made(elector)
	}
}

// tracer calls the functions of a Trace.
type tracer struct {
	Trace
	calls callQueue
}

func newTracer(trace *Trace) *tracer {
	t := new(tracer)
	if trace != nil {
		t.Trace = *trace
	}
	return t
}

// tracePatience is how long a function of a Trace is waited for.
const tracePatience = 100 * time.Millisecond

func (t *tracer) call(f func()) {
	t.calls.add(f)
	t.calls.flush(tracePatience)
}

func (t *tracer) termBegan(term *Term, how Succession) {
	if t.TermBegan != nil {
		t.call(func() { t.TermBegan(term, how) })
	}
}

func (t *tracer) termEnded(term *Term, ended *TermEndedError) {
	if t.TermEnded != nil {
		t.call(func() { t.TermEnded(term, ended) })
	}
}

func (t *tracer) renewal(result RenewalResult, took time.Duration) {
	if t.Renewal != nil {
		t.call(func() { t.Renewal(result, took) })
	}
}

func (t *tracer) watchEnded(err error) {
	if t.WatchEnded == nil {
		return
	}
	if errors.Is(err, context.Canceled) {
		err = nil // by the lease watcher, which had found it silent
	}
	t.call(func() { t.WatchEnded(err) })
}

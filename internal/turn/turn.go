// Package turn is about the calls of many locks that take turns on one client: which of
// them goes first, and whether one has been sent.
package turn

import (
	"context"
	"sync/atomic"
	"time"
)

// Rank says which of the calls that wait goes first: those of the lowest rank.
type Rank int

// The ranks. Where a client has less to spare than its locks ask for, who leads goes on
// leading, and who looks on comes last.
const (
	Renews Rank = iota // also for whoever says nothing
	Claims
	Looks
	Ranks // how many there are
)

// Turn is that of one call. Its zero value is ready for use; it is safe for concurrent
// use while Rank is not changed. A nil one is of a call that says nothing.
type Turn struct {
	Rank Rank

	waits, missed, sent atomic.Bool
	delay               atomic.Int64 // see Delay
}

type key struct{}

// With returns the context of a call that has the turn.
func With(ctx context.Context, t *Turn) context.Context { return context.WithValue(ctx, key{}, t) }

// Of returns the turn that a context was given, nil if none.
func Of(ctx context.Context) *Turn {
	t, _ := ctx.Value(key{}).(*Turn)
	return t
}

// Ranked returns the rank of a turn.
func (t *Turn) Ranked() Rank {
	if t == nil {
		return Renews
	}
	return t.Rank
}

// Waits reports whether the call has not been sent because its turn has not come. A
// further call of the same client would wait behind it.
func (t *Turn) Waits() bool { return t.waits.Load() }

// Delay returns how long the call has waited for its turn before it was sent.
func (t *Turn) Delay() time.Duration { return time.Duration(t.delay.Load()) }

// Missed reports whether nothing of the call was sent: it has given up its wait, or waits
// yet although whoever made it no longer does.
func (t *Turn) Missed() bool { return (t.missed.Load() || t.waits.Load()) && !t.sent.Load() }

// Wait notes that a request of the call waits for its turn.
func (t *Turn) Wait() {
	if t != nil {
		t.waits.Store(true)
	}
}

// Miss notes that the wait is given up.
func (t *Turn) Miss() {
	if t != nil {
		t.missed.Store(true)
		t.waits.Store(false)
	}
}

// Send notes that a request of the call is sent, and how long it has waited.
func (t *Turn) Send(waited time.Duration) {
	if t != nil {
		t.delay.Add(int64(waited))
		t.sent.Store(true)
		t.waits.Store(false)
	}
}

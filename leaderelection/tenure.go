package leaderelection

import (
	"context"
	"sync"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// tenure is the newest term of an elector and the work that it guards. The elector owns
// it, its leader writes it, and it is safe for concurrent use.
type tenure struct {
	clock timepiece
	// lock is the one that the work runs under, as it was configured, and do the work,
	// OnStartedLeading.
	lock rl.Interface
	do   func(context.Context)

	mu   sync.Mutex
	term *Term
	work *work
}

// begin makes term the newest one.
func (t *tenure) begin(term *Term) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.term = term
}

// startWork starts the work of a term.
func (t *tenure) startWork(ctx context.Context, term *Term) *work {
	w := startWork(ctx, term, t.lock, t.do)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.work = w
	return w
}

// newest returns the term that lasts or lasted last, nil if there was none.
func (t *tenure) newest() *Term {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.term
}

// of returns the term of this elector that a context belongs to, or the newest one.
func (t *tenure) of(ctx context.Context) *Term {
	if term, ok := ctx.Value(termOfKey{t}).(*Term); ok {
		return term
	}
	return t.newest()
}

// lastWork returns the work that was started last, nil if there was none.
func (t *tenure) lastWork() *work {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.work
}

// working reports whether work has begun and not returned.
func (t *tenure) working() bool {
	w := t.lastWork()
	return w != nil && !w.returned()
}

// calledByWorkOf reports whether the caller is the work of term.
func (t *tenure) calledByWorkOf(ctx context.Context, term *Term) bool {
	if ctx.Value(termOfKey{t}) == term {
		return true
	}
	w := t.lastWork()
	if w == nil || w.term != term {
		return false
	}
	name := w.goroutine.Load()
	return name != nil && *name == goroutine()
}

// unfinished returns work that has not returned: this elector's or, where that has,
// another's with the same lock. It is nil where there is none.
func (t *tenure) unfinished() *work {
	w := t.lastWork()
	if w == nil || w.returned() {
		w = workUnder(t.lock)
	}
	if w == nil || w.returned() {
		return nil
	}
	return w
}

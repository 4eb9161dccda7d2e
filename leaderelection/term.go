package leaderelection

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Term is one leader's time in office. Its methods may be called from several
// goroutines at once, also after its end.
type Term struct {
	lock     string
	holder   string
	acquired time.Time
	token    string
	clock    timepiece
	// doubted is written when someone finds the term in doubt, so that the
	// elector renews at once.
	doubted chan struct{}
	// refused is written when a fence has refused a write of the work.
	refused chan error
	// resign is received from while the term lasts.
	resign chan resignation

	done chan struct{}

	mu sync.Mutex
	// sent is the moment that the term counts from, length what it lasts from then on
	// and holds for how long others wait.
	sent   instant
	length time.Duration
	holds  time.Duration
	ended  *TermEndedError
	// lapsed says that the work was told that the term is over by the clock: nothing
	// prolongs it any more.
	lapsed bool
	// doubtful is told when the term is found in doubt; it may be nil.
	doubtful func()
}

type termKey struct{}

// termOfKey is the key of the term of one elector: the work of an election may take
// part in another, whose term then hides its own.
type termOfKey struct{ of *tenure }

// TermFromContext returns the term that the context of OnStartedLeading, or one
// derived from it, belongs to: the innermost, where the work of an election takes
// part in another.
func TermFromContext(ctx context.Context) (*Term, bool) {
	term, ok := ctx.Value(termKey{}).(*Term)
	return term, ok
}

// Holder returns the identity that leads.
func (t *Term) Holder() string { return t.holder }

// AcquireTime returns the leader's wall clock at the write that began the term,
// as the record states it.
func (t *Term) AcquireTime() time.Time { return t.acquired }

// FencingToken returns the resourceVersion of the write that began the term. A
// later term on the same Lease has a greater one: since Kubernetes 1.35,
// resource versions are integers that can be compared (KEP-5504). It is empty
// for a lock that does not tell (one that is not resourcelock.Versioned).
func (t *Term) FencingToken() string { return t.token }

// End returns when the term ends unless it is renewed, on the elector's clock.
func (t *Term) End() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sent.mono.Add(t.length)
}

// Done returns a channel that is closed when the term has ended, which is after
// the work's context has.
func (t *Term) Done() <-chan struct{} { return t.done }

// Err returns nil while the holder leads, and otherwise an error that wraps
// ErrNotLeader: the *TermEndedError once it has ended, or one that says that the term
// is over by its clock or in doubt.
func (t *Term) Err() error {
	doubtful, err := t.state(t.clock.now())
	if doubtful {
		t.doubt()
	}
	return err
}

// state returns what Err does, and whether the term is in doubt.
func (t *Term) state(now instant) (doubtful bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.ended != nil:
		return false, t.ended
	case now.monoSince(t.sent) >= t.length:
		return false, fmt.Errorf("term on lease %s is over, %v after its last renewal: %w", t.lock, now.monoSince(t.sent), ErrNotLeader)
	case now.fastestSince(t.sent) >= t.length:
		return true, fmt.Errorf("term on lease %s is in doubt: the machine's clocks differ by %v: %w", t.lock, now.fastestSince(t.sent)-now.monoSince(t.sent), ErrNotLeader)
	}
	return false, nil
}

// doubt asks for a renewal at once. Whoever calls it must not hold the lock.
func (t *Term) doubt() {
	t.mu.Lock()
	doubtful := t.doubtful
	t.mu.Unlock()
	if doubtful != nil {
		doubtful()
	}
	select {
	case t.doubted <- struct{}{}:
	default:
	}
}

// inDoubt reports whether the term is over by any clock.
func (t *Term) inDoubt(now instant) bool { return t.fastRest(now) <= 0 }

// fastRest returns what is left of the term by the clock that ran fastest.
func (t *Term) fastRest(now instant) time.Duration {
	sent, length := t.counts()
	return length - now.fastestSince(sent)
}

// ending returns why the term has ended, nil if it lasts.
func (t *Term) ending() *TermEndedError {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ended
}

// extend moves the end of the term: a write sent at sent has succeeded, and is stored
// with the durations of timing.
func (t *Term) extend(sent instant, timing timing) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if sent.monoSince(t.sent) > 0 && !t.lapsed {
		t.sent, t.length, t.holds = sent, timing.term(), timing.lease
	}
}

// counts returns the moment that the term counts from, and what it lasts from then on.
func (t *Term) counts() (sent instant, length time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sent, t.length
}

// outlived returns how long ago others may have begun to lead, by the clock that ran
// fastest; it is negative as long as they may not.
func (t *Term) outlived(now instant) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return now.fastestSince(t.sent) - t.holds
}

// lastSent is the moment that the term counts from.
func (t *Term) lastSent() instant {
	sent, _ := t.counts()
	return sent
}

// rest returns what is left of the term.
func (t *Term) rest(now instant) time.Duration {
	sent, length := t.counts()
	return length - now.monoSince(sent)
}

// lapse makes the end of a term final that is over by a clock, monoSince or fastestSince
// of now, or returns what is left of it by that.
func (t *Term) lapse(since func(sent instant) time.Duration) (rest time.Duration, lapsed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rest = t.length - since(t.sent)
	t.lapsed = t.lapsed || rest <= 0
	return rest, t.lapsed
}

// setDoubtful says whom to tell when the term is found in doubt.
func (t *Term) setDoubtful(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.doubtful = f
}

// end makes ended why the term is over; the first reason stays.
func (t *Term) end(ended *TermEndedError) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended == nil {
		t.ended = ended
		close(t.done)
	}
}

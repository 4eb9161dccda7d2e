package leaderelection

import (
	"context"
	"sync"
	"time"

	"k8s.io/klog/v2"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// lookout keeps an observation of the lease up to date: by a watch where the
// lock has one and RBAC allows it, by reads where not, and by a read on a new
// connection when the watch has been silent for longer than renewals should be.
type lookout struct {
	lock   rl.Versioned
	timing timing
	clock  timepiece
	random func() float64
	trace  *tracer
	// allowance says when a call may be made.
	allowance *allowance
	// changed is called for every new record, in order. It must not block.
	changed func(rl.Snapshot)

	// news says that the observation is another than before.
	news chan struct{}

	mu          sync.Mutex
	observation observation
	// restart ends the watch that is under way; nil while there is none.
	restart context.CancelFunc
	// heard is when something was last learned: by the watch or by a read.
	heard instant
	// learned counts what was heard.
	learned int
	// told is the write that the watch has told of last, at toldAt, and beat how
	// long that was after the one before it, if that was the same holder's.
	told   rl.Snapshot
	toldAt instant
	beat   time.Duration
	// nextPoll is how long after heard to read, while there is no watch.
	nextPoll time.Duration
	// reads paces what could not be read, and claims what could not be claimed
	// though nobody was faster.
	reads, claims pacer
	// closed: nobody asks any more.
	closed bool
}

func (le *LeaderElector) newLookout(allowance *allowance, changed func(rl.Snapshot)) *lookout {
	return &lookout{
		lock: le.lock, timing: le.timing, clock: le.clock, random: le.random, trace: le.trace,
		allowance: allowance, changed: changed, news: make(chan struct{}, 1),
	}
}

// close makes the lookout deaf: what a watch or a read brings later is not told.
func (l *lookout) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

func (l *lookout) observed() observation {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.observation
}

// deliver takes in what the watch tells. It may lag behind what a read has
// shown; then it says nothing, not even that the watch lives.
func (l *lookout) deliver(state rl.Snapshot) {
	now := l.clock.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.observation
	next, changed := before.next(state, now, l.timing)
	if before.known && older(state, before.snapshot) {
		l.learned++ // it may be of after a backup was restored: a read that was answered before is not the present
		return
	}
	if !oneWrite(l.told, state) {
		l.beat = 0
		if l.told.Exists() && l.told.Record.HolderIdentity == state.Record.HolderIdentity {
			l.beat = now.steady(l.toldAt)
		}
		l.told, l.toldAt = state, now
	}
	l.learn(next, changed, now)
}

// find takes in what a read or a write has shown that was sent when so much had
// been learned. Unless more was learned since, that is the truth, also where it
// is older than what was known: the storage may have been restored from a
// backup.
func (l *lookout) find(state rl.Snapshot, learned int) (changed bool) {
	now := l.clock.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	var next observation
	if l.learned == learned {
		next, changed = l.observation.after(state, now, l.timing)
		changed = changed || older(state, l.observation.snapshot)
	} else {
		next, changed = l.observation.next(state, now, l.timing)
	}
	if next.still > 0 && !state.Exists() && now.steady(l.heard) > l.timing.blindness() {
		next = next.anew(now) // somebody may have come and gone unseen
	}
	l.learn(next, changed, now)
	return changed
}

// learn makes next what is observed; the mutex is held.
func (l *lookout) learn(next observation, changed bool, now instant) {
	if l.closed {
		return
	}
	l.heard = now
	l.learned++
	if !oneWrite(l.observation.snapshot, next.snapshot) {
		l.claims = pacer{} // the lease has moved on
	}
	l.observation = next
	if changed {
		l.changed(next.snapshot)
		select {
		case l.news <- struct{}{}:
		default:
		}
	}
}

// blind reports whether so long nothing was seen that it cannot be said that
// there was no Lease all the time. For a Lease that exists its version tells.
func (l *lookout) blind(now instant) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.observation.snapshot.Exists() && now.steady(l.heard) > l.timing.blindness()
}

// readDue returns how long to wait before the next read. It is not positive
// when one is due.
func (l *lookout) readDue(now instant) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.reads.failures > 0:
		return max(l.reads.due(now), l.allowance.due(now, l.timing))
	case !l.observation.known:
		return 0
	case l.restart != nil:
		return l.timing.heartbeat(l.beat, l.observation.lease) - now.steady(l.heard)
	default:
		return l.nextPoll - now.steady(l.heard)
	}
}

// readPause returns how long the last failure to read asks to wait.
func (l *lookout) readPause(now instant) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(l.reads.due(now), l.allowance.due(now, l.timing))
}

// unheard reports whether nothing was heard since at, though no read has failed.
func (l *lookout) unheard(at instant) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return at.steady(l.heard) >= 0 && l.reads.failures == 0
}

// lessons returns how much was learned so far.
func (l *lookout) lessons() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.learned
}

// troubled reports whether the last read or the last claim has failed, so that
// others are to come first.
func (l *lookout) troubled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reads.failures > 0 || l.claims.failures > 0
}

// failClaim notes that a claim failed, so that the next waits a little.
func (l *lookout) failClaim(err error) {
	now := l.clock.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.claims.fail(now, l.timing, l.random(), err)
}

// claimPause returns how long the last failure to claim asks to wait, and whether
// there was any.
func (l *lookout) claimPause(now instant) (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.claims.due(now), l.claims.failures > 0
}

// fail notes that a read failed, so that the next waits a little.
func (l *lookout) fail(err error) {
	now := l.clock.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads.fail(now, l.timing, l.random(), err)
}

// read asks for the record, for at most bound. With a watch it uses a new
// connection, since it is to find out whether the watch's still lives; a record
// that the watch should have learned and did not ends that watch.
func (l *lookout) read(ctx context.Context, bound time.Duration) error {
	l.mu.Lock()
	restart, first, learned := l.restart, !l.observation.known, l.learned
	l.mu.Unlock()
	ctx, cancel := l.clock.within(ctx, bound)
	defer cancel()
	if restart != nil {
		ctx = rl.OnNewConnection(ctx)
	}
	l.allowance.spend(l.clock.now(), l.timing)
	state, err := l.lock.Read(ctx)
	if err != nil {
		return err
	}
	changed := l.find(state, learned)
	l.mu.Lock()
	l.reads = pacer{}
	l.nextPoll = l.timing.poll(l.random())
	l.mu.Unlock()
	if changed && !first && restart != nil {
		klog.FromContext(ctx).V(2).Info("The watch of the lease had fallen silent; watching anew")
		restart()
	}
	return nil
}

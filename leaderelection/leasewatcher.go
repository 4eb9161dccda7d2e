package leaderelection

import (
	"context"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/internal/turn"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// leaseWatcher keeps an observation of the lease up to date: by a watch where the
// lock has one and RBAC allows it, by reads where not, and by a read on a new
// connection when the watch has been silent for longer than renewals should be.
type leaseWatcher struct {
	lock   *boundedLock
	timing timing
	clock  timepiece
	random func() float64
	trace  *tracer
	// allowance says when a call may be made.
	allowance *allowance
	// changed is called for every new record, in order. It must not block.
	changed func(rl.Snapshot)

	// updated says that the observation is another than before.
	updated chan struct{}

	mu          sync.Mutex
	observation observation
	// restart ends the watch that is under way; nil while there is none.
	restart context.CancelFunc
	// lastHeard is when something was last learned: by the watch or by a read.
	lastHeard instant
	// updates counts what was heard.
	updates int
	// lastWrite is the write that the watch has told of last, at lastWriteAt, and
	// renewInterval how long that was after the one before it, if that was the same
	// holder's.
	lastWrite     rl.Snapshot
	lastWriteAt   instant
	renewInterval time.Duration
	// nextPoll is how long after lastHeard to read, while there is no watch.
	nextPoll time.Duration
	// readBackoff paces what could not be read, and claimBackoff what could not be claimed
	// though nobody was faster.
	readBackoff, claimBackoff backoff
	// closed: nobody asks any more.
	closed bool
}

func (e *election) newLeaseWatcher(allowance *allowance, changed func(rl.Snapshot)) *leaseWatcher {
	return &leaseWatcher{
		lock: e.lock, timing: e.timing, clock: e.clock, random: e.random, trace: e.trace,
		allowance: allowance, changed: changed, updated: make(chan struct{}, 1),
	}
}

// close makes the watcher deaf: what a watch or a read brings later is not told.
func (w *leaseWatcher) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}

func (w *leaseWatcher) observed() observation {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.observation
}

// applyEvent takes in what the watch tells. It may lag behind what a read has
// shown; then it says nothing, not even that the watch lives.
func (w *leaseWatcher) applyEvent(state rl.Snapshot) {
	now := w.clock.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.observation
	next, changed := before.next(state, now, w.timing)
	if before.known && older(state, before.snapshot) {
		w.updates++ // it may be of after a backup was restored: a read that was answered before is not the present
		return
	}
	if !oneWrite(w.lastWrite, state) {
		w.renewInterval = 0
		if w.lastWrite.Exists() && w.lastWrite.Record.HolderIdentity == state.Record.HolderIdentity {
			w.renewInterval = now.monoSince(w.lastWriteAt)
		}
		w.lastWrite, w.lastWriteAt = state, now
	}
	w.learn(next, changed, now)
}

// applyAnswer takes in what a read or a write has shown that was sent after so many
// updates. Unless more came since, that is the truth, also where it
// is older than what was known: the storage may have been restored from a
// backup.
func (w *leaseWatcher) applyAnswer(state rl.Snapshot, updates int) (changed bool) {
	now := w.clock.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	var next observation
	if w.updates == updates {
		next, changed = w.observation.after(state, now, w.timing)
		changed = changed || older(state, w.observation.snapshot)
	} else {
		next, changed = w.observation.next(state, now, w.timing)
	}
	if next.still > 0 && !state.Exists() && now.monoSince(w.lastHeard) > w.timing.blindness() {
		next = next.anew(now) // somebody may have come and gone unseen
	}
	w.learn(next, changed, now)
	return changed
}

// learn makes next what is observed; the mutex is held.
func (w *leaseWatcher) learn(next observation, changed bool, now instant) {
	if w.closed {
		return
	}
	w.lastHeard = now
	w.updates++
	if !oneWrite(w.observation.snapshot, next.snapshot) {
		w.claimBackoff = backoff{} // the lease has moved on
	}
	w.observation = next
	if changed {
		w.changed(next.snapshot)
		select {
		case w.updated <- struct{}{}:
		default:
		}
	}
}

// blind reports whether so long nothing was seen that it cannot be said that
// there was no Lease all the time. For a Lease that exists its version tells.
func (w *leaseWatcher) blind(now instant) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.observation.snapshot.Exists() && now.monoSince(w.lastHeard) > w.timing.blindness()
}

// readDue returns how long to wait before the next read. It is not positive
// when one is due.
func (w *leaseWatcher) readDue(now instant) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.readBackoff.failures > 0:
		return max(w.readBackoff.due(now), w.allowance.due(now, w.timing))
	case !w.observation.known:
		return 0
	case w.restart != nil:
		return w.timing.watchTimeout(w.renewInterval, w.observation.lease) - now.monoSince(w.lastHeard)
	default:
		return w.nextPoll - now.monoSince(w.lastHeard)
	}
}

// readPause returns how long the last failure to read asks to wait.
func (w *leaseWatcher) readPause(now instant) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return max(w.readBackoff.due(now), w.allowance.due(now, w.timing))
}

// silentSince reports whether nothing was heard since at, though no read has failed.
func (w *leaseWatcher) silentSince(at instant) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return at.monoSince(w.lastHeard) >= 0 && w.readBackoff.failures == 0
}

// updateCount returns how much was learned so far.
func (w *leaseWatcher) updateCount() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.updates
}

// failing reports whether the last read or the last claim has failed, so that
// others are to come first.
func (w *leaseWatcher) failing() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.readBackoff.failures > 0 || w.claimBackoff.failures > 0
}

// claimFailed notes that a claim failed, so that the next waits a little.
func (w *leaseWatcher) claimFailed(err error) {
	now := w.clock.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.claimBackoff.fail(now, w.timing, w.random(), err)
}

// claimPause returns how long the last failure to claim asks to wait, and whether
// there was any.
func (w *leaseWatcher) claimPause(now instant) (time.Duration, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.claimBackoff.due(now), w.claimBackoff.failures > 0
}

// readFailed notes that a read failed, so that the next waits a little.
func (w *leaseWatcher) readFailed(err error) {
	now := w.clock.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.readBackoff.fail(now, w.timing, w.random(), err)
}

// read asks for the record, for at most bound. With a watch it uses a new
// connection, since it is to find out whether the watch's still lives; a record
// that the watch should have learned and did not ends that watch.
func (w *leaseWatcher) read(ctx context.Context, bound time.Duration) error {
	w.mu.Lock()
	restart, first, updates := w.restart, !w.observation.known, w.updates
	w.mu.Unlock()
	ctx, cancel := w.clock.within(ctx, bound)
	defer cancel()
	if restart != nil {
		ctx = rl.OnNewConnection(ctx)
	}
	ctx = turn.With(ctx, &turn.Turn{Rank: turn.Looks})
	w.allowance.spend(w.clock.now(), w.timing)
	state, err := w.lock.Read(ctx)
	if err != nil {
		return err
	}
	changed := w.applyAnswer(state, updates)
	w.mu.Lock()
	w.readBackoff = backoff{}
	w.nextPoll = w.timing.poll(w.random())
	w.mu.Unlock()
	if changed && !first && restart != nil {
		klog.FromContext(ctx).V(2).Info("The watch of the lease had fallen silent; watching anew")
		restart()
	}
	return nil
}

package leaderelection

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// watcherOn returns a watcher on a lock that nobody drives, and what it tells.
func watcherOn(t *testing.T, lock rl.Interface) (w *leaseWatcher, told *[]rl.Snapshot) {
	t.Helper()
	c, _ := candidacyOf(t, lock)
	told = new([]rl.Snapshot)
	c.changed = func(state rl.Snapshot) { *told = append(*told, state) }
	return c.leaseWatcher, told
}

// saysNews reports whether something was told since it was asked last.
func (w *leaseWatcher) saysNews() bool {
	select {
	case <-w.updated:
		return true
	default:
		return false
	}
}

func TestAWatchThatLagsBehindSaysNothing(t *testing.T) {
	within(t, func(t *testing.T) {
		w, told := watcherOn(t, newMemory().lock("b"))
		w.applyEvent(held("a", "10", 0, 15*s))
		assert.True(t, w.saysNews())
		assert.Len(t, *told, 1)
		sleep(s)
		w.applyEvent(held("a", "10", 0, 15*s))
		assert.False(t, w.saysNews(), "the same again")
		assert.Equal(t, 2, w.updateCount(), "but the watch lives")
		assert.Equal(t, w.clock.now().mono, w.lastHeard.mono)
		heard := w.lastHeard
		sleep(s)
		w.applyEvent(held("a", "9", -s, 15*s))
		assert.False(t, w.saysNews())
		assert.Len(t, *told, 1)
		assert.Equal(t, 3, w.updateCount(), "but what a read had shown before is not the present")
		assert.Equal(t, heard, w.lastHeard)
		assert.Equal(t, "10", w.observed().snapshot.ResourceVersion)
	})
}

func TestTheHeartbeatIsMeasuredBetweenRenewalsOfOneHolder(t *testing.T) {
	within(t, func(t *testing.T) {
		w, _ := watcherOn(t, newMemory().lock("b"))
		for _, step := range []struct {
			pause time.Duration
			state rl.Snapshot
			beat  time.Duration
			what  string
		}{
			{s, held("a", "10", 0, 15*s), 0, "the first"},
			{4 * s, held("a", "11", 4*s, 15*s), 4 * s, "a renewal"},
			{s, edited(held("a", "12", 4*s, 15*s), transitions(9)), 4 * s, "an edit by hand"},
			{4 * s, held("a", "13", 9*s, 15*s), 5 * s, "a renewal after that"},
			{3 * s, held("c", "14", 12*s, 15*s), 0, "a takeover"},
			{2 * s, held("c", "15", 14*s, 15*s), 2 * s, "a renewal of the new holder"},
			{s, rl.Snapshot{}, 0, "the Lease is deleted"},
			{s, held("", "17", 17*s, s), 0, "one that nobody holds"},
		} {
			sleep(step.pause)
			w.applyEvent(step.state)
			assert.Equal(t, step.beat, w.renewInterval, step.what)
		}
	})
}

func TestAReadIsTheTruthUnlessMoreWasLearnedMeanwhile(t *testing.T) {
	within(t, func(t *testing.T) {
		w, told := watcherOn(t, newMemory().lock("b"))
		assert.True(t, w.applyAnswer(held("a", "10", 0, 15*s), 0))
		sent := w.updateCount()
		w.applyEvent(held("a", "11", 2*s, 15*s))
		assert.False(t, w.applyAnswer(held("a", "10", 0, 15*s), sent), "the watch was faster")
		assert.Equal(t, "11", w.observed().snapshot.ResourceVersion)
		assert.True(t, w.applyAnswer(held("a", "9", -2*s, 15*s), w.updateCount()), "from a backup")
		assert.Equal(t, "9", w.observed().snapshot.ResourceVersion)
		assert.False(t, w.applyAnswer(held("a", "9", -2*s, 15*s), w.updateCount()))
		assert.True(t, w.applyAnswer(held("a", "12", 4*s, 15*s), sent), "it is newer all the same")
		assert.Len(t, *told, 4)
	})
}

// Somebody may have come and gone while a candidate saw nothing of a Lease that is not
// there.
func TestALeaseThatIsGoneIsWaitedForAnewAfterBlindness(t *testing.T) {
	deleted := func(w *leaseWatcher) { w.applyAnswer(rl.Snapshot{}, w.updateCount()) }
	restored := func(w *leaseWatcher) { w.applyAnswer(held("a", "9", -2*s, 15*s), w.updateCount()) }
	for name, test := range map[string]struct {
		happens func(*leaseWatcher)
		blind   time.Duration
		anew    bool
	}{
		"it saw enough":                  {deleted, 15 * s, false},
		"it saw nothing":                 {deleted, 15*s + 1, true},
		"the version of one that exists": {restored, time.Minute, false},
	} {
		within(t, func(t *testing.T) {
			w, _ := watcherOn(t, newMemory().lock("b"))
			w.applyEvent(held("a", "10", 0, 15*s))
			sleep(s)
			test.happens(w)
			was := w.observed()
			require.Positive(t, was.still, name)
			sleep(test.blind)
			assert.Equal(t, test.anew, w.blind(w.clock.now()), name)
			now := w.clock.now()
			test.happens(w)
			if test.anew {
				assert.Equal(t, now.mono, w.observed().seen.mono, name)
			} else {
				assert.Equal(t, was.seen, w.observed().seen, name)
			}
			assert.False(t, w.blind(w.clock.now()), name)
		})
	}
}

func TestWhoIsDeafLearnsNothing(t *testing.T) {
	within(t, func(t *testing.T) {
		w, told := watcherOn(t, newMemory().lock("b"))
		w.applyEvent(held("a", "10", 0, 15*s))
		was := w.observed()
		w.close()
		w.applyEvent(held("a", "11", 2*s, 15*s))
		w.applyAnswer(held("a", "12", 4*s, 15*s), w.updateCount())
		assert.Equal(t, was, w.observed())
		assert.Len(t, *told, 1)
		assert.Equal(t, 1, w.updateCount())
	})
}

func TestClaimsThatFailedAreForgottenWhenTheLeaseMovesOn(t *testing.T) {
	within(t, func(t *testing.T) {
		w, _ := watcherOn(t, newMemory().lock("b"))
		w.random = func() float64 { return 0 }
		w.applyEvent(held("a", "10", 0, 15*s))
		assert.False(t, w.failing())
		w.claimFailed(errors.New("no"))
		assert.True(t, w.failing())
		w.applyEvent(edited(held("a", "11", 0, 15*s), duration(60)))
		pause, failing := w.claimPause(w.clock.now())
		assert.True(t, failing, "an edit by hand is no write of a holder's")
		assert.Equal(t, s/4, pause)
		w.applyEvent(held("a", "12", 2*s, 15*s))
		pause, failing = w.claimPause(w.clock.now())
		assert.False(t, failing)
		assert.Zero(t, pause)
		assert.False(t, w.failing())
	})
}

func TestWhenACandidateReads(t *testing.T) {
	within(t, func(t *testing.T) {
		const lease = 15 * s
		lock := newMemory().lock("b")
		w, _ := watcherOn(t, lock)
		w.random = func() float64 { return 0.5 }
		due := func() time.Duration { return w.readDue(w.clock.now()) }
		assert.Zero(t, due(), "it knows nothing")
		lock.edit(func(s *rl.Snapshot) { *s = held("a", "", 0, lease) })
		require.NoError(t, w.read(t.Context(), s))
		assert.Equal(t, 3200*ms, due(), "a poll later")
		sleep(s)
		assert.Equal(t, 2200*ms, due())
		w.setRestart(func() {})
		assert.Equal(t, 1500*ms, due(), "where it watches, when the heartbeat is late")
		assert.True(t, w.silentSince(w.lastHeard), "what is sent now is not answered yet")
		assert.False(t, w.silentSince(instant{mono: w.lastHeard.mono.Add(-1)}))

		w.readFailed(errors.New("no"))
		assert.True(t, w.failing())
		assert.False(t, w.silentSince(w.clock.now()), "a read has failed")
		const pause = 187500 * time.Microsecond // an eighth of the retry period, less a quarter
		assert.Equal(t, pause, due())
		assert.Equal(t, pause, w.readPause(w.clock.now()))
		w.allowance = &allowance{debt: 21 * w.timing.pace(), at: w.clock.now()}
		assert.Equal(t, 2*w.timing.pace(), due(), "calls are rationed")
		assert.Equal(t, 2*w.timing.pace(), w.readPause(w.clock.now()))
		w.allowance = &allowance{}
		assert.Equal(t, pause, due())
		assert.Equal(t, pause, w.readPause(w.clock.now()))

		require.NoError(t, w.read(t.Context(), s))
		assert.False(t, w.failing())
		assert.Equal(t, 2500*ms, due())
	})
}

// onConnections notes which reads ask for a new connection.
type onConnections struct {
	*memoryLock
	fresh []bool
}

func (l *onConnections) Read(ctx context.Context) (rl.Snapshot, error) {
	none := context.Background()
	mark := strings.TrimPrefix(fmt.Sprint(rl.OnNewConnection(none)), fmt.Sprint(none))
	l.fresh = append(l.fresh, strings.Contains(fmt.Sprint(ctx), mark))
	return l.memoryLock.Read(ctx)
}

// A read beside a watch is to find out which of the two sees the Lease as it is.
func TestAReadThatKnowsMoreThanTheWatchEndsIt(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := &onConnections{memoryLock: newMemory().lock("b")}
		w, _ := watcherOn(t, lock)
		restarted := 0
		restart := func() { restarted++ }
		for _, step := range []struct {
			what      string
			state     rl.Snapshot
			restart   context.CancelFunc
			fails     error
			restarted int
		}{
			{what: "it fails", fails: errors.New("no"), restart: restart},
			{what: "the first", state: held("a", "", 0, 15*s), restart: restart},
			{what: "nothing new", restart: restart},
			{what: "a renewal that the watch did not tell", state: held("a", "", 2*s, 15*s), restart: restart, restarted: 1},
			{what: "it fails", state: held("a", "", 4*s, 15*s), fails: errors.New("no"), restart: restart, restarted: 1},
			{what: "a renewal while there is no watch", restarted: 1},
		} {
			if step.state.Record.HolderIdentity != "" {
				lock.edit(func(s *rl.Snapshot) { *s = step.state })
			}
			lock.fail = step.fails
			w.setRestart(step.restart)
			assert.Equal(t, step.fails, w.read(t.Context(), s), step.what)
			assert.Equal(t, step.restarted, restarted, step.what)
			assert.Equal(t, step.restart != nil, lock.fresh[len(lock.fresh)-1], "%s: on a new connection", step.what)
			assert.Equal(t, step.fails == nil, w.observed().known && w.observed().snapshot == lock.now(), step.what)
			if step.fails != nil {
				w.readFailed(step.fails)
			}
			assert.Equal(t, step.fails != nil, w.failing(), step.what)
		}
	})
}

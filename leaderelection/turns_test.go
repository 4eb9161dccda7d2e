package leaderelection

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// A renewal that has not been sent, since those of other leases are, is not looked into: the
// read would wait behind it.
func TestARenewalThatWaitsForItsTurnIsNotLookedInto(t *testing.T) {
	for told, reads := range map[bool]int{false: 1, true: 0} {
		within(t, func(t *testing.T) {
			lock := newMemory().lock("a")
			a := contend(t, lock)
			sleep(10 * s)
			require.True(t, a.IsLeader())
			queue := make(chan struct{})
			lock.with(func(l *memoryLock) { l.queue, l.told = queue, told })
			before := lock.readCount()
			sleep(5 * s) // a renewal waits for 3s at least
			assert.Equal(t, reads, lock.readCount()-before, "told: %v", told)
			lock.with(func(l *memoryLock) { l.queue = nil })
			close(queue)
			sleep(20 * s)
			assert.True(t, a.IsLeader())
			assert.Len(t, a.runs(), 1)
		})
	}
}

// A claim that was never sent cannot have succeeded: nothing is read before the next one.
func TestAClaimThatHasMissedItsTurnIsNotLookedInto(t *testing.T) {
	for told, looked := range map[bool]bool{false: true, true: false} {
		within(t, func(t *testing.T) {
			m := newMemory()
			m.edit(func(state *rl.Snapshot) { *state = held("other", "", 0, 15*s) })
			lock := m.lock("b")
			queue := make(chan struct{})
			lock.with(func(l *memoryLock) { l.queue, l.told, l.deaf = queue, told, false })
			b := contend(t, lock)
			sleep(15*s + 100*ms) // the claim waits
			before := lock.readCount()
			sleep(9800 * ms)
			if told {
				assert.Equal(t, before, lock.readCount(), "it waits, and a read would wait behind it")
			}
			sleep(600 * ms) // its bound has passed
			assert.Equal(t, looked, lock.readCount() > before, "told: %v", told)
			lock.with(func(l *memoryLock) { l.queue = nil })
			close(queue)
			sleep(10 * s)
			assert.True(t, b.IsLeader())
		})
	}
}

// A claim that waits while another takes the lease would be refused.
func TestAClaimThatWaitsIsWithdrawnWhenAnotherLeads(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		m.edit(func(state *rl.Snapshot) { *state = held("other", "", 0, 15*s) })
		lock := m.lock("b")
		queue := make(chan struct{})
		lock.with(func(l *memoryLock) { l.queue, l.told = queue, true })
		contend(t, lock)
		sleep(15*s + 100*ms)
		m.edit(func(state *rl.Snapshot) { *state = held("third", "", s, 15*s) })
		sleep(100 * ms)
		select {
		case queue <- struct{}{}:
			t.Error("it still waits")
		case <-time.After(s):
		}
	})
}

// What a renewal waits for after it was sent is no longer because it had to wait a moment
// before.
func TestARenewalThatWaitedForAMomentIsLookedIntoInTime(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := newMemory().lock("a")
		a := contend(t, lock)
		sleep(10 * s)
		require.True(t, a.IsLeader())
		queue := make(chan struct{})
		before := lock.readCount()
		lock.with(func(l *memoryLock) { l.queue, l.told, l.cut = queue, true, true })
		sleep(2200 * ms) // the next renewal waits
		queue <- struct{}{}
		lock.with(func(l *memoryLock) { l.queue = nil })
		sleep(2100 * ms)
		assert.Positive(t, lock.readCount()-before)
	})
}

// So is what a claim waits for: right after it was sent nothing is to be found out yet.
func TestAClaimThatHasWaitedIsGivenTimeToBeAnswered(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		m.edit(func(state *rl.Snapshot) { *state = held("other", "", 0, 15*s) })
		lock := m.lock("b")
		queue := make(chan struct{})
		lock.with(func(l *memoryLock) { l.queue, l.told, l.late = queue, true, 1500*ms })
		b := contend(t, lock)
		sleep(20 * s)                                    // the claim waits
		lock.with(func(l *memoryLock) { l.deaf = true }) // else the watch would tell
		before := lock.readCount()
		queue <- struct{}{}
		lock.with(func(l *memoryLock) { l.queue = nil })
		sleep(1400 * ms)
		assert.Zero(t, lock.readCount()-before)
		sleep(200 * ms)
		assert.True(t, b.IsLeader())
	})
}

package leaderelection

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

func TestAStandbyTakesOverAfterTheStorageWasRestored(t *testing.T) {
	for name, watch := range map[string]error{"watching": nil, "polling": apierrors.NewForbidden(leases, "it", errors.New("no watch for you"))} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				m := newMemory()
				a := m.lock("a")
				leader := contend(t, a)
				sleep(10 * s)
				backup := m.now()
				standby := m.lock("b")
				standby.watchErr = watch
				b := contend(t, standby)
				leaders := observe(t, m.lock("c"), watch)
				sleep(30 * s)
				leader.cancel() // dies in the restoration
				<-leader.ended
				m.mu.Lock()
				m.version = 50
				backup.Record.HolderIdentity = "z" // one who led at the time of the backup
				backup.Stated = rl.Statement{}
				m.set(backup)
				m.mu.Unlock()
				restored := time.Now()
				sleep(time.Minute)
				require.Len(t, b.runs(), 1, "nobody leads")
				assert.WithinDuration(t, restored.Add(15*s), b.runs()[0].from, 5*s)
				assert.Equal(t, []string{"a", "z", "b"}, leaders())
			})
		})
	}
}

func TestALeaseRestoredFromABackupIsStillHeldByTheOneWhoHeldIt(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		m.edit(func(state *rl.Snapshot) { *state = held("", "", 0, s) })
		backup := m.now()
		a := m.lock("a")
		leader := contend(t, a)
		sleep(s)
		b := contend(t, m.lock("b"))
		sleep(20 * s)
		a.with(func(l *memoryLock) { l.cut = true })
		m.mu.Lock()
		m.version = 50
		m.set(backup)
		m.mu.Unlock()
		sleep(30 * s)
		b.ledOnceAfter(t, leader)
	})
}

// lateReads answers reads late.
type lateReads struct {
	*memoryLock
	late    time.Duration
	reading atomic.Int32
}

func (l *lateReads) Read(ctx context.Context) (rl.Snapshot, error) {
	l.reading.Add(1)
	defer l.reading.Add(-1)
	state, err := l.memoryLock.Read(ctx)
	time.Sleep(l.late)
	return state, err
}

// A read that is answered late shows a record that another has written over since, as
// the watch has told. When a second restoration brings that record back, nobody has seen
// it unchanged since the read.
func TestARecordThatIsRestoredTwiceIsWaitedForTwice(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := m.lock("a")
		contend(t, a)
		sleep(10 * s)
		backup, version := m.now(), m.version
		restore := func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.version = version - 1
			m.set(backup)
		}
		standby := &lateReads{memoryLock: m.lock("b"), late: s}
		b := contend(t, standby)
		sleep(20 * s)
		a.with(func(l *memoryLock) { l.cut = true })
		restore()
		require.Equal(t, backup, m.now())
		for standby.reading.Load() == 0 {
			sleep(100 * ms)
		}
		m.edit(func(state *rl.Snapshot) { *state = held("z", "", 1, 15*s) })
		standby.with(func(l *memoryLock) { l.watchErr = errors.New("no watch now") }) // which would tell of z again
		sleep(2 * s)
		restore()
		again := time.Now()
		sleep(time.Minute)
		require.Len(t, b.runs(), 1)
		assert.GreaterOrEqual(t, b.runs()[0].from.Sub(again), 15*s)
	})
}

func TestAClaimOnTheAbsenceOfALeaseThatWasNotSeenWaitsAnew(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		contend(t, m.lock("x")).cancel()
		sleep(ms)
		m.edit(func(s *rl.Snapshot) { *s = held("x", "", 0, 15*time.Second) })
		lock := m.lock("a")
		a := contend(t, lock)
		sleep(s)
		m.remove()
		sleep(s)
		lock.with(func(l *memoryLock) { l.cut = true }) // it sees nothing, as one that is stopped
		sleep(100 * s)
		// Somebody made the Lease, led, and it was deleted again.
		began := time.Now()
		lock.with(func(l *memoryLock) { l.cut = false })
		sleep(60 * s)
		require.Len(t, a.runs(), 1)
		assert.GreaterOrEqual(t, a.runs()[0].from.Sub(began), 15*s)
	})
}

// stoppingClock is that of a process that is stopped, while it is said to be, for
// 100 s before its timers fire.
type stoppingClock struct {
	clock.WithDelayedExecution
	stops atomic.Bool
}

func (c *stoppingClock) NewTimer(d time.Duration) clock.Timer {
	if c.stops.Load() {
		d += 100 * s
	}
	return c.WithDelayedExecution.NewTimer(d)
}

// One who was stopped as the wait for a deleted Lease ended, and goes on much
// later, has not seen who came and went meanwhile.
func TestOneWhoWasStoppedReadsBeforeItClaimsAnAbsentLease(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		m.edit(func(s *rl.Snapshot) { *s = held("x", "", 0, 15*time.Second) })
		lock := m.lock("a")
		clk := &stoppingClock{WithDelayedExecution: clock.RealClock{}}
		clk.stops.Store(true)
		a := contend(t, lock, func(c *LeaderElectionConfig) { c.Clock = clk })
		sleep(s)
		m.remove()
		sleep(ms)
		lock.with(func(l *memoryLock) { l.deaf = true })
		clk.stops.Store(false)
		sleep(95 * s)
		m.edit(func(s *rl.Snapshot) { *s = held("z", "", 0, 15*time.Second) })
		gone := time.Now()
		m.remove() // and z leads for as long as its lease
		sleep(5 * time.Minute)
		require.Len(t, a.runs(), 1)
		assert.GreaterOrEqual(t, a.runs()[0].from.Sub(gone), 15*s)
	})
}

func TestAWriteOfAnEarlierTermThatABackupBringsBackIsWaitedForLikeAnyones(t *testing.T) {
	for name, back := range map[string]func(m *memory, backup rl.Snapshot){
		"restored": func(m *memory, backup rl.Snapshot) { m.mu.Lock(); defer m.mu.Unlock(); m.state = backup },
		"replaced": func(m *memory, backup rl.Snapshot) { m.edit(func(s *rl.Snapshot) { *s = backup }) },
	} {
		t.Run(name, func(t *testing.T) {
			for i := range 20 { // a polls, be it before or after b's next renewal
				within(t, func(t *testing.T) {
					m := newMemory()
					first, second := m.lock("a"), m.lock("b")
					first.watchErr = apierrors.NewForbidden(leases, "it", errors.New("no"))
					a := contend(t, first, func(c *LeaderElectionConfig) { c.ContendAgain = true })
					sleep(5 * s)
					first.with(func(l *memoryLock) { l.cut = true })
					backup := m.now()
					b := contend(t, second)
					sleep(30 * s)
					first.with(func(l *memoryLock) { l.cut = false })
					sleep(20*s + time.Duration(i)*100*ms)
					require.True(t, b.IsLeader())
					second.with(func(l *memoryLock) { l.cut = true })
					back(m, backup)
					for range 200 {
						sleep(100 * ms)
						require.False(t, a.IsLeader() && b.IsLeader(), "two leaders")
					}
					assert.True(t, a.IsLeader())
				})
			}
		})
	}
}

// The record is put back by hand while its writer, who has seen nobody lead after
// it, is cut off.
func TestAnOwnWriteThatIsPutBackByHandIsWaitedForLikeAnyones(t *testing.T) {
	for i := range 20 {
		within(t, func(t *testing.T) {
			m := newMemory()
			first, second := m.lock("a"), m.lock("b")
			a := contend(t, first, func(c *LeaderElectionConfig) { c.ContendAgain = true })
			sleep(5*s + 500*ms)
			first.with(func(l *memoryLock) { l.cut = true })
			backup := m.now()
			b := contend(t, second)
			sleep(30*s + time.Duration(i)*100*ms)
			require.True(t, b.IsLeader())
			m.edit(func(s *rl.Snapshot) { *s = backup })
			second.with(func(l *memoryLock) { l.cut = true })
			first.with(func(l *memoryLock) { l.cut = false })
			for range 300 {
				sleep(100 * ms)
				require.False(t, a.IsLeader() && b.IsLeader(), "two leaders")
			}
			assert.True(t, a.IsLeader())
		})
	}
}

package leaderelection

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/utils/clock"

	"github.com/holdfast-go/holdfast/leaderelection/witness"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// far is a lock whose requests and events take way to arrive. Its contender draws always
// the same number.
type far struct {
	*memoryLock
	way   time.Duration
	drawn float64

	mu      sync.Mutex
	claimed []time.Time
}

func (l *far) draw() float64 { return l.drawn }

func (l *far) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	if base.Record.HolderIdentity != l.identity && next.Record.HolderIdentity == l.identity {
		l.mu.Lock()
		l.claimed = append(l.claimed, time.Now())
		l.mu.Unlock()
	}
	time.Sleep(l.way)
	defer time.Sleep(l.way)
	return l.memoryLock.Write(ctx, base, next)
}

func (l *far) Watch(ctx context.Context, from rl.Snapshot, seen func(rl.Snapshot)) error {
	return l.memoryLock.Watch(ctx, from, func(state rl.Snapshot) {
		time.Sleep(l.way)
		seen(state)
	})
}

// claims returns when the lease was claimed since a moment.
func (l *far) claims(since time.Time) (at []time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, claim := range l.claimed {
		if !claim.Before(since) {
			at = append(at, claim)
		}
	}
	return at
}

func TestAStandbyThatIsAloneClaimsWithoutDelay(t *testing.T) {
	for _, of := range []struct {
		timing
		most time.Duration
	}{
		{timing{15 * s, 10 * s, 2 * s}, 2 * ms},
		{timing{3 * s, 2 * s, 500 * ms}, ms},
	} {
		for name, end := range map[string]func(*contender, *memoryLock) (claimIn time.Duration){
			"the leader dies": func(_ *contender, lock *memoryLock) time.Duration {
				lock.with(func(l *memoryLock) { l.cut = true })
				return of.lease
			},
			"the leader releases": func(a *contender, _ *memoryLock) time.Duration {
				a.cancel()
				return 0
			},
		} {
			t.Run(fmt.Sprintf("%s at %v", name, of.lease), func(t *testing.T) {
				within(t, func(t *testing.T) {
					timed := func(c *LeaderElectionConfig) {
						c.LeaseDuration, c.RenewDeadline, c.RetryPeriod, c.ReleaseOnCancel = of.lease, of.deadline, of.retry, true
					}
					m := newMemory()
					lock := m.lock("a")
					a := contend(t, lock, timed)
					sleep(s)
					standby := &far{memoryLock: m.lock("b"), drawn: 0.999}
					contend(t, standby, timed)
					sleep(10*s + 100*ms)
					claimIn := end(a, lock)
					last := time.Now()
					if claimIn > 0 {
						last = m.now().Record.RenewTime.Time
					}
					sleep(2 * of.lease)
					claims := standby.claims(time.Time{})
					require.Len(t, claims, 1)
					late := claims[0].Sub(last.Add(claimIn))
					assert.GreaterOrEqual(t, late, time.Duration(0))
					assert.LessOrEqual(t, late, of.most)
				})
			})
		}
	}
}

// A claim that was lost shows that there are others. From then on claims are so far
// apart that whoever comes later mostly sees that the lease is taken, and does not write.
func TestThoseWhoLostAClaimSpread(t *testing.T) {
	within(t, func(t *testing.T) {
		const candidates = 8
		m := newMemory()
		first := m.lock("a")
		contend(t, first)
		sleep(s)
		var locks []*far
		var all []*contender
		for i := range candidates {
			lock := &far{memoryLock: m.lock(string(rune('b' + i))), way: 3 * ms, drawn: float64(i) / candidates}
			locks, all = append(locks, lock), append(all, contend(t, lock))
		}
		sleep(9 * s)

		// takeover lets the leader die, and returns how much later than the first of them
		// each of those who claimed did.
		takeover := func(leader *memoryLock) (after []time.Duration) {
			died := time.Now()
			leader.with(func(l *memoryLock) { l.cut = true })
			opens := m.now().Record.RenewTime.Add(15 * s)
			sleep(25 * s)
			var from time.Time
			for _, lock := range locks {
				for _, claim := range lock.claims(died) {
					assert.GreaterOrEqual(t, claim, opens.Add(-time.Microsecond), "the record is cut to microseconds")
					if from.IsZero() {
						from = claim
					}
					after = append(after, claim.Sub(from))
				}
			}
			return after
		}
		steps := func(n int, of time.Duration) (after []time.Duration) {
			for i := range n {
				after = append(after, time.Duration(i)*of)
			}
			return after
		}
		assert.Equal(t, steps(candidates, 250*time.Microsecond), takeover(first), "nobody knows that there are others")
		require.True(t, all[0].IsLeader())
		assert.Equal(t, steps(3, 2500*time.Microsecond), takeover(locks[0].memoryLock), "the fourth hears of the first in time")
		require.True(t, all[1].IsLeader())
	})
}

// tardyClock has timers that are late by a two-hundredth of their time.
type tardyClock struct{ clock.WithDelayedExecution }

func (c tardyClock) NewTimer(d time.Duration) clock.Timer {
	return c.WithDelayedExecution.NewTimer(d + d/200)
}

func TestAClaimIsOnTimeThoughTimersAreLateInProportion(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		contend(t, lock)
		sleep(s)
		standby := &far{memoryLock: m.lock("b")}
		contend(t, standby, func(c *LeaderElectionConfig) { c.Clock = tardyClock{clock.RealClock{}} })
		sleep(10 * s)
		lock.with(func(l *memoryLock) { l.cut = true })
		ends := m.now().Record.RenewTime.Add(15 * s)
		sleep(30 * s)
		claims := standby.claims(time.Time{})
		require.Len(t, claims, 1)
		late := claims[0].Sub(ends)
		assert.GreaterOrEqual(t, late, time.Duration(0))
		assert.LessOrEqual(t, late, ms)
	})
}

func TestAClaimIsOnTimeThoughAProofIsBeingChecked(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		killed(t, m)
		ends := time.Now().Add(15 * s) // as who joins now may go by
		hangs := leaving("of b")
		hangs.await = func(_ context.Context, of string) (witness.Proof, error) {
			time.Sleep(time.Until(ends) - 1900*ms)
			return witness.Proof{Testimony: of, Again: func(context.Context) error { time.Sleep(time.Hour); return nil }}, nil
		}
		standby := &far{memoryLock: m.lock("b")}
		b := contend(t, standby, with(hangs), func(c *LeaderElectionConfig) { c.Clock = tardyClock{clock.RealClock{}} })
		sleep(30 * s)
		require.True(t, b.IsLeader())
		claims := standby.claims(time.Time{})
		require.Len(t, claims, 1)
		late := claims[0].Sub(ends)
		assert.GreaterOrEqual(t, late, time.Duration(0))
		assert.LessOrEqual(t, late, ms)
		b.cancel()
		sleep(2 * time.Hour)
	})
}

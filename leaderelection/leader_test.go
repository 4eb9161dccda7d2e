package leaderelection

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

func lasting(lease, deadline, retry time.Duration) func(*LeaderElectionConfig) {
	return func(c *LeaderElectionConfig) {
		c.LeaseDuration, c.RenewDeadline, c.RetryPeriod = lease, deadline, retry
	}
}

func TestWorkIsToldOfASuspensionWithin100MillisecondsOfItsEnd(t *testing.T) {
	for name, lease := range map[string]time.Duration{"short": s, "default": 15 * s, "long": time.Hour} {
		for who, clockOf := range map[string]func(suspending) clock.WithDelayedExecution{
			"by a timer of its own": func(c suspending) clock.WithDelayedExecution { return c },
			"by a shared watch":     func(c suspending) clock.WithDelayedExecution { return watchedBy(c) },
		} {
			t.Run(name+" "+who, func(t *testing.T) {
				within(t, func(t *testing.T) {
					lock := newMemory().lock("a")
					clk := suspending{began: time.Now(), asleep: new(atomic.Int64)}
					a := contend(t, lock, lasting(lease, lease*2/3, lease*2/15), func(c *LeaderElectionConfig) { c.Clock = clockOf(clk) })
					sleep(lease)
					for range 20 { // with a network
						clk.asleep.Add(int64(10 * lease))
						sleep(137 * ms)
						require.True(t, a.IsLeader(), "nobody led meanwhile, and the term goes on")
					}
					lock.with(func(l *memoryLock) { l.cut = true })
					clk.asleep.Add(int64(10 * lease))
					woke := time.Now()
					sleep(s)
					assert.LessOrEqual(t, a.runs()[0].cancelled.Sub(woke), 100*ms)
					assert.Equal(t, ReasonInDoubt, a.why(t).Reason)
				})
			})
		}
	}
}

func TestALeaderBearsAnswersAsSlowAsHalfOfATermWhateverTheLock(t *testing.T) {
	for _, c := range []struct{ lease, deadline, retry, late time.Duration }{
		{15 * s, 10 * s, 2 * s, 5900 * ms},
		{15 * s, 10 * s, s, 4500 * ms},
		{15 * s, 10 * s, 500 * ms, 2500 * ms},
		{15 * s, 10 * s, 500 * ms, 5 * s},
		{60 * s, 40 * s, 5 * s, 21 * s},
		{3 * s, 2 * s, 500 * ms, 1200 * ms},
	} {
		for name, lock := range map[string]func(*memoryLock) rl.Interface{
			"writes":                        func(l *memoryLock) rl.Interface { l.late = c.late; return l },
			"writes of a bare clientset":    func(l *memoryLock) rl.Interface { l.late = c.late; return unhardened{l} },
			"all calls":                     func(l *memoryLock) rl.Interface { return &lateLock{l, c.late} },
			"all calls of a bare clientset": func(l *memoryLock) rl.Interface { return unboundLate{&lateLock{l, c.late}} },
		} {
			t.Run(c.late.String()+" "+name, func(t *testing.T) {
				within(t, func(t *testing.T) {
					m := newMemory()
					a := contend(t, lock(m.lock("a")), lasting(c.lease, c.deadline, c.retry))
					sleep(20 * time.Minute)
					assert.Len(t, a.runs(), 1)
					assert.True(t, a.IsLeader())
				})
			})
		}
	}
}

// unboundLate is a lateLock whose calls may take as long as they like.
type unboundLate struct{ *lateLock }

func (unboundLate) Bound() (time.Duration, bool) { return 0, false }

// refusingLock is a lock whose writes fail at once from some moment on.
type refusingLock struct {
	*memoryLock
	err   atomic.Pointer[error]
	calls atomic.Int64
}

func (l *refusingLock) Read(ctx context.Context) (rl.Snapshot, error) {
	l.calls.Add(1)
	return l.memoryLock.Read(ctx)
}

func (l *refusingLock) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	l.calls.Add(1)
	if err := l.err.Load(); err != nil {
		return rl.Snapshot{}, *err
	}
	return l.memoryLock.Write(ctx, base, next)
}

func TestALeaderWhoseWritesFailAtOnceDoesNotHammerTheAPI(t *testing.T) {
	for name, err := range map[string]error{
		"no reason":      errors.New("etcdserver: mvcc: database space exceeded"),
		"internal":       &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: 500, Message: "database is locked"}},
		"denied":         &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: 400, Message: "admission webhook denied the request"}},
		"forbidden":      apierrors.NewForbidden(leases, "it", errors.New("no")),
		"always changed": apierrors.NewConflict(leases, "it", errors.New("changed")),
		"not found":      apierrors.NewNotFound(leases, "it"),
		"exists":         apierrors.NewAlreadyExists(leases, "it"),
		"busy":           apierrors.NewTooManyRequests("slow down", 0),
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				lock := &refusingLock{memoryLock: newMemory().lock("a")}
				// A term of 100 s, so that it is the leader's pace that counts.
				a := contend(t, lock, lasting(120*s, 98*s, 2*s))
				sleep(5 * s)
				before := lock.calls.Load()
				lock.err.Store(&err)
				sleep(time.Minute)
				assert.LessOrEqual(t, lock.calls.Load()-before, int64(120))
				assert.True(t, a.IsLeader())
				lock.err.Store(nil)
				sleep(10 * s)
				assert.Greater(t, time.Until(a.Term().End()), 90*s, "it renews again")
			})
		})
	}
}

// hungLock hangs in every call from some moment on, whatever its context.
type hungLock struct {
	*memoryLock
	deaf atomic.Bool
	wake chan struct{}
}

func (l *hungLock) hang() {
	if l.deaf.Load() {
		<-l.wake
	}
}

func (l *hungLock) Read(ctx context.Context) (rl.Snapshot, error) {
	l.hang()
	return l.memoryLock.Read(ctx)
}

func (l *hungLock) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	l.hang()
	return l.memoryLock.Write(ctx, base, next)
}

func TestNothingWaitsForACallThatHangsForEver(t *testing.T) {
	for _, releases := range []bool{true, false} {
		for _, cancelled := range []bool{true, false} {
			within(t, func(t *testing.T) {
				lock := &hungLock{memoryLock: newMemory().lock("a"), wake: make(chan struct{})}
				a := contend(t, lock, func(c *LeaderElectionConfig) { c.ReleaseOnCancel = releases })
				sleep(5 * s)
				lock.deaf.Store(true)
				sleep(3 * s) // a renewal hangs
				began, bound := time.Now(), 2*s
				if cancelled {
					a.cancel()
				} else {
					began, bound = a.Term().End(), 2*s
				}
				sleep(20 * s)
				require.False(t, a.stoppedAt().IsZero(), "OnStoppedLeading is called")
				assert.LessOrEqual(t, a.stoppedAt().Sub(began), bound)
				assert.LessOrEqual(t, a.runs()[0].cancelled.Sub(began), time.Duration(0))
				close(lock.wake)
				sleep(s)
			})
		}
	}
}

func TestALostTermIsReleasedWhereItsWorkHasStoppedAndTheRecordIsStillOurs(t *testing.T) {
	for _, stops := range []time.Duration{0, time.Minute} {
		within(t, func(t *testing.T) {
			m := newMemory()
			lock := &refusingLock{memoryLock: m.lock("a")}
			a := contend(t, lock, func(c *LeaderElectionConfig) { c.ReleaseOnCancel = true })
			a.takesToStop(stops)
			sleep(5 * s)
			lock.err.Store(new(error))
			*lock.err.Load() = errors.New("no")
			for a.IsLeader() {
				sleep(ms)
			}
			lost := time.Now()
			lock.err.Store(nil)
			sleep(1500 * ms)
			assert.Equal(t, ReasonRenewDeadline, a.Term().ending().Reason)
			if stops == 0 {
				assert.Empty(t, m.now().Record.HolderIdentity)
			} else {
				assert.Equal(t, "a", m.now().Record.HolderIdentity, "its work still runs")
			}
			assert.LessOrEqual(t, a.stoppedAt().Sub(lost), s)
		})
	}
}

// What work has started before it returned may run on after a term that was lost, so
// the lease runs out.
func TestALostTermWhoseWorkReturnedEarlyIsNotReleased(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := &refusingLock{memoryLock: m.lock("a")}
		a := contend(t, lock, func(c *LeaderElectionConfig) {
			c.ReleaseOnCancel = true
			c.Callbacks.OnStartedLeading = func(context.Context) {}
		})
		sleep(5 * s)
		lock.err.Store(new(error))
		*lock.err.Load() = errors.New("no")
		for a.IsLeader() {
			sleep(ms)
		}
		lock.err.Store(nil)
		sleep(1500 * ms)
		assert.Equal(t, ReasonRenewDeadline, a.Term().ending().Reason)
		assert.Equal(t, "a", m.now().Record.HolderIdentity)
	})
}

// hangsOnce hangs in its first release, until its context ends.
type hangsOnce struct {
	*memoryLock
	hung atomic.Bool
}

func (l *hangsOnce) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	if next.Record.HolderIdentity == "" && l.hung.CompareAndSwap(false, true) {
		<-ctx.Done()
		return rl.Snapshot{}, ctx.Err()
	}
	return l.memoryLock.Write(ctx, base, next)
}

func TestAReleaseThatHangsIsTriedAgainWithinItsBound(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, &hangsOnce{memoryLock: m.lock("a")}, func(c *LeaderElectionConfig) { c.ReleaseOnCancel = true })
		sleep(5 * s)
		a.cancel()
		cancelled := time.Now()
		<-a.ended
		assert.Empty(t, m.now().Record.HolderIdentity)
		assert.LessOrEqual(t, time.Since(cancelled), s)
	})
}

func TestAnEditByHandIsUndoneAndCostsNothing(t *testing.T) {
	for name, edit := range map[string]func(*rl.Snapshot){
		"duration":       func(s *rl.Snapshot) { s.Record.LeaseDurationSeconds = 3600 },
		"short duration": func(s *rl.Snapshot) { s.Record.LeaseDurationSeconds = 1 },
		"huge duration":  func(s *rl.Snapshot) { s.Record.LeaseDurationSeconds = 18446744074 },
		"transitions":    func(s *rl.Snapshot) { s.Record.LeaderTransitions = 77 },
		"acquire time":   func(s *rl.Snapshot) { s.Record.AcquireTime = metav1.NewTime(epoch) },
		"strategy":       func(s *rl.Snapshot) { s.Record.Strategy = "OldestEmulationVersion" },
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				m := newMemory()
				a := contend(t, m.lock("a"))
				sleep(s)
				before := m.now()
				for range 20 {
					m.edit(edit)
					sleep(3 * s)
					assert.Equal(t, before.Record.LeaseDurationSeconds, m.now().Record.LeaseDurationSeconds)
					assert.Equal(t, before.Record.LeaderTransitions, m.now().Record.LeaderTransitions)
					assert.Equal(t, before.Record.AcquireTime, m.now().Record.AcquireTime)
				}
				assert.True(t, a.IsLeader())
				assert.Len(t, a.runs(), 1)
			})
		})
	}
}

// admission changes every write on its way, and loses the answers of some.
type admission struct {
	*memoryLock
	change func(*rl.LeaderElectionRecord)
	n      int
}

func (l *admission) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	stated := next.Statement()
	l.change(&next.Record)
	l.mu.Lock()
	if base.ResourceVersion != l.state.ResourceVersion {
		l.mu.Unlock()
		return rl.Snapshot{}, apierrors.NewConflict(leases, "it", errors.New("changed since"))
	}
	state := l.set(rl.Snapshot{Record: next.Record, Duration: next.Duration, Stated: stated})
	l.n++
	lose := l.n%3 == 1
	l.mu.Unlock()
	if lose {
		return rl.Snapshot{}, errors.New("connection reset")
	}
	return state, nil
}

func TestAdmissionThatRewritesEveryWriteCostsNoTerm(t *testing.T) {
	for name, change := range map[string]func(*rl.LeaderElectionRecord){
		"renew time": func(r *rl.LeaderElectionRecord) { r.RenewTime = metav1.NewTime(r.RenewTime.Add(3 * s)) },
		"duration":   duration(60),
		"case":       func(r *rl.LeaderElectionRecord) { r.HolderIdentity = strings.ToUpper(r.HolderIdentity) },
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				m := newMemory()
				a := contend(t, &admission{memoryLock: m.lock("a"), change: change})
				sleep(10 * time.Minute)
				assert.True(t, a.IsLeader())
				assert.Len(t, a.runs(), 1)
			})
		})
	}
}

// shortening is admission that stores every lease as shorter, and without annotations.
type shortening struct {
	*memoryLock
	seconds int
}

func (l shortening) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	if next.Record.HolderIdentity != "" {
		next.Record.LeaseDurationSeconds, next.Duration = l.seconds, time.Duration(l.seconds)*s
	}
	if err := l.meets(ctx); err != nil {
		return rl.Snapshot{}, err
	}
	state, err := l.commit(base, next)
	if err != nil {
		return rl.Snapshot{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Stated, state.Stated = rl.Statement{}, rl.Statement{}
	return state, nil
}

// Whoever waits for a lease goes by what is stored, and so must who holds it.
func TestATermIsAsShortAsTheLeaseThatIsStored(t *testing.T) {
	for _, seconds := range []int{1, 5, 14} {
		t.Run(fmt.Sprint(seconds), func(t *testing.T) {
			within(t, func(t *testing.T) {
				m := newMemory()
				lock := shortening{m.lock("a"), seconds}
				a := contend(t, lock)
				sleep(s)
				require.True(t, a.IsLeader())
				b := contend(t, shortening{m.lock("b"), seconds})
				sleep(10 * time.Minute)
				require.Len(t, a.runs(), 1, "it leads on")
				require.Empty(t, b.runs())
				lock.with(func(l *memoryLock) { l.cut = true })
				sleep(20 * s)
				require.Len(t, b.runs(), 1)
				assert.False(t, b.runs()[0].from.Before(a.runs()[0].cancelled), "b began %v before the end of a's term", a.runs()[0].cancelled.Sub(b.runs()[0].from))
				assert.True(t, b.IsLeader())
			})
		})
	}
	within(t, func(t *testing.T) {
		said, _ := listen(t, shortening{newMemory().lock("a"), 5}, time.Minute)
		assert.Equal(t, 1, strings.Count(said, "stored with a shorter duration"), said)
	})
}

func TestAPeerOfOurNameThatKeepsAnnotationsIsASecondProcess(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"))
		sleep(5 * s)
		m.edit(func(s *rl.Snapshot) { s.Record.RenewTime = metav1.NewTime(s.Record.RenewTime.Add(ms)) })
		sleep(2 * s)
		assert.Equal(t, ReasonSameIdentity, a.why(t).Reason)
	})
}

// A term that is over before it begins, as of a process that was stopped between
// the answer to its claim and its work, has no work.
func TestATermThatIsOverBeforeItBeginsHasNoWork(t *testing.T) {
	within(t, func(t *testing.T) {
		cfg := config(newMemory().lock("a"))
		cfg.Callbacks = LeaderCallbacks{OnStartedLeading: func(context.Context) { assert.Fail(t, "it has work") }, OnStoppedLeading: func() {}}
		le, err := NewLeaderElector(cfg)
		require.NoError(t, err)
		sent := le.clock.now()
		sleep(le.timing.term())
		l := le.lead(t.Context(), klog.Background(), &acquisition{state: held("a", "1", 0, 15*s), sent: sent})
		synctest.Wait()
		assert.Equal(t, ReasonRenewDeadline, l.term.ending().Reason)
	})
}

// The first renewal counts from when the claim was sent, like all others.
func TestTheFirstRenewalAfterASlowClaimIsNoLaterThanOthers(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		lock.late = s
		contend(t, lock)
		sleep(10 * s)
		states := m.states()
		require.Greater(t, len(states), 1)
		assert.Equal(t, 2*s, states[1].Record.RenewTime.Sub(states[0].Record.RenewTime.Time).Round(time.Millisecond))
	})
}

// What the calls failed with is part of the reason only where they did not suffice.
func TestATermThatWasTakenDoesNotBlameTheCallThatFoundOut(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"))
		sleep(s)
		m.edit(takenBy("b"))
		sleep(2 * s)
		ended := a.Term().ending()
		require.Equal(t, ReasonTaken, ended.Reason)
		assert.NoError(t, ended.Err)
		assert.Positive(t, ended.Calls)
	})
}

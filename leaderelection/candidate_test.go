package leaderelection

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-go/holdfast/internal/bounded"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// unstated is the state that a holder leaves which states nothing of its
// writes, such as client-go's.
func unstated(s *rl.Snapshot) { s.Stated = rl.Statement{} }

// byHand are edits of a Lease that its holder has not made.
var byHand = map[string]func(*rl.Snapshot){
	"emptied": func(s *rl.Snapshot) { s.Record.HolderIdentity = "" },
	"emptied, with the duration of a release": func(s *rl.Snapshot) {
		s.Record.HolderIdentity, s.Record.LeaseDurationSeconds, s.Duration = "", 1, time.Second
	},
	"emptied, and the time of its acquisition with it": func(s *rl.Snapshot) {
		s.Record.HolderIdentity, s.Record.AcquireTime = "", metav1.Time{}
	},
	"cleared whole":               func(s *rl.Snapshot) { s.Record, s.Duration = rl.LeaderElectionRecord{}, 0 },
	"cleared whole, mark and all": func(s *rl.Snapshot) { s.Record, s.Duration, s.Stated = rl.LeaderElectionRecord{}, 0, rl.Statement{} },
	"emptied by an edit that takes the annotations, too": func(s *rl.Snapshot) {
		s.Record.HolderIdentity, s.Stated = "", rl.Statement{}
	},
}

func TestALeaseEmptiedByHandIsHeldForAsLongAsItWouldHaveBeen(t *testing.T) {
	for name, edit := range byHand {
		for _, marks := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, marked %v", name, marks), func(t *testing.T) {
				within(t, func(t *testing.T) {
					m := newMemory()
					a := m.lock("a")
					leader := contend(t, a)
					sleep(s)
					b := contend(t, m.lock("b"))
					sleep(10*s + 500*ms)
					a.with(func(l *memoryLock) { l.cut = true }) // and notices nothing until its term is over
					if !marks {
						m.edit(unstated)
						sleep(ms)
					}
					ends := m.now().Record.RenewTime.Add(15 * s)
					m.edit(edit)
					sleep(30 * s)
					require.Len(t, b.runs(), 1)
					assert.False(t, b.runs()[0].from.Before(leader.runs()[0].cancelled), "two work at once")
					assert.WithinDuration(t, ends, b.runs()[0].from, soon)
				})
			})
		}
	}
}

func TestOneWhoJustCameWaitsForALeaseThatWasEmptiedByHand(t *testing.T) {
	for name, c := range map[string]struct {
		state func() rl.Snapshot
		free  bool
	}{
		"a duration above the one second of a release": {func() rl.Snapshot { return held("", "", s, 15*s) }, false},
		"a statement that names a holder": {func() rl.Snapshot {
			state := held("", "", s, s)
			state.Stated = rl.Statement{Mark: "m", Holder: "a", RenewTime: state.Record.RenewTime.Time, Duration: 15 * s}
			return state
		}, false},
		"a statement that names a holder, of a record that is gone": {func() rl.Snapshot {
			return rl.Snapshot{Record: rl.LeaderElectionRecord{LeaseDurationSeconds: 1}, Duration: s, Stated: rl.Statement{Mark: "m", Holder: "a", RenewTime: epoch, Duration: 15 * s}}
		}, false},
		"released": {func() rl.Snapshot {
			state := held("", "", s, s)
			state.Stated = rl.Statement{Mark: "m", RenewTime: state.Record.RenewTime.Time, Duration: s}
			return state
		}, true},
		"released by one who states nothing, after one who did": {func() rl.Snapshot {
			state := held("", "", 20*s, s)
			state.Stated = rl.Statement{Mark: "m", Holder: "a", RenewTime: epoch, Duration: 15 * s}
			return state
		}, true},
		"never held": {func() rl.Snapshot {
			return rl.Snapshot{Record: rl.LeaderElectionRecord{LeaseDurationSeconds: 15}, Duration: 15 * s}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				m := newMemory()
				m.edit(func(s *rl.Snapshot) { *s = c.state() })
				b := contend(t, m.lock("b"))
				sleep(s)
				if c.free {
					assert.Len(t, b.runs(), 1)
					return
				}
				assert.Empty(t, b.runs())
				sleep(14*s + soon)
				assert.Len(t, b.runs(), 1)
			})
		})
	}
}

func TestALeaseThatIsGivenAnotherHolderByHandIsStillHeldByTheOneItHad(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := m.lock("a")
		leader := contend(t, a)
		sleep(s)
		b := contend(t, m.lock("b"))
		sleep(500 * ms)
		a.with(func(l *memoryLock) { l.cut = true })
		m.edit(func(state *rl.Snapshot) {
			state.Record.HolderIdentity, state.Record.LeaseDurationSeconds, state.Duration = "x", 1, s
		})
		sleep(30 * s)
		require.Len(t, b.runs(), 1)
		assert.False(t, b.runs()[0].from.Before(leader.runs()[0].cancelled))
	})
}

func TestALeaseMadeAnewByHandIsStillHeldByTheOneItHad(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := m.lock("a")
		leader := contend(t, a)
		sleep(s)
		b := contend(t, m.lock("b"))
		sleep(500 * ms)
		a.with(func(l *memoryLock) { l.cut = true })
		m.remove()
		sleep(s)
		m.edit(func(state *rl.Snapshot) { *state = rl.Snapshot{Duration: 1} })
		sleep(30 * s)
		require.Len(t, b.runs(), 1)
		assert.False(t, b.runs()[0].from.Before(leader.runs()[0].cancelled))
	})
}

func TestADurationEditedByHandMovesNobodysDeadline(t *testing.T) {
	for _, edited := range []int{1, 3, 3600, 0, -5, math.MaxInt32, math.MaxInt64} {
		for _, marks := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d s, marked %v", edited, marks), func(t *testing.T) {
				within(t, func(t *testing.T) {
					m := newMemory()
					a := m.lock("a")
					leader := contend(t, a)
					sleep(s)
					b := contend(t, m.lock("b"))
					sleep(3 * s)
					a.with(func(l *memoryLock) { l.cut = true })
					if !marks {
						m.edit(unstated)
						sleep(ms)
					}
					ends := m.now().Record.RenewTime.Add(15 * s)
					m.edit(func(state *rl.Snapshot) {
						state.Record.LeaseDurationSeconds = edited
						if !state.Stated.Describes(state.Record) {
							state.Duration = time.Duration(edited) * time.Second // overflows, as in a lock of one's own
						}
					})
					sleep(40 * s)
					require.Len(t, b.runs(), 1)
					assert.False(t, b.runs()[0].from.Before(leader.runs()[0].cancelled))
					assert.WithinDuration(t, ends, b.runs()[0].from, soon)
				})
			})
		}
	}
}

// One who comes between two edits has not seen what the holder wrote, but what the
// holder has stated is still there.
func TestADurationAndARenewTimeEditedByHandMoveNobodysDeadline(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := m.lock("a")
		leader := contend(t, a)
		sleep(3 * s)
		a.with(func(l *memoryLock) { l.cut = true })
		m.edit(func(state *rl.Snapshot) { state.Record.LeaseDurationSeconds = 1 })
		b := contend(t, m.lock("b"))
		sleep(s)
		m.edit(func(state *rl.Snapshot) {
			state.Record.RenewTime = metav1.NewTime(state.Record.RenewTime.Add(s))
			state.Duration = s // as a lock tells it that finds the statement not to describe the record
		})
		edited := time.Now()
		sleep(40 * s)
		require.Len(t, b.runs(), 1)
		assert.False(t, b.runs()[0].from.Before(leader.runs()[0].cancelled))
		assert.WithinDuration(t, edited.Add(15*s), b.runs()[0].from, soon)
	})
}

func TestAnEditThatIsNoRenewalDoesNotStartTheWaitAnew(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := m.lock("a")
		contend(t, a)
		sleep(s)
		b := contend(t, m.lock("b"))
		sleep(3 * s)
		a.with(func(l *memoryLock) { l.cut = true })
		ends := m.now().Record.RenewTime.Add(15 * s)
		for n := range 13 {
			m.edit(func(state *rl.Snapshot) {
				state.Record.LeaderTransitions += n % 2
				state.Record.LeaseDurationSeconds = 15 + n%3
				state.Record.PreferredHolder = fmt.Sprint(n % 5)
				state.Record.AcquireTime = metav1.NewTime(state.Record.AcquireTime.Add(-s))
			})
			sleep(s)
		}
		sleep(20 * s)
		require.Len(t, b.runs(), 1)
		assert.WithinDuration(t, ends, b.runs()[0].from, 300*ms)
	})
}

func TestADurationBeyondMeasureIsHonoured(t *testing.T) {
	for name, state := range map[string]rl.Snapshot{
		"a lock that reports the longest there is": func() rl.Snapshot { h := held("x", "", 0, s); h.Duration = math.MaxInt64; return h }(),
		"seconds that overflow when they are multiplied": func() rl.Snapshot {
			h := held("x", "", 0, s)
			h.Record.LeaseDurationSeconds = 18446744074
			h.Duration = time.Duration(h.Record.LeaseDurationSeconds) * time.Second
			return h
		}(),
	} {
		for _, plain := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, plain %v", name, plain), func(t *testing.T) {
				within(t, func(t *testing.T) {
					m := newMemory()
					m.edit(func(s *rl.Snapshot) { *s = state })
					var lock rl.Interface = m.lock("a")
					if plain {
						if state.Record.LeaseDurationSeconds == 1 {
							return // an Interface has no place for it
						}
						lock = plainMemory{m.lock("a"), new(rl.Snapshot)}
					}
					a := contend(t, lock)
					sleep(time.Hour)
					assert.Empty(t, a.runs())
				})
			})
		}
	}
}

// plainMemory is a lock on the memory that is no more than an Interface.
type plainMemory struct {
	l    *memoryLock
	last *rl.Snapshot
}

func (i plainMemory) Get(ctx context.Context) (*rl.LeaderElectionRecord, []byte, error) {
	state, err := i.l.Read(ctx)
	*i.last = state
	return &state.Record, []byte(state.ResourceVersion), err
}
func (i plainMemory) Create(ctx context.Context, record rl.LeaderElectionRecord) error {
	_, err := i.l.Write(ctx, rl.Snapshot{}, rl.Entry{Record: record})
	return err
}
func (i plainMemory) Update(ctx context.Context, record rl.LeaderElectionRecord) error {
	state, err := i.l.Write(ctx, *i.last, rl.Entry{Record: record})
	if err == nil {
		*i.last = state
	}
	return err
}
func (i plainMemory) RecordEvent(string) {}
func (i plainMemory) Identity() string   { return i.l.Identity() }
func (i plainMemory) Describe() string   { return i.l.Describe() }

func TestCoordinatedNeverLeadsWhereAnotherIsPreferred(t *testing.T) {
	coordinated := func(c *LeaderElectionConfig) { c.Coordinated = true }
	const s0 = time.Second // it was appointed a second ago
	appointed := func(m *memory) {
		m.edit(func(s *rl.Snapshot) { *s = held("a", "", time.Since(epoch)-s0, 15*time.Second) })
	}
	prefer := func(whom string) func(*rl.Snapshot) {
		return func(s *rl.Snapshot) { s.Record.PreferredHolder = whom }
	}
	t.Run("given up, it stays given up", func(t *testing.T) {
		within(t, func(t *testing.T) {
			m := newMemory()
			appointed(m)
			a := contend(t, m.lock("a"), coordinated, func(c *LeaderElectionConfig) { c.ContendAgain = true })
			sleep(5 * s)
			require.Len(t, a.runs(), 1)
			m.edit(prefer("b"))
			sleep(time.Minute)
			assert.Len(t, a.runs(), 1)
			assert.False(t, a.IsLeader())
		})
	})
	t.Run("preferred while the answer is lost", func(t *testing.T) {
		within(t, func(t *testing.T) {
			m := newMemory()
			appointed(m)
			lock := m.lock("a")
			lock.loseAnswers, lock.deaf = true, true
			a := contend(t, lock, coordinated)
			sleep(s)
			m.edit(prefer("b"))
			lock.with(func(l *memoryLock) { l.deaf = false })
			sleep(time.Minute)
			assert.Empty(t, a.runs())
		})
	})
	t.Run("preferred by what its claim is answered", func(t *testing.T) {
		within(t, func(t *testing.T) {
			m := newMemory()
			appointed(m)
			a := contend(t, preferring{m.lock("a")}, coordinated)
			sleep(time.Minute)
			assert.Empty(t, a.runs())
		})
	})
	t.Run("its time is over", func(t *testing.T) {
		within(t, func(t *testing.T) {
			m := newMemory()
			appointed(m)
			lock := &readOnlyLock{memoryLock: m.lock("a")}
			switched := &switchedLock{readOnlyLock: lock}
			a := contend(t, switched, coordinated)
			for range 10 {
				sleep(2 * s)
				m.edit(prefer("b"))
				sleep(ms)
				m.edit(prefer(""))
			}
			switched.open.Store(true)
			sleep(time.Minute)
			assert.Empty(t, a.runs())
		})
	})
}

// preferring is a lock whose API prefers another with each write.
type preferring struct{ *memoryLock }

func (l preferring) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	next.Record.PreferredHolder = "b"
	return l.memoryLock.Write(ctx, base, next)
}

// switchedLock may write once it is open.
type switchedLock struct {
	*readOnlyLock
	open atomic.Bool
}

func (l *switchedLock) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	if l.open.Load() {
		return l.memoryLock.Write(ctx, base, next)
	}
	return l.readOnlyLock.Write(ctx, base, next)
}

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

// observe returns who was seen to lead so far.
func observe(t *testing.T, lock *memoryLock, watchErr error) func() []string {
	lock.watchErr = watchErr
	c := config(lock)
	c.Callbacks = LeaderCallbacks{OnStartedLeading: func(context.Context) {}, OnStoppedLeading: func() {}}
	onlooker, err := NewLeaderElector(c)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var seen []string
	closed := make(chan struct{})
	leaders := onlooker.Observe(ctx)
	go func() {
		defer close(closed)
		for leader := range leaders {
			mu.Lock()
			seen = append(seen, leader.Holder)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() { cancel(); <-closed })
	return func() []string { mu.Lock(); defer mu.Unlock(); return append([]string(nil), seen...) }
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
		require.Len(t, b.runs(), 1)
		assert.False(t, b.runs()[0].from.Before(leader.runs()[0].cancelled))
	})
}

func TestAClaimThatTheWatchShowsIsNotWaitedFor(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		m.edit(func(state *rl.Snapshot) { *state = held("", "", 0, s) })
		lock := m.lock("a")
		lock.loseAnswers = true
		a := contend(t, lock)
		sleep(soon)
		assert.Len(t, a.runs(), 1, "the work begins while the call still waits")
		sleep(10 * s)
		lock.with(func(l *memoryLock) { l.loseAnswers = false })
		sleep(time.Minute)
		assert.Len(t, a.runs(), 1)
	})
}

func TestAClaimWhoseAnswerIsLostIsFoundByOneWhoPolls(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		lock.loseAnswers = true
		lock.watchErr = apierrors.NewForbidden(leases, "it", errors.New("no watch for you"))
		a := contend(t, lock)
		sleep(2*s + soon)
		assert.Len(t, a.runs(), 1, "a retry period later")
	})
}

// landing is a lock whose writes arrive after a while, whether or not their
// caller still waits.
type landing struct {
	*memoryLock
	after time.Duration
	heeds bool // it returns when its context ends
}

func (l *landing) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	type answer struct {
		state rl.Snapshot
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		time.Sleep(l.after)
		state, err := l.commit(base, next)
		answers <- answer{state, err}
	}()
	ended := ctx.Done()
	if !l.heeds {
		ended = nil
	}
	select {
	case a := <-answers:
		return a.state, a.err
	case <-ended:
		return rl.Snapshot{}, ctx.Err()
	}
}

func TestALateClaimOfOneWhoHasGoneIsReleased(t *testing.T) {
	for _, after := range []time.Duration{100 * ms, 900 * ms, 1500 * ms} {
		for _, heeds := range []bool{true, false} {
			t.Run(fmt.Sprintf("after %v, heeds its context %v", after, heeds), func(t *testing.T) {
				within(t, func(t *testing.T) {
					m := newMemory()
					lock := &landing{memoryLock: m.lock("a"), after: after, heeds: heeds}
					lock.deaf = true
					a := contend(t, lock, func(c *LeaderElectionConfig) { c.ReleaseOnCancel = true })
					sleep(20*ms + 20*ms)
					a.cancel()
					began := time.Now()
					<-a.ended
					assert.LessOrEqual(t, time.Since(began), 2*s)
					sleep(2 * after) // whatever is still on its way has arrived, one write after another
					assert.Empty(t, a.runs())
					assert.Empty(t, m.now().Record.HolderIdentity, "the record is held by a dead contender")
					_, ours := a.LeaderElector.writes.find(m.states()[0])
					assert.False(t, ours, "what is released is disowned")
				})
			})
		}
	}
}

func TestAWatchWhoseVersionIsTooOldBeginsAfresh(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		m.edit(func(s *rl.Snapshot) { *s = held("x", "", 0, time.Hour) })
		lock := &expired{memoryLock: m.lock("a"), oldest: "101"}
		contend(t, lock)
		sleep(time.Minute)
		assert.LessOrEqual(t, lock.refused.Load(), int32(1), "it asks for the same version again")
	})
}

// expired is a lock that refuses to watch from a version.
type expired struct {
	*memoryLock
	oldest  string
	refused atomic.Int32
}

func (l *expired) Watch(ctx context.Context, from rl.Snapshot, seen func(rl.Snapshot)) error {
	if from.ResourceVersion == l.oldest {
		l.refused.Add(1)
		return apierrors.NewResourceExpired("too old resource version")
	}
	return l.memoryLock.Watch(ctx, from, seen)
}

func TestAStandbyOfAShorterRetryPeriodLearnsTheLeadersHeartbeat(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := m.lock("a")
		contend(t, a, func(c *LeaderElectionConfig) {
			c.LeaseDuration, c.RenewDeadline, c.RetryPeriod = 60*s, 40*s, 10*s
		})
		sleep(s)
		standby := m.lock("b")
		b := contend(t, standby)
		sleep(time.Minute)
		before := standby.readCount()
		sleep(10 * time.Minute)
		assert.LessOrEqual(t, standby.readCount()-before, 2)
		a.with(func(l *memoryLock) { l.cut = true })
		ends := m.now().Record.RenewTime.Add(60 * s)
		sleep(90 * s)
		require.Len(t, b.runs(), 1)
		assert.WithinDuration(t, ends, b.runs()[0].from, soon)
	})
}

func TestAWatchForbiddenForAMomentIsUsedSoonAfter(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		contend(t, m.lock("a"))
		sleep(s)
		standby := m.lock("b")
		standby.watchErr = apierrors.NewForbidden(leases, "it", errors.New("not yet"))
		contend(t, standby)
		sleep(10 * s)
		standby.with(func(l *memoryLock) { l.watchErr = nil })
		sleep(20 * s)
		before := standby.readCount()
		sleep(time.Minute)
		assert.LessOrEqual(t, standby.readCount()-before, 1, "it polls on")
	})
}

// counting counts every call to a lock.
type counting struct {
	*memoryLock
	fails map[string]error
	calls atomic.Int32
}

func (l *counting) Read(ctx context.Context) (rl.Snapshot, error) {
	l.calls.Add(1)
	if err := l.fails["read"]; err != nil {
		return rl.Snapshot{}, err
	}
	return l.memoryLock.Read(ctx)
}

func (l *counting) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	l.calls.Add(1)
	if err := l.fails["write"]; err != nil {
		return rl.Snapshot{}, err
	}
	return l.memoryLock.Write(ctx, base, next)
}

func (l *counting) Watch(ctx context.Context, from rl.Snapshot, seen func(rl.Snapshot)) error {
	l.calls.Add(1)
	if err := l.fails["watch"]; err != nil {
		return err
	}
	return l.memoryLock.Watch(ctx, from, seen)
}

func TestACandidateMakesNoMoreThanTwoRequestsASecondWhateverFails(t *testing.T) {
	refusals := map[string]error{
		"no reason":           errors.New("mvcc: database space exceeded"),
		"database is locked":  apierrors.NewInternalError(errors.New("database is locked")),
		"forbidden":           apierrors.NewForbidden(leases, "it", errors.New("not you")),
		"conflict":            apierrors.NewConflict(leases, "it", errors.New("changed")),
		"too many":            apierrors.NewTooManyRequests("slow down", 0),
		"gone":                apierrors.NewResourceExpired("too old"),
		"a webhook's refusal": &apierrors.StatusError{ErrStatus: metav1.Status{Status: "Failure", Code: 400}},
	}
	verbs := [][]string{{"read"}, {"write"}, {"watch"}, {"write", "watch"}, {"read", "watch"}, {"read", "write", "watch"}}
	for name, refusal := range refusals {
		for _, verbs := range verbs {
			for _, of := range []timing{{15 * s, 10 * s, 2 * s}, {s, 700 * ms, 200 * ms}, {500 * ms, 350 * ms, 100 * ms}} {
				if of.retry < s && verbs[0] == "watch" {
					continue // it polls every retry period, as it was told to
				}
				t.Run(fmt.Sprintf("%s of %v at %v", name, verbs, of.lease), func(t *testing.T) {
					within(t, func(t *testing.T) {
						m := newMemory()
						held := held("x", "", 0, 1000*time.Hour)
						if verbs[0] == "write" {
							held.Record.HolderIdentity, held.Record.LeaseDurationSeconds = "", 1
						}
						m.edit(func(s *rl.Snapshot) { *s = held })
						lock := &counting{memoryLock: m.lock("a"), fails: map[string]error{}}
						for _, verb := range verbs {
							lock.fails[verb] = refusal
						}
						a := contend(t, lock, func(c *LeaderElectionConfig) {
							c.LeaseDuration, c.RenewDeadline, c.RetryPeriod = of.lease, of.deadline, of.retry
						})
						for range 3 {
							before := lock.calls.Load()
							sleep(time.Minute)
							assert.LessOrEqual(t, lock.calls.Load()-before, int32(120))
						}
						assert.LessOrEqual(t, len(a.LeaderElector.writes.writes), mostRemembered)
					})
				})
			}
		}
	}
}

func TestWhatIsRememberedDoesNotGrowWithRefusals(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		m.edit(func(s *rl.Snapshot) { *s = held("", "", 0, time.Second) })
		lock := &readOnlyLock{memoryLock: m.lock("a")}
		a := contend(t, lock)
		sleep(2 * time.Hour)
		assert.Greater(t, lock.writes.Load(), int32(2000))
		assert.LessOrEqual(t, len(a.LeaderElector.writes.writes), 1000)
	})
}

// deafLock hangs, whatever becomes of the context.
type deafLock struct {
	*memoryLock
	hang    atomic.Bool
	waiting atomic.Int32
	back    chan struct{}
}

func (l *deafLock) hangs() {
	if l.hang.Load() {
		l.waiting.Add(1)
		<-l.back
		l.waiting.Add(-1)
	}
}
func (l *deafLock) Read(ctx context.Context) (rl.Snapshot, error) {
	l.hangs()
	return l.memoryLock.Read(ctx)
}
func (l *deafLock) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	l.hangs()
	return l.memoryLock.Write(ctx, base, next)
}
func (l *deafLock) Watch(ctx context.Context, from rl.Snapshot, seen func(rl.Snapshot)) error {
	l.hangs()
	return l.memoryLock.Watch(ctx, from, seen)
}

func TestACandidateGoesOnThoughItsLockIsDeaf(t *testing.T) {
	for _, free := range []bool{true, false} {
		within(t, func(t *testing.T) {
			m := newMemory()
			if !free {
				m.edit(func(s *rl.Snapshot) { *s = held("x", "", 0, 1000*time.Hour) })
			}
			lock := &deafLock{memoryLock: m.lock("a"), back: make(chan struct{})}
			lock.hang.Store(true)
			done := make(chan struct{})
			said, _ := listen(t, lock, 5*time.Minute, func(c *LeaderElectionConfig) {
				c.ReleaseOnCancel = true
				c.Callbacks.OnStoppedLeading = func() { close(done) }
			})
			<-done
			assert.GreaterOrEqual(t, strings.Count(said, "Could not read the lease"), 4, "it says so")
			assert.LessOrEqual(t, lock.waiting.Load(), int32(bounded.Most))
			leaders := make(chan struct{})
			_, le := func() (string, *LeaderElector) { return listen(t, lock, 0) }()
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				defer close(leaders)
				for range le.Observe(ctx) { //nolint:revive // until it is closed
				}
			}()
			sleep(time.Minute)
			cancel()
			sleep(s)
			select {
			case <-leaders:
			default:
				assert.Fail(t, "Observe does not end")
			}
			close(lock.back)
			sleep(time.Minute)
		})
	}
}

func TestACandidateLeavesInTimeThoughItsLockIsDeaf(t *testing.T) {
	for _, hangsAfter := range []time.Duration{0, 5 * s, 14 * s} {
		within(t, func(t *testing.T) {
			m := newMemory()
			m.edit(func(s *rl.Snapshot) { *s = held("x", "", 0, 15*time.Second) })
			lock := &deafLock{memoryLock: m.lock("a"), back: make(chan struct{})}
			a := contend(t, lock, func(c *LeaderElectionConfig) { c.ReleaseOnCancel = true })
			sleep(hangsAfter)
			lock.hang.Store(true)
			sleep(18 * s)
			began := time.Now()
			a.cancel()
			<-a.ended
			assert.LessOrEqual(t, time.Since(began), 2*s)
			close(lock.back)
			sleep(s)
		})
	}
}

func TestTransitionsSaturate(t *testing.T) {
	for before, want := range map[int]int{math.MaxInt32: math.MaxInt32, math.MaxInt32 - 1: math.MaxInt32, math.MaxInt64: math.MaxInt32, -7: 1, 0: 1, 41: 42} {
		base := held("x", "1", 0, s)
		base.Record.LeaderTransitions = before
		assert.Equal(t, want, claim("a", base, s, epoch, 0).LeaderTransitions)
	}
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

// endlessWatch is a lock whose watches tell nothing and never return, whatever
// their contexts, before end is closed.
type endlessWatch struct {
	*memoryLock
	end chan struct{}
}

func (l endlessWatch) Watch(context.Context, rl.Snapshot, func(rl.Snapshot)) error {
	<-l.end
	return nil
}

func TestWatchesThatDoNotReturnKeepNobodyFromTakingOver(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := endlessWatch{m.lock("b"), make(chan struct{})}
		defer close(lock.end)
		a := contend(t, m.lock("a"))
		sleep(s)
		b := contend(t, lock)
		sleep(5 * time.Minute)
		a.cancel()
		sleep(20 * s)
		assert.True(t, b.IsLeader())
	})
}

// A claim that failed keeps its candidate from watching for as long as it may be
// tried again, and not when another holds the lease since.
func TestAClaimThatFailedIsForgottenWhenAnotherHoldsTheLease(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := newMemory().lock("a")
		cfg := config(lock)
		cfg.Callbacks = LeaderCallbacks{OnStartedLeading: func(context.Context) {}, OnStoppedLeading: func() {}}
		le, err := NewLeaderElector(cfg)
		require.NoError(t, err)
		l := le.newLookout(func(rl.Snapshot) {})
		l.deliver(held("b", "1", 0, 15*s))
		l.failClaim(errors.New("refused"))
		require.True(t, l.troubled())
		labelled := held("b", "2", 0, 15*s)
		l.deliver(labelled)
		assert.True(t, l.troubled(), "the same write")
		l.deliver(held("c", "3", s, 15*s))
		assert.False(t, l.troubled())
	})
}

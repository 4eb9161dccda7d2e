package leaderelection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	upstream "k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

type realClock = clock.RealClock

func takenBy(holder string) func(*rl.Snapshot) {
	return func(s *rl.Snapshot) { s.Record.HolderIdentity = holder }
}

// interfaceLock is a lock that is no more than upstream's Interface: it
// remembers what it read last, and may be slow to answer, whatever its context.
type interfaceLock struct {
	*memoryLock
	mu    sync.Mutex
	base  rl.Snapshot
	delay time.Duration
	// slowWrites: writes are as slow as reads.
	slowWrites bool
}

// onlyInterface hides that memoryLock is Versioned.
type onlyInterface struct{ rl.Interface }

func (l *interfaceLock) Get(context.Context) (*rl.LeaderElectionRecord, []byte, error) {
	l.mu.Lock()
	delay := l.delay
	l.mu.Unlock()
	time.Sleep(delay)
	state := l.now()
	l.mu.Lock()
	l.base = state
	l.mu.Unlock()
	if !state.Exists() {
		return nil, nil, apierrors.NewNotFound(leases, "it")
	}
	raw, err := json.Marshal(state.Record)
	return &state.Record, raw, err
}

func (l *interfaceLock) Create(_ context.Context, r rl.LeaderElectionRecord) error {
	return l.put(rl.Snapshot{}, r)
}

func (l *interfaceLock) Update(_ context.Context, r rl.LeaderElectionRecord) error {
	l.mu.Lock()
	base := l.base
	l.mu.Unlock()
	return l.put(base, r)
}

func (l *interfaceLock) put(base rl.Snapshot, r rl.LeaderElectionRecord) error {
	if l.slowWrites {
		l.mu.Lock()
		delay := l.delay
		l.mu.Unlock()
		time.Sleep(delay)
	}
	state, err := l.commit(base, rl.Entry{Record: r, Duration: time.Duration(r.LeaseDurationSeconds) * s})
	if err == nil {
		l.mu.Lock()
		l.base = state
		l.mu.Unlock()
	}
	return err
}

func TestAPlainLockElectsAndTakesOver(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		first := &interfaceLock{memoryLock: m.lock("a")}
		a := contend(t, onlyInterface{first})
		sleep(s)
		require.True(t, a.IsLeader())
		assert.Empty(t, a.Term().FencingToken(), "it tells no resource versions")
		b := contend(t, onlyInterface{&interfaceLock{memoryLock: m.lock("b")}})
		sleep(time.Minute)
		assert.True(t, a.IsLeader())
		first.mu.Lock()
		first.delay = 30 * s
		first.mu.Unlock()
		m.edit(func(*rl.Snapshot) {}) // a label: the next write conflicts, and the read that would settle it hangs
		sleep(time.Minute)
		require.Len(t, b.runs(), 1)
		assert.False(t, b.runs()[0].from.Before(a.runs()[0].to))
		sleep(time.Minute) // the last call comes back
	})
}

// A wrapper around a LeaseLock remembers one state for whoever uses it: the elector,
// and a page of the program's own.
func TestAPlainLockThatSomebodyElseReadsWithIsNotLedByTwo(t *testing.T) {
	within(t, func(t *testing.T) {
		client := fake.NewClientset()
		lock := func(identity string) rl.Interface {
			return onlyInterface{&rl.LeaseLock{
				LeaseMeta: metav1.ObjectMeta{Namespace: "default", Name: "it"}, Client: client.CoordinationV1(),
				LockConfig: rl.ResourceLockConfig{Identity: identity},
			}}
		}
		first := lock("a")
		a := contend(t, first)
		sleep(s)
		var all []*contender
		var reader sync.WaitGroup
		over := make(chan struct{})
		t.Cleanup(reader.Wait)
		t.Cleanup(func() { close(over) })
		for i := range 5 {
			sleep(300 * ms) // else they poll, and claim, in one moment
			shared := lock(fmt.Sprint(i))
			all = append(all, contend(t, shared))
			reader.Go(func() {
				for {
					select {
					case <-over:
						return
					case <-time.After(50 * ms):
						_, _, _ = shared.Get(t.Context())
					}
				}
			})
		}
		sleep(10 * s)
		a.cancel()
		for range 40 {
			sleep(s)
			leading := 0
			for _, c := range all {
				if c.IsLeader() {
					leading++
				}
			}
			require.LessOrEqual(t, leading, 1)
		}
		assert.True(t, slices.ContainsFunc(all, func(c *contender) bool { return c.IsLeader() }))
	})
}

func TestALateAnswerDoesNotChangeWhatAPlainLocksWriteIsBasedOn(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		m.edit(func(s *rl.Snapshot) { *s = held("other", "", 0, 15*time.Second) })
		lock := &interfaceLock{memoryLock: m.lock("a")}
		p := newBoundedLock(onlyInterface{lock}, timepiece{realClock{}}, nil, timing{})
		seen, err := p.Read(t.Context())
		require.NoError(t, err)

		lock.mu.Lock()
		lock.delay = 5 * s
		lock.mu.Unlock()
		ctx, cancel := context.WithTimeout(t.Context(), s)
		defer cancel()
		_, err = p.Read(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		m.edit(func(s *rl.Snapshot) { s.Record.RenewTime = metav1.NewTime(epoch.Add(time.Minute)) })
		_, err = p.Write(t.Context(), seen, rl.Entry{Record: claim("a", seen, 15*s, epoch, 0), Duration: 15 * s})
		assert.True(t, apierrors.IsConflict(err), "%v", err)
		assert.Equal(t, "other", m.now().Record.HolderIdentity, "a renewal that the elector never saw was not overwritten")
	})
}

func TestClientGosOwnLockWorks(t *testing.T) {
	within(t, func(t *testing.T) {
		client := fake.NewClientset()
		lock := func(id string) rl.Interface {
			return &upstream.LeaseLock{
				LeaseMeta: metav1.ObjectMeta{Namespace: "default", Name: "it"}, Client: client.CoordinationV1(),
				LockConfig: upstream.ResourceLockConfig{Identity: id},
			}
		}
		release := func(c *LeaderElectionConfig) { c.ReleaseOnCancel = true }
		a := contend(t, lock("a"), release)
		sleep(5 * s)
		b := contend(t, lock("b"), release)
		sleep(time.Minute)
		assert.True(t, a.IsLeader())
		assert.Len(t, a.runs(), 1)
		a.cancel()
		sleep(5 * s)
		assert.True(t, b.IsLeader())
	})
}

// TestALostWriteOfAPlainLockDoesNotHoldUpTheOthers: its calls take turns, so a
// write that is never answered may have its turn for a while only.
func TestALostWriteOfAPlainLockDoesNotHoldUpTheOthers(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := &losingLock{onlyInterface: onlyInterface{&interfaceLock{memoryLock: newMemory().lock("a")}}}
		a := contend(t, lock)
		sleep(3 * s)
		lock.lose.Store(1)
		sleep(30 * s)
		assert.Zero(t, lock.lose.Load(), "an update was lost")
		assert.True(t, a.IsLeader())
		assert.Len(t, a.runs(), 1)
	})
}

// losingLock loses some updates: nothing is heard of them.
type losingLock struct {
	onlyInterface
	lose atomic.Int32
}

func (l *losingLock) Update(ctx context.Context, r rl.LeaderElectionRecord) error {
	if l.lose.Load() > 0 {
		l.lose.Add(-1)
		<-ctx.Done()
		return ctx.Err()
	}
	return l.onlyInterface.Update(ctx, r)
}

// deafPlain is a lock whose every call takes as long, whatever its context.
type deafPlain struct {
	*interfaceLock
	takes time.Duration
}

func (l *deafPlain) Get(ctx context.Context) (*rl.LeaderElectionRecord, []byte, error) {
	time.Sleep(l.takes)
	return l.interfaceLock.Get(ctx)
}

func (l *deafPlain) Create(ctx context.Context, r rl.LeaderElectionRecord) error {
	time.Sleep(l.takes)
	return l.interfaceLock.Create(ctx, r)
}

func (l *deafPlain) Update(ctx context.Context, r rl.LeaderElectionRecord) error {
	time.Sleep(l.takes)
	return l.interfaceLock.Update(ctx, r)
}

func TestAPlainLockThatIsSlowAndDeafKeepsItsLeader(t *testing.T) {
	for _, of := range []timing{{15 * s, 10 * s, 2 * s}, {15 * s, 10 * s, 500 * ms}, {60 * s, 40 * s, 5 * s}} {
		for part := range time.Duration(10) {
			t.Run(fmt.Sprintf("%v,%d of ten", of.lease, part), func(t *testing.T) {
				within(t, func(t *testing.T) {
					lock := &deafPlain{&interfaceLock{memoryLock: newMemory().lock("a")}, of.term() / 2 * part / 10}
					a := contend(t, onlyInterface{lock}, func(c *LeaderElectionConfig) {
						c.LeaseDuration, c.RenewDeadline, c.RetryPeriod = of.lease, of.deadline, of.retry
					})
					sleep(10 * time.Minute)
					assert.True(t, a.IsLeader(), "at %v", lock.takes)
					assert.Len(t, a.runs(), 1)
					a.cancel()
					sleep(of.term()) // what it has called returns
				})
			})
		}
	}
}

// careless is a lock that does not compare what an Update is based on, as client-go's
// around its fake clientset.
type careless struct {
	*memory
	identity string
	dead     *atomic.Bool
	// meet makes a claim wait for that of the other, so that both are let through.
	meet *meeting
}

// meeting is one of two who wait for each other, for a while.
type meeting struct {
	here atomic.Int32
	both chan struct{}
}

func (m *meeting) wait() {
	if m.here.Add(1) == 2 {
		close(m.both)
	}
	select {
	case <-m.both:
	case <-time.After(8 * s):
	}
}

func (l careless) Get(context.Context) (*rl.LeaderElectionRecord, []byte, error) {
	if l.dead.Load() {
		return nil, nil, errors.New("the connection was refused")
	}
	record := l.now().Record
	if record == (rl.LeaderElectionRecord{}) {
		return nil, nil, apierrors.NewNotFound(leases, "it")
	}
	raw, err := json.Marshal(record)
	return &record, raw, err
}

func (l careless) Create(ctx context.Context, record rl.LeaderElectionRecord) error {
	return l.Update(ctx, record)
}

func (l careless) Update(_ context.Context, record rl.LeaderElectionRecord) error {
	if l.dead.Load() {
		return errors.New("the connection was refused")
	}
	if l.meet != nil && l.now().Record.HolderIdentity != l.identity {
		l.meet.wait()
	}
	l.edit(func(state *rl.Snapshot) { state.Record = record })
	return nil
}

func (l careless) RecordEvent(string) {}
func (l careless) Identity() string   { return l.identity }
func (l careless) Describe() string   { return "test/it" }

// Two standbys that claim at one moment through such a lock both believe that they
// lead, but not for long.
func TestOfTwoClaimsThatACarelessLockLetsThroughOneIsFoundOutSoon(t *testing.T) {
	within(t, func(t *testing.T) {
		m, dead := newMemory(), new(atomic.Bool)
		contend(t, onlyInterface{careless{m, "a", dead, nil}})
		sleep(s)
		claims := &meeting{both: make(chan struct{})}
		b := contend(t, onlyInterface{careless{m, "b", new(atomic.Bool), claims}})
		c := contend(t, onlyInterface{careless{m, "c", new(atomic.Bool), claims}})
		sleep(20 * s)
		dead.Store(true)
		both := time.Duration(0)
		for range 6000 {
			sleep(10 * ms)
			if b.IsLeader() && c.IsLeader() {
				both += 10 * ms
			}
		}
		assert.Positive(t, both, "both claims are let through")
		assert.LessOrEqual(t, both, 500*ms+soon, "a quarter of a retry period")
		assert.True(t, b.IsLeader() || c.IsLeader(), "one leads on")
	})
}

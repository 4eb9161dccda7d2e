package leaderelection

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	upstream "k8s.io/client-go/tools/leaderelection"
	"k8s.io/klog/v2"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// countingLock is a Lease in memory with one contender, whose lock answers at
// once and allocates as little as it can. It serves both electors, and tells
// when it has been renewed often enough.
type countingLock struct {
	mu      sync.Mutex
	state   rl.Snapshot
	version int
	left    int
	done    chan struct{}
}

func (l *countingLock) put(next rl.Entry) rl.Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.version++
	l.state = rl.Snapshot{Record: next.Record, Duration: next.Duration, Stated: next.Statement(), ResourceVersion: strconv.Itoa(l.version)}
	if l.left--; l.left == 0 {
		close(l.done)
	}
	return l.state
}

func (l *countingLock) now() rl.Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

func (l *countingLock) Read(context.Context) (rl.Snapshot, error) { return l.now(), nil }

func (l *countingLock) Write(_ context.Context, _ rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	return l.put(next), nil
}

func (l *countingLock) Watch(ctx context.Context, _ rl.Snapshot, _ func(rl.Snapshot)) error {
	<-ctx.Done()
	return ctx.Err()
}

func (l *countingLock) Get(context.Context) (*rl.LeaderElectionRecord, []byte, error) {
	state := l.now()
	if !state.Exists() {
		return nil, nil, apierrors.NewNotFound(leases, "it")
	}
	raw, err := json.Marshal(state.Record)
	return &state.Record, raw, err
}

func (l *countingLock) Create(ctx context.Context, r rl.LeaderElectionRecord) error {
	return l.Update(ctx, r)
}

func (l *countingLock) Update(_ context.Context, r rl.LeaderElectionRecord) error {
	l.put(rl.Entry{Record: r, Duration: 15 * time.Second})
	return nil
}

func (l *countingLock) RecordEvent(string)           {}
func (l *countingLock) Identity() string             { return "me" }
func (l *countingLock) Describe() string             { return "test/it" }
func (l *countingLock) Bound() (time.Duration, bool) { return 0, true }

// BenchmarkElectorRenew is what an elector does of its own for a renewal, with a
// lock that costs nothing. Look at B/op and allocs/op: the time of one is the
// retry period, here the shortest, with what timers add to it.
func BenchmarkElectorRenew(b *testing.B) {
	const retry = leastRetry
	work := func(ctx context.Context) { <-ctx.Done() }
	for _, impl := range []struct {
		name string
		run  func(context.Context, *countingLock) error
	}{
		{"impl=holdfast", func(ctx context.Context, lock *countingLock) error {
			elector, err := NewLeaderElector(LeaderElectionConfig{
				Lock: lock, LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: retry,
				Callbacks: LeaderCallbacks{OnStartedLeading: work, OnStoppedLeading: func() {}},
			})
			if err == nil {
				elector.Run(ctx)
			}
			return err
		}},
		{"impl=client-go", func(ctx context.Context, lock *countingLock) error {
			elector, err := upstream.NewLeaderElector(upstream.LeaderElectionConfig{
				Lock: lock, LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: retry,
				Callbacks: upstream.LeaderCallbacks{OnStartedLeading: work, OnStoppedLeading: func() {}},
			})
			if err == nil {
				elector.Run(ctx)
			}
			return err
		}},
	} {
		b.Run(impl.name, func(b *testing.B) {
			lock := &countingLock{left: b.N + 1, done: make(chan struct{})} // and one write to win
			quiet := klog.NewContext(context.Background(), klog.Logger{})   // a log line would break benchstat's
			ctx, cancel := context.WithCancel(quiet)
			ended := make(chan error, 1)
			b.ReportAllocs()
			b.ResetTimer()
			go func() { ended <- impl.run(ctx, lock) }()
			select {
			case <-lock.done:
			case err := <-ended:
				ended <- errors.Join(err, errors.New("the elector has ended"))
			}
			b.StopTimer()
			cancel()
			if err := <-ended; err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkTakeIn is what a candidate does with a record that a watch or a read
// has brought: a renewal, or the record it knows.
func BenchmarkTakeIn(b *testing.B) {
	of := timing{15 * s, 10 * s, 2 * s}
	known, _ := observation{}.next(held("a", "10", 0, 15*s), after(0), of)
	renewed, same := held("a", "11", 2*s, 15*s), held("a", "12", 0, 15*s)
	for _, state := range []struct {
		name string
		rl.Snapshot
	}{{"record=renewed", renewed}, {"record=known", same}} {
		b.Run(state.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				known.next(state.Snapshot, after(2*s), of)
			}
		})
	}
}

func TestTakingInARecordAllocatesNothing(t *testing.T) {
	of := timing{15 * s, 10 * s, 2 * s}
	known, changed := observation{}.next(held("a", "10", 0, 15*s), after(0), of)
	require.True(t, changed)
	renewed := held("a", "11", 2*s, 15*s)
	allocs := testing.AllocsPerRun(100, func() {
		_, changed = known.next(renewed, after(2*s), of)
		known.claimableAfter()
	})
	assert.Zero(t, allocs)
	assert.True(t, changed)
}

package leaderelection

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"

	"github.com/holdfast-go/holdfast/internal/death"
	"github.com/holdfast-go/holdfast/internal/simulation"
	"github.com/holdfast-go/holdfast/leaderelection/witness"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// This file is what the faults of sim_finds_test.go put in front of an elector: locks,
// clocks and witnesses that break one rule each.

// boundOrNot is a lock that says of its bound what the one in it says.
type boundOrNot struct{ rl.Versioned }

func (l boundOrNot) Bound() (time.Duration, bool) {
	if bounded, ok := l.Versioned.(rl.Bounded); ok {
		return bounded.Bound()
	}
	return 0, false
}

// rewritten shows every state otherwise.
type rewritten struct {
	boundOrNot
	change func(rl.Snapshot) rl.Snapshot
}

func seeing(change func(rl.Snapshot) rl.Snapshot) func(*simulation.Process, rl.Versioned) rl.Versioned {
	return func(_ *simulation.Process, l rl.Versioned) rl.Versioned { return &rewritten{boundOrNot{l}, change} }
}

func (l *rewritten) Read(ctx context.Context) (rl.Snapshot, error) {
	s, err := l.Versioned.Read(ctx)
	return l.change(s), err
}

func (l *rewritten) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	s, err := l.Versioned.Write(ctx, base, next)
	return l.change(s), err
}

func (l *rewritten) Watch(ctx context.Context, from rl.Snapshot, seen func(rl.Snapshot)) error {
	return l.Versioned.Watch(ctx, from, func(s rl.Snapshot) { seen(l.change(s)) })
}

// markless keeps no marks.
type markless struct{ boundOrNot }

func (l *markless) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	next.Mark = ""
	s, err := l.Versioned.Write(ctx, base, next)
	s.Stated = rl.Statement{}
	return s, err
}

func (l *markless) Read(ctx context.Context) (rl.Snapshot, error) {
	s, err := l.Versioned.Read(ctx)
	s.Stated = rl.Statement{}
	return s, err
}

func (l *markless) Watch(ctx context.Context, from rl.Snapshot, seen func(rl.Snapshot)) error {
	return l.Versioned.Watch(ctx, from, func(s rl.Snapshot) {
		s.Stated = rl.Statement{}
		seen(s)
	})
}

// hasty gives every call up early.
type hasty struct {
	boundOrNot
	bound time.Duration
}

func (l *hasty) Read(ctx context.Context) (rl.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, l.bound/2)
	defer cancel()
	return l.Versioned.Read(ctx)
}

func (l *hasty) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, l.bound/2)
	defer cancel()
	return l.Versioned.Write(ctx, base, next)
}

// neverBack shows no state of a version below the highest it has shown.
type neverBack struct {
	boundOrNot
	mu     sync.Mutex
	newest rl.Snapshot
}

func (l *neverBack) newer(s rl.Snapshot) rl.Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.Exists() && len(s.ResourceVersion) <= len(l.newest.ResourceVersion) && s.ResourceVersion < l.newest.ResourceVersion {
		return l.newest
	}
	l.newest = s
	return s
}

func (l *neverBack) Read(ctx context.Context) (rl.Snapshot, error) {
	s, err := l.Versioned.Read(ctx)
	if err != nil {
		return s, err
	}
	return l.newer(s), nil
}

func (l *neverBack) Watch(ctx context.Context, from rl.Snapshot, seen func(rl.Snapshot)) error {
	return l.Versioned.Watch(ctx, from, func(s rl.Snapshot) { seen(l.newer(s)) })
}

// stubborn begins every watch with what the first that was answered 410 Gone
// began with.
type stubborn struct {
	boundOrNot
	mu   sync.Mutex
	from *rl.Snapshot
}

func (l *stubborn) Watch(ctx context.Context, from rl.Snapshot, seen func(rl.Snapshot)) error {
	l.mu.Lock()
	if l.from != nil {
		from = *l.from
	}
	l.mu.Unlock()
	err := l.Versioned.Watch(ctx, from, seen)
	if apierrors.IsResourceExpired(err) {
		l.mu.Lock()
		l.from = &from
		l.mu.Unlock()
	}
	return err
}

// offended does not watch for ten minutes after it was forbidden to.
type offended struct {
	boundOrNot
	mu    sync.Mutex
	since time.Time
	err   error
}

func (l *offended) Watch(ctx context.Context, from rl.Snapshot, seen func(rl.Snapshot)) error {
	l.mu.Lock()
	since, err := l.since, l.err
	l.mu.Unlock()
	if err != nil && time.Since(since) < 10*time.Minute {
		return err
	}
	err = l.Versioned.Watch(ctx, from, seen)
	if apierrors.IsForbidden(err) {
		l.mu.Lock()
		l.since, l.err = time.Now(), err
		l.mu.Unlock()
	}
	return err
}

// impatient writes ten times what is refused.
type impatient struct{ boundOrNot }

func (l *impatient) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (s rl.Snapshot, err error) {
	for range 10 {
		if s, err = l.Versioned.Write(ctx, base, next); err == nil || ctx.Err() != nil {
			break
		}
	}
	return s, err
}

// grudging remembers every call that failed.
type grudging struct {
	boundOrNot
	failures atomic.Int32
}

func (l *grudging) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	s, err := l.Versioned.Write(ctx, base, next)
	if err != nil {
		l.failures.Add(1)
	}
	return s, err
}

func (l *grudging) Read(ctx context.Context) (rl.Snapshot, error) {
	s, err := l.Versioned.Read(ctx)
	if err != nil {
		l.failures.Add(1)
	}
	return s, err
}

// gullible takes any proof for one about whoever it was asked about.
type gullible struct{ witness.Witness }

func (w gullible) Await(ctx context.Context, testimony string) (witness.Proof, error) {
	proof, err := w.Witness.Await(ctx, testimony)
	proof.Testimony = testimony
	return proof, err
}

// verdict is a rig whose Pod witness goes by another rule.
func verdict(rule func(death.PodTestimony, *corev1.Pod) (string, error)) rig {
	return rig{changed: func(p *simulation.Process, _ *LeaderElectionConfig) { p.Verdict = rule }}
}

func containersOf(pod *corev1.Pod) []corev1.ContainerStatus {
	if pod == nil {
		return nil
	}
	return pod.Status.ContainerStatuses
}

// chatty records an event with each call, and waits for it.
type chatty struct{ boundOrNot }

func (l *chatty) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	s, err := l.Versioned.Write(ctx, base, next)
	l.RecordEvent("wrote")
	return s, err
}

// counted counts the calls that have not returned.
type counted struct {
	boundOrNot
	p       *simulation.Process
	running sync.WaitGroup
}

func (l *counted) Read(ctx context.Context) (rl.Snapshot, error) {
	l.running.Add(1)
	defer l.running.Done()
	return l.Versioned.Read(ctx)
}

func (l *counted) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	l.running.Add(1)
	defer l.running.Done()
	return l.Versioned.Write(ctx, base, next)
}

// anotherElector runs another elector of the same configuration in place of one
// that runs already.
func anotherElector(_ *simulation.Process, le *LeaderElector, ctx context.Context) {
	another, err := NewLeaderElector(le.config)
	if err != nil {
		panic(err)
	}
	another.Run(ctx)
}

// steadyClock hides that a machine was suspended.
type steadyClock struct {
	clock.WithDelayedExecution
	began time.Time
}

func (c steadyClock) Now() time.Time {
	began := c.began.Round(0)
	return began.Add(c.WithDelayedExecution.Now().Sub(c.began))
}

func (c steadyClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// wallClock measures time by the time of day.
type wallClock struct{ clock.WithDelayedExecution }

func (c wallClock) Now() time.Time                  { return c.WithDelayedExecution.Now().Round(0) }
func (c wallClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

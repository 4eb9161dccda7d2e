package simulation

import (
	"context"
	"encoding/json"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// Get implements resourcelock.Interface.
func (l *Lock) Get(ctx context.Context) (*rl.LeaderElectionRecord, []byte, error) {
	s, err := l.Read(ctx)
	if err != nil {
		return nil, nil, err
	}
	if !s.Exists() {
		return nil, nil, apierrors.NewNotFound(leases, "lease")
	}
	l.remember(s)
	raw, err := json.Marshal(s.Record)
	return &s.Record, raw, err
}

// Create implements resourcelock.Interface.
func (l *Lock) Create(ctx context.Context, record rl.LeaderElectionRecord) error {
	return l.put(ctx, rl.Snapshot{}, record)
}

// Update implements resourcelock.Interface.
func (l *Lock) Update(ctx context.Context, record rl.LeaderElectionRecord) error {
	l.mu.Lock()
	base := l.last
	l.mu.Unlock()
	return l.put(ctx, base, record)
}

func (l *Lock) put(ctx context.Context, base rl.Snapshot, record rl.LeaderElectionRecord) error {
	s, err := l.Write(ctx, base, rl.Entry{Record: record, Duration: time.Duration(record.LeaseDurationSeconds) * time.Second})
	if err == nil {
		l.remember(s)
	}
	return err
}

func (l *Lock) remember(s rl.Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = s
}

// plainLock hides what Lock has beyond resourcelock.Interface.
type plainLock struct{ rl.Interface }

// boundedLock is a Lock whose every call returns by itself, as one on hardened
// connections does.
type boundedLock struct {
	*Lock
	bound time.Duration
}

var _ rl.Bounded = boundedLock{}

// Bound implements resourcelock.Bounded.
func (l boundedLock) Bound() (time.Duration, bool) { return l.bound, true }

package leaderelection

import (
	"context"
	"errors"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-go/holdfast/internal/status"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// errNoWatch says that a lock has no watch at all.
var errNoWatch = errors.New("the lock cannot be watched")

// plainLock makes a resourcelock.Versioned of a lock that is no more than an
// Interface. Such a lock remembers by itself what its Update is based on, so
// the calls must take turns, also when one was given up by its caller and is
// still under way: else a late answer would change what the next write is based
// on behind the elector's back.
type plainLock struct {
	rl.Interface
	clock timepiece
	turn  chan struct{}
	// last is the state that the lock bases its next Update on, raw how the lock
	// showed it, and count how many there were: a raw form may be too coarse to
	// tell two states apart.
	last  rl.Snapshot
	raw   string
	count int
}

// versioned returns what an elector on that clock uses lock through.
func versioned(lock rl.Interface, clock timepiece) rl.Versioned {
	v, ok := lock.(rl.Versioned)
	if _, hardened := boundOf(lock); ok && !hardened {
		return limitedLock{v}
	}
	if ok {
		return v
	}
	return &plainLock{Interface: lock, clock: clock, turn: make(chan struct{}, 1)}
}

// Read implements Versioned.
func (p *plainLock) Read(ctx context.Context) (rl.Snapshot, error) {
	return p.take(ctx, func(ctx context.Context) (rl.Snapshot, error) {
		record, raw, err := p.Get(ctx)
		switch {
		case status.Absent(err):
			p.last, p.raw = rl.Snapshot{}, ""
			return rl.Snapshot{}, nil
		case err != nil:
			return rl.Snapshot{}, err
		case record == nil:
			return rl.Snapshot{}, errors.New("lock " + p.Describe() + " returned neither a record nor an error")
		}
		return p.state(*record, string(raw)), nil
	})
}

// Write implements Versioned.
func (p *plainLock) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	return p.take(ctx, func(ctx context.Context) (rl.Snapshot, error) {
		if base.ResourceVersion != p.last.ResourceVersion {
			return rl.Snapshot{}, apierrors.NewConflict(schema.GroupResource{Resource: "locks"}, p.Describe(),
				errors.New("the lock has read another state since"))
		}
		var err error
		if base.Exists() {
			err = p.Update(ctx, next.Record)
		} else {
			err = p.Create(ctx, next.Record)
		}
		if err != nil {
			return rl.Snapshot{}, err
		}
		return p.state(next.Record, ""), nil
	})
}

// Watch implements Versioned.
func (p *plainLock) Watch(context.Context, rl.Snapshot, func(rl.Snapshot)) error { return errNoWatch }

// state makes record, which the lock has just read or written, the last state,
// and gives it a version of its own unless it is the state known before.
func (p *plainLock) state(record rl.LeaderElectionRecord, raw string) rl.Snapshot {
	state := rl.Snapshot{
		Record:          record,
		Duration:        secondsOf(record),
		ResourceVersion: p.last.ResourceVersion,
	}
	if !p.last.Exists() || raw != p.raw || !sameRecord(p.last, state) {
		p.count++
		state.ResourceVersion = strconv.Itoa(p.count)
	}
	p.last, p.raw = state, raw
	return state
}

// take makes call when its turn has come, unless ctx ends before.
func (p *plainLock) take(ctx context.Context, call func(context.Context) (rl.Snapshot, error)) (rl.Snapshot, error) {
	if err := p.queue(ctx); err != nil {
		return rl.Snapshot{}, err
	}
	defer func() { <-p.turn }()
	return toldWhy(ctx, call)
}

// queue waits for the turn. A call that had to wait for another gives that one's
// caller a moment to do without it: a lock may be as slow as it was, and deaf to
// the end of a context.
func (p *plainLock) queue(ctx context.Context) error {
	select {
	case p.turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	p.clock.sleep(ctx, courtesy)
	if ctx.Err() != nil {
		<-p.turn
		return context.Cause(ctx)
	}
	return nil
}

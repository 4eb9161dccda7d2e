package simulation

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

var (
	errDead    = errors.New("this process is dead")
	errUnheard = errors.New("no answer in time")
)

// Lock is one process's way to the lease. It implements resourcelock.Versioned
// and, with what Get, Create and Update saw last, resourcelock.Interface.
type Lock struct {
	p *Process
	// limit bounds each call by itself, in true time; zero leaves that to the
	// caller.
	limit time.Duration

	mu   sync.Mutex
	last rl.Snapshot
}

var _ rl.Versioned = (*Lock)(nil)

// Identity implements resourcelock.Interface.
func (l *Lock) Identity() string { return l.p.Identity }

// Describe implements resourcelock.Interface.
func (l *Lock) Describe() string { return "simulated/lease" }

// RecordEvent implements resourcelock.Interface; the timeline has its own.
func (l *Lock) RecordEvent(string) {}

// Read implements resourcelock.Versioned.
func (l *Lock) Read(ctx context.Context) (rl.Snapshot, error) {
	w := l.p.world
	s, err := l.roundTrip(ctx, "read", func() (state, error) { return w.store.current(), nil })
	if err != nil {
		return rl.Snapshot{}, err
	}
	return s.Snapshot, nil
}

// Write implements resourcelock.Versioned.
func (l *Lock) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	w, p := l.p.world, l.p
	sent := p.clock.Now()
	w.mu.Lock()
	if p.dead() {
		w.mu.Unlock()
		return rl.Snapshot{}, errDead
	}
	p.sends(base, next.Record)
	if !base.Exists() {
		w.lastCreate = w.now()
	}
	w.mu.Unlock()
	s, err := l.roundTrip(ctx, "write", func() (state, error) {
		written, err := w.store.replace(base, state{
			Snapshot:  rl.Snapshot{Record: next.Record, Duration: next.Duration, Stated: next.Statement()},
			committed: w.now(), author: p, sent: sent,
		}, w.options.Break == Preconditions)
		if err != nil {
			w.note(p.name, "  its write, based on %s, is refused: %v", base.ResourceVersion, err)
			return state{}, err
		}
		w.committed(p, written)
		return written, nil
	})
	if err != nil {
		return rl.Snapshot{}, err
	}
	return s.Snapshot, nil
}

// roundTrip sends a request, which serve executes under the world's mutex, and
// waits for its answer. What the process is told, the judge notes.
func (l *Lock) roundTrip(ctx context.Context, kind string, serve func() (state, error)) (state, error) {
	p, w := l.p, l.p.world
	if l.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, l.limit, errUnheard)
		defer cancel()
	}
	w.mu.Lock()
	if p.dead() {
		w.mu.Unlock()
		return state{}, errDead
	}
	f := p.host.fate(kind)
	sent := w.now()
	if w.options.Break == Silence && kind == "write" && p.leading && p.host.chance("silence").IntN(4) == 0 {
		f.lost = true
	}
	w.mu.Unlock()

	if f.before != nil {
		if err := p.wait(ctx, f.up+f.down); err != nil {
			return state{}, err
		}
		return state{}, l.failed(ctx, kind, f.before)
	}
	if f.twin > 0 && !f.lost {
		time.AfterFunc(f.twin, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			if kind == "write" && !w.over {
				_, _ = serve() // nobody hears what becomes of a twin
			}
		})
	}
	if f.lost {
		return state{}, l.unheard(ctx, kind, "is lost")
	}
	if err := p.wait(ctx, f.up); err != nil {
		if f.lands && kind == "write" {
			time.AfterFunc(f.up-(w.elapsed()-sent), func() {
				w.mu.Lock()
				defer w.mu.Unlock()
				if !w.over {
					w.note(p.name, "  a write that it gave up arrives")
					_, _ = serve() // nor of one given up
				}
			})
		}
		return state{}, l.failed(ctx, kind, err)
	}
	w.mu.Lock()
	if p.host.weather == Cut {
		w.mu.Unlock()
		return state{}, l.unheard(ctx, kind, "is lost")
	}
	s, err := serve()
	w.mu.Unlock()
	if f.mute {
		return state{}, l.unheard(ctx, kind, "is never answered")
	}
	if waitErr := p.wait(ctx, f.down); waitErr != nil {
		return state{}, l.failed(ctx, kind, waitErr)
	}
	if f.after != nil {
		err = f.after
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case p.dead():
		return state{}, errDead
	case p.host.weather == Cut && sent < p.host.since:
		w.mu.Unlock()
		err = l.unheard(ctx, kind, "is never answered")
		w.mu.Lock()
		return state{}, err
	case err != nil:
		w.note(p.name, "  its %s is answered: %v", kind, err)
		return state{}, err
	}
	p.told(s, kind, sent)
	return s, nil
}

// unheard waits until the caller gives up.
func (l *Lock) unheard(ctx context.Context, kind, what string) error {
	l.p.world.say(l.p.name, "  its %s %s", kind, what)
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.p.died:
		return errDead
	}
}

// failed notes why a request failed. Who ended a context first has no order
// where several did at one moment, and is not noted.
func (l *Lock) failed(ctx context.Context, kind string, err error) error {
	switch {
	case errors.Is(err, errDead):
	case ctx.Err() != nil:
		l.p.world.say(l.p.name, "  its %s is given up", kind)
	default:
		l.p.world.say(l.p.name, "  its %s fails: %v", kind, err)
	}
	return fmt.Errorf("%s: %w", kind, err)
}

// wait lets d pass, unless the caller gives up or the process dies.
func (p *Process) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-p.died:
		return errDead
	}
}

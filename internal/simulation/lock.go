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

var (
	_ rl.Versioned = (*Lock)(nil)
	_ rl.Wisher    = (*Lock)(nil)
)

// Identity implements resourcelock.Interface.
func (l *Lock) Identity() string { return l.p.Identity }

// Describe implements resourcelock.Interface.
func (l *Lock) Describe() string { return "simulated/lease" }

// RecordEvent implements resourcelock.Interface.
func (l *Lock) RecordEvent(event string) { l.p.record(event) }

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
	written := p.writing(base.ResourceVersion, next.Record)
	if written == nil {
		return rl.Snapshot{}, errDead
	}
	written.Snapshot = rl.Snapshot{Record: next.Record, Duration: next.Duration, Stated: next.Statement(), Wished: base.Wished}
	written.lease = next.Duration
	w.mutate(written)
	s, err := l.roundTrip(ctx, "write", func() (state, error) { return w.execute(p, base.ResourceVersion, *written) })
	if err != nil {
		return rl.Snapshot{}, err
	}
	return s.Snapshot, nil
}

// Wish implements resourcelock.Wisher.
func (l *Lock) Wish(ctx context.Context, base rl.Snapshot, by string, priority int) (rl.Snapshot, error) {
	s, err := l.p.wish(ctx, base.ResourceVersion, func(s *state) { s.Wished = base.NewWish(by, priority) })
	return s.Snapshot, err
}

// wish leaves a wish in the Lease, which changes neither its record nor who wrote that.
func (p *Process) wish(ctx context.Context, base string, change func(*state)) (state, error) {
	w := p.world
	return p.roundTrip(ctx, "wish", func() (state, error) {
		if err := w.store.check(base); err != nil {
			return state{}, err
		}
		w.note(p.name, "asks for the lease, on version %s", base)
		return w.store.edit(w.now(), change), nil
	})
}

// writing notes that the process sends a write, and returns what is known of it
// by then; nil if the process is dead.
func (p *Process) writing(base string, next rl.LeaderElectionRecord) *state {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.dead() {
		return nil
	}
	p.sends(base, next)
	if base == "" {
		w.lastCreate = w.now()
	}
	return &state{author: p, sent: p.clock.Now(), claim: p.claiming(base, next)}
}

// execute is what the API does with a write; the mutex is held.
func (w *World) execute(p *Process, base string, next state) (state, error) {
	if err := w.store.check(base); err != nil && w.options.Break != Preconditions {
		w.note(p.name, "  its write, based on %s, is refused: %v", base, err)
		return state{}, err
	}
	if now := w.store.current(); next.claim && p.Coordinated && now.Record.PreferredHolder != "" && !w.options.Reference {
		w.violated("appointment", p, "begins a term though the API server prefers %q", now.Record.PreferredHolder)
	}
	next.committed = w.now()
	written := w.store.commit(next)
	w.committed(p, written)
	return written, nil
}

// roundTrip sends a request, which serve executes under the world's mutex, and
// waits for its answer. What the process is told, the judge notes.
func (l *Lock) roundTrip(ctx context.Context, kind string, serve func() (state, error)) (state, error) {
	if l.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, l.limit, errUnheard)
		defer cancel()
	}
	return l.p.roundTrip(ctx, kind, serve)
}

// roundTrip sends a request. A deaf process's does not end with ctx; what it is
// answered after that, nobody hears.
func (p *Process) roundTrip(ctx context.Context, kind string, serve func() (state, error)) (state, error) {
	w := p.world
	listening := ctx
	if p.host.deaf {
		ctx = context.WithoutCancel(ctx)
	}
	if !p.hold("sends " + kind) {
		return state{}, errDead
	}
	w.mu.Lock()
	if p.dead() {
		w.mu.Unlock()
		return state{}, errDead
	}
	f := p.host.drawFate(kind)
	p.counts(kind, f)
	sent, epoch := w.now(), w.store.epoch
	if w.options.Break == Silence && kind == "write" && p.leading && p.host.chance("silence").IntN(4) == 0 {
		f.requestLost = true
	}
	p.unreturned++
	w.mu.Unlock()

	s, err := p.travel(ctx, kind, f, sent, func() (state, error) {
		if w.store.epoch != epoch {
			return state{}, errRefused // the API was away meanwhile
		}
		return serve()
	})
	if !p.hold("hears " + kind) {
		return state{}, errDead
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	p.unreturned--
	switch {
	case p.dead():
		return state{}, errDead
	case err != nil:
		return state{}, err
	case listening.Err() != nil:
		return state{}, context.Cause(listening)
	}
	p.told(s, kind, sent)
	return s, nil
}

// travel lets what was drawn become of a request.
func (p *Process) travel(ctx context.Context, kind string, f requestFate, sent time.Duration, serve func() (state, error)) (state, error) {
	w := p.world
	if f.errBefore != nil {
		if err := p.wait(ctx, f.requestDelay+f.answerDelay); err != nil {
			return state{}, err
		}
		return state{}, p.failed(ctx, kind, f.errBefore)
	}
	if f.duplicateAt > 0 && !f.requestLost {
		time.AfterFunc(f.duplicateAt, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			if kind == "write" && !w.over {
				_, _ = serve() // nobody hears what becomes of a duplicate
			}
		})
	}
	if f.requestLost {
		return state{}, p.unheard(ctx, kind, "is lost")
	}
	if err := p.wait(ctx, f.requestDelay); err != nil {
		if f.outlivesCaller && kind == "write" {
			time.AfterFunc(f.requestDelay-(w.elapsed()-sent), func() {
				w.mu.Lock()
				defer w.mu.Unlock()
				if !w.over {
					w.note(p.name, "  a write that it gave up arrives")
					_, _ = serve() // nor of one given up
				}
			})
		}
		return state{}, p.failed(ctx, kind, err)
	}
	w.mu.Lock()
	if p.host.network == Cut {
		w.mu.Unlock()
		return state{}, p.unheard(ctx, kind, "is lost")
	}
	s, err := serve()
	w.mu.Unlock()
	if f.answerLost {
		return state{}, p.unheard(ctx, kind, "is never answered")
	}
	if waitErr := p.wait(ctx, f.answerDelay); waitErr != nil {
		return state{}, p.failed(ctx, kind, waitErr)
	}
	if f.errAfter != nil {
		err = f.errAfter
	}
	w.mu.Lock()
	cut := p.host.network == Cut && sent < p.host.since
	if !cut && err != nil && !p.dead() {
		w.note(p.name, "  its %s is answered: %v", kind, err)
	}
	w.mu.Unlock()
	if cut {
		return state{}, p.unheard(ctx, kind, "is never answered")
	}
	return s, err
}

// unheard waits until the caller gives up.
func (p *Process) unheard(ctx context.Context, kind, what string) error {
	p.world.say(p.name, "  its %s %s", kind, what)
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-p.died:
		return errDead
	}
}

// failed notes why a request failed. Who ended a context first has no order
// where several did at one moment, and is not noted.
func (p *Process) failed(ctx context.Context, kind string, err error) error {
	switch {
	case errors.Is(err, errDead):
	case ctx.Err() != nil:
		p.world.say(p.name, "  its %s is given up", kind)
	default:
		p.world.say(p.name, "  its %s fails: %v", kind, err)
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

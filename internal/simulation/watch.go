package simulation

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// stream is a watch under way. The world's mutex guards it.
type stream struct {
	opened time.Duration
	// silent: it delivers no more, and nobody is told.
	silent bool
	// lag is what each event takes beyond its ordinary way.
	lag time.Duration
	// ended is closed when the server ends it, with the reason.
	ended  chan struct{}
	reason error
}

// Watch implements resourcelock.Versioned.
func (l *Lock) Watch(ctx context.Context, from rl.Snapshot, seen func(rl.Snapshot)) error {
	p, w := l.p, l.p.world
	s := &stream{ended: make(chan struct{})}
	next := 0
	w.mu.Lock()
	f := p.host.fate("watch")
	w.mu.Unlock()
	switch {
	case f.lost, f.mute:
		s.silent = true
	case f.before != nil:
		return l.failed(ctx, "watch", f.before)
	}
	if err := p.wait(ctx, f.up); err != nil {
		return err
	}
	w.mu.Lock()
	if p.host.forbidden {
		w.mu.Unlock()
		return apierrors.NewForbidden(leases, "lease", nil)
	}
	next = w.store.after(from.ResourceVersion)
	s.opened = w.now()
	p.stream = s
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if p.stream == s {
			p.stream = nil
		}
	}()
	for {
		w.mu.Lock()
		changed := w.store.changed
		var due time.Duration
		var event state
		pending := next < len(w.store.history) && !s.silent
		if pending {
			event = w.store.history[next]
			due = event.committed + p.host.way("events") + s.lag - w.now()
		}
		w.mu.Unlock()
		if !pending {
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-s.ended:
				return s.reason
			case <-p.died:
				return errDead
			}
		}
		if err := p.wait(ctx, due); err != nil {
			return err
		}
		if p.deliver(s, event) {
			next++
			seen(event.Snapshot)
		}
	}
}

// deliver reports whether an event reaches the process. In bad weather its watch
// falls silent for good.
func (p *Process) deliver(s *stream, event state) bool {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case p.dead() || s.silent:
		return false
	case p.host.weather == Cut || p.host.weather == Lossy:
		s.silent = true
		w.note(p.name, "  its watch falls silent")
		return false
	}
	p.told(event, "watch", w.now())
	return true
}

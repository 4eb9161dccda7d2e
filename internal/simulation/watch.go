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
	// from is the resource version that it began with.
	from string
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
	s, next, err := l.p.openWatch(ctx, from.ResourceVersion)
	if err != nil {
		return err
	}
	defer l.p.closeWatch(s)
	return l.p.follow(ctx, s, next, func(event state) error {
		seen(event.Snapshot)
		return nil
	})
}

// openWatch opens a watch from a resource version on. It returns the position in
// the history that it begins with.
func (p *Process) openWatch(ctx context.Context, from string) (*stream, int, error) {
	w := p.world
	s := &stream{ended: make(chan struct{}), from: from}
	if !p.hold("watches") {
		return nil, 0, errDead
	}
	w.mu.Lock()
	f := p.host.drawFate("watch")
	p.counts("watch", f)
	w.mu.Unlock()
	switch {
	case f.requestLost, f.answerLost:
		s.silent = true
	case f.errBefore != nil:
		if err := p.wait(ctx, f.requestDelay+f.answerDelay); err != nil {
			return nil, 0, err
		}
		return nil, 0, p.failed(ctx, "watch", f.errBefore)
	}
	if err := p.wait(ctx, f.requestDelay); err != nil {
		return nil, 0, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.host.forbidden {
		return nil, 0, apierrors.NewForbidden(leases, "lease", nil)
	}
	next, err := w.store.after(from)
	if err != nil {
		w.note(p.name, "  its watch from %s is answered: %v", from, err)
		return nil, 0, err
	}
	s.opened = w.now()
	p.stream = s
	return s, next, nil
}

// closeWatch notes that nobody listens to s any more.
func (p *Process) closeWatch(s *stream) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	if p.stream == s {
		p.stream, p.unwatched = nil, p.world.now()
	}
}

// follow passes on each event from a position in the history on, until the watch
// ends.
func (p *Process) follow(ctx context.Context, s *stream, next int, seen func(state) error) error {
	w := p.world
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
		if !p.hold("events") {
			return errDead
		}
		if p.deliver(s, event) {
			next++
			if err := seen(event); err != nil {
				return err
			}
		}
	}
}

// deliver reports whether an event reaches the process. On a bad network its watch
// falls silent for good.
func (p *Process) deliver(s *stream, event state) bool {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case p.dead() || s.silent:
		return false
	case p.host.network == Cut || p.host.network == Lossy:
		s.silent = true
		w.note(p.name, "  its watch falls silent")
		return false
	}
	p.told(event, "watch", w.now())
	return true
}

package simulation

import (
	"context"
	"errors"
	"strings"
	"time"
)

// This file is who is to lead next: by name, and by preference.

// moment is the most by which a contender lets others go first, for either reason.
func (t Timing) moment() time.Duration { return min(time.Second, t.Retry) }

// priorities is how many there are, beside none at all: 0 is the least.
const priorities = 10

// delay is by how much a contender of a priority lets others go first.
func (t Timing) delay(priority int) time.Duration {
	return t.moment() * time.Duration(priorities-priority) / priorities
}

// Successor is the hook by which the process names who is to lead next; nil where its
// world has no such thing. It names another that lives, one that dies in this very
// moment, one that is dead, one that never was, or the process itself; or it fails,
// panics or is late.
func (p *Process) Successor() func(context.Context) (string, error) {
	if !p.world.has(Successors) {
		return nil
	}
	return func(ctx context.Context) (string, error) {
		w := p.world
		w.mu.Lock()
		dice, late := p.host.chance("successor").IntN(20), between(p.host.chance("late"), 0, p.Timing.Retry/2)
		w.mu.Unlock()
		switch dice {
		case 0:
			return "", errors.New("a simulated failure")
		case 1:
			panic(errPanic)
		case 2:
			_ = p.wait(context.Background(), late) // deaf to the end of ctx
		}
		return p.next(), nil
	}
}

// next returns whom the process names as its successor; empty for nobody.
func (p *Process) next() string {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.has(Successors) || w.over {
		return ""
	}
	random := p.host.chance("next")
	other := w.hosts[random.IntN(len(w.hosts))]
	name := "who never was"
	q, dice := other.process, random.IntN(8)
	switch {
	case dice == 0:
		name = ""
	case dice > 1 && q != nil:
		name = q.Identity
		if dice == 2 && q != p {
			time.AfterFunc(between(random, 0, 4*clearDelay), func() {
				w.mu.Lock()
				defer w.mu.Unlock()
				if !w.over && other.process == q && !other.paused() {
					w.crash(other, random)
				}
			})
		}
	}
	w.note(p.name, "names %q to lead next", name)
	return name
}

// Priority is the function that says how much the process is preferred; nil where its
// world has no such thing. The priority changes, and the function may be late or panic.
func (p *Process) Priority() func() int {
	if !p.world.has(Priorities) {
		return nil
	}
	return func() int {
		w := p.world
		w.mu.Lock()
		priority, dice := p.host.chance("priority").IntN(priorities+3)-1, p.host.chance("asked").IntN(16)
		late := between(p.host.chance("late"), 0, 2*p.Timing.Retry)
		p.yields, p.mayYield = p.Timing.moment(), p.Timing.moment()
		p.asked++
		asked := p.asked
		w.note(p.name, "is asked for its priority, %d", priority)
		w.mu.Unlock()
		switch dice {
		case 0:
			panic(errPanic)
		case 1:
			_ = p.wait(context.Background(), late)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if p.asked != asked {
			return priority // nobody waits for this answer any more
		}
		p.yields = p.Timing.delay(max(0, min(priority, priorities)))
		if dice != 1 {
			p.mayYield = p.yields
		}
		return priority
	}
}

// Preferred is Priority as it is asked for a wish, which says nothing of how long the
// process lets others go first.
func (p *Process) Preferred() func() int {
	if !p.world.has(Priorities) {
		return nil
	}
	return func() int {
		w := p.world
		w.mu.Lock()
		priority, dice := p.host.chance("preferred").IntN(priorities+3)-1, p.host.chance("wished").IntN(16)
		late := between(p.host.chance("late"), 0, 2*p.Timing.Retry)
		w.note(p.name, "is asked how much it is preferred, %d", priority)
		w.mu.Unlock()
		switch dice {
		case 0:
			panic(errPanic)
		case 1:
			_ = p.wait(context.Background(), late)
		}
		return priority
	}
}

// HandoverAfter is how long a term must have lasted before the process asks for the lease,
// and before it hands it over; zero where it does neither.
func (p *Process) HandoverAfter() time.Duration {
	w := p.world
	if !w.has(Priorities) || p.host.plain {
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if random := p.host.chance("handover"); random.IntN(4) > 0 {
		return p.Timing.Lease + between(random, 0, 2*p.Timing.Lease)
	}
	return 0
}

// isNamed reports whether the release s names the process to lead next.
func (p *Process) isNamed(s state) bool {
	name := s.Successor()
	return name != "" && (name == p.Identity || strings.HasPrefix(p.Identity, name+"_"))
}

// holdsBack returns for how long at least, and at most, by its clock, the process
// lets others go first after it might claim the lease on s, if it was asked for its
// priority last for that.
func (p *Process) holdsBack(s state) (least, most time.Duration) {
	w := p.world
	if p.isNamed(s) {
		return 0, 0
	}
	if w.has(Successors|Priorities) && s.Record.HolderIdentity == "" { // who asks for the lease is named, too
		if s.Successor() != "" && !p.host.plain {
			least = p.Timing.moment()
		}
		if s.Successor() != "" && !p.host.plain || w.has(HTTP) { // whose annotations the judge does not read
			most = p.Timing.moment()
		}
	}
	if w.has(Priorities) {
		least += p.yields
		most += p.mayYield
	}
	return least, most
}

// goesFirst judges whether a process that claims the lease on s has let those go first
// that are to. Where there may be a proof that the holder is dead, that counts from when
// the proof came.
func (p *Process) goesFirst(s state) {
	if p.world.has(HTTP) && s.Record.HolderIdentity == "" {
		return // it may be named, in annotations that the judge does not read
	}
	least, _ := p.holdsBack(s)
	since := p.clock.Since(p.sight.first) + 2*p.clock.grain
	switch {
	case s.held() && p.world.has(Witnesses):
		return
	case s.held():
		since -= s.lease
	}
	if least > 0 && since < least && !s.edited && p.world.lastRestore < p.sight.told {
		p.world.violated("succession", p, "claims the lease %v after it may, and not %v after, to let others go first", since, least)
	}
}

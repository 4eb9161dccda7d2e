package simulation

import (
	"context"
	"fmt"
	"time"

	"k8s.io/utils/clock"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// Process is one contender from its start to its end: what an elector is given,
// and what the judge knows of it.
type Process struct {
	// Identity is what it contends as.
	Identity string
	// Timing is L, D and R.
	Timing Timing
	// Release and Again are ReleaseOnCancel and ContendAgain.
	Release, Again bool
	// StopTimeout is the option of that name.
	StopTimeout time.Duration
	// Resign may be set by whoever runs the elector to what makes it resign.
	Resign func(context.Context) error

	name   string
	world  *World
	host   *Host
	clock  *Clock
	lock   *Lock
	ctx    context.Context
	cancel context.CancelFunc
	died   chan struct{}
	// exited: its elector has returned and its work too.
	exited bool

	// The rest is the judge's.
	cancelled, leading, working bool
	terms                       int
	work                        *occupant // the latest
	stream                      *stream
	// confirmed is when the last write was sent, by the process's clock, that it
	// has been told has succeeded, and heard when it was told, truly.
	confirmed time.Time
	heard     time.Duration
	// ended is when its work was last told to stop.
	ended time.Duration
	// stopBy is when its work's StopTimeout is over, by its clock.
	stopBy time.Time
	// resigned is when it last resigned.
	resigned time.Duration
	sight    sight
}

// begin makes the host's next process; the mutex is held.
func (h *Host) begin() *Process {
	h.started++
	w := h.world
	p := &Process{
		Identity: h.name, Timing: w.timing, Release: h.release, Again: h.again, StopTimeout: h.stopTimeout,
		name: fmt.Sprintf("%s-%d", h.name, h.started), world: w, host: h, clock: h.clock,
		died: make(chan struct{}), resigned: -time.Hour,
	}
	if h.random("names").IntN(3) > 0 {
		p.Identity = p.name
	}
	p.lock = &Lock{p: p}
	if w.options.Reference {
		p.lock.limit = w.timing.Deadline / 2
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	h.process = p
	w.note(p.name, "starts as %q", p.Identity)
	return p
}

// run runs the elector, and starts the next process when this one has ended.
func (p *Process) run() {
	p.world.options.Run(p)
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	p.sight.forget()
	if p.dead() {
		return
	}
	if p.work != nil { // the process stays until its work has returned
		w.mu.Unlock()
		<-p.work.left
		w.mu.Lock()
	}
	p.exited = true
	p.cancel()
	if !w.over && !p.dead() {
		w.note(p.name, "exits")
		p.host.startIn(between(p.host.random("restarts"), 0, p.Timing.Lease))
	}
}

// crash ends the process at once; the mutex is held.
func (p *Process) crash() {
	if p.dead() {
		return
	}
	close(p.died)
	p.leading, p.working = false, false
	p.sight.forget()
	p.world.leave(p)
	p.cancel()
}

func (p *Process) dead() bool {
	select {
	case <-p.died:
		return true
	default:
		return false
	}
}

// Context ends when the process is to stop.
func (p *Process) Context() context.Context { return p.ctx }

// Clock is the process's clock.
func (p *Process) Clock() clock.WithDelayedExecution { return p.clock }

// Lock is the process's lock: a plain one, one whose calls are bounded, or
// neither, as its host was drawn.
func (p *Process) Lock() rl.Interface {
	switch {
	case p.host.plain:
		return plainLock{p.lock}
	case p.host.hardened:
		bound := p.Timing.Deadline / 3
		p.lock.limit = p.clock.truly(bound)
		return boundedLock{p.lock, bound}
	}
	return p.lock
}

// Plain is the process's lock as client-go's elector takes it.
func (p *Process) Plain() rl.Interface { return plainLock{p.lock} }

// Random is a source of randomness for the elector, 0 ≤ Random() < 1. It may be
// called from several goroutines.
func (p *Process) Random() float64 {
	return p.host.chance("elector").Float64()
}

// attempt is how long one call to the lock takes at most, by the true clock.
func (p *Process) attempt() time.Duration {
	if p.host.hardened {
		return p.clock.truly(p.Timing.Deadline / 3)
	}
	return p.clock.truly(p.Timing.Deadline / 2)
}

package simulation

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/holdfast-go/holdfast/internal/death"
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
	// Coordinated is the option of that name.
	Coordinated bool
	// Remembered may be set by whoever runs the elector to what counts what it
	// remembers of its failures.
	Remembered func() int
	// Verdict and SamePlace are the rules that its witnesses go by: death.ByPod and
	// death.Place.Is, unless whoever runs the elector sets others.
	Verdict   func(death.PodTestimony, *corev1.Pod) (evidence string, err error)
	SamePlace func(a, b death.Place) bool
	// Resign may be set by whoever runs the elector to what makes it resign, and name a
	// successor unless that is empty.
	Resign func(ctx context.Context, successor string) error

	name   string
	world  *World
	host   *Host
	clock  *Clock
	lock   *Lock
	ctx    atomic.Pointer[context.Context]
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
	// unsure: it may not know again the write that confirmed is of.
	unsure bool
	heard  time.Duration
	// ended is when its work was last told to stop.
	ended time.Duration
	// stopBy is when its work's StopTimeout is over, by its clock.
	stopBy time.Time
	// resigned is when it last resigned.
	resigned time.Duration
	sight    sight
	// campaigns is when it began to contend, by its clock: it answers for no claim
	// sent before. unwatched is when its last watch ended.
	campaigns time.Time
	joined    time.Duration
	unwatched time.Duration
	// unreturned counts the reads and writes under way. Those of a deaf lock that
	// are lost never return.
	unreturned int
	// panics: its Run has panicked.
	panics atomic.Bool
	// returned: its Run has. stopped counts the calls of OnStoppedLeading.
	returned bool
	stopped  int
	requests requests
	// site is where it runs; bound: it has left a socket there.
	site  site
	bound bool
	// proven are the names of processes that it was given a proof about.
	proven map[string]bool
	// yields is by how much at least it lets others go first, and mayYield by how much at
	// most, by what it said of its priority and when.
	yields, mayYield time.Duration
	// asked counts how often it was asked for its priority.
	asked int
	// bodies are the latest writes that were sent over HTTP, and what the judge
	// knows of each: a hedge is the same write.
	bodies map[string]*state
}

// begin makes the host's next process; the mutex is held.
func (h *Host) begin() *Process {
	h.started++
	w := h.world
	p := &Process{
		Identity: h.name, Timing: h.timing, Release: h.release, Again: h.again, StopTimeout: h.stopTimeout,
		Coordinated: w.has(Coordinated),
		name:        fmt.Sprintf("%s-%d", h.name, h.started), world: w, host: h, clock: h.clock,
		died: make(chan struct{}), resigned: -time.Hour, proven: map[string]bool{}, yields: h.timing.moment(), mayYield: h.timing.moment(),
	}
	switch {
	case h.double != "":
		p.Identity = h.double
	case h.random("names").IntN(3) > 0:
		p.Identity = p.name
	}
	p.lock = &Lock{p: p}
	if w.options.Reference {
		p.lock.limit = w.timing.Deadline / 2
	}
	p.Verdict, p.SamePlace = death.ByPod, death.Place.Is
	p.joins()
	h.process = p
	w.processes[p.name] = p
	if w.has(Witnesses) {
		h.moves(h.random("sandboxes"))
		h.node.starts(p)
	}
	p.site = h.site
	w.note(p.name, "starts as %q", p.Identity)
	return p
}

// joins gives the process a new context and lets it contend; the mutex is held.
func (p *Process) joins() {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.ctx.Store(&ctx)
	p.cancelled, p.returned, p.campaigns, p.joined = false, false, p.clock.Now(), p.world.now()
}

// run runs the elector, and starts the next process when this one has ended.
func (p *Process) run() {
	p.elect()
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	p.sight.forget()
	if p.dead() {
		return
	}
	p.returns()
	for p.working { // the process stays until its work has returned
		left := p.work.left
		w.mu.Unlock()
		<-left
		w.mu.Lock()
	}
	p.exited = true
	p.cancel()
	if !w.over && !p.dead() {
		w.note(p.name, "exits")
		p.host.startIn(between(p.host.random("restarts"), 0, p.Timing.Lease))
	}
	p.crash() // what it has left behind ends with it
}

// elect runs the elector, and judges how it ends.
func (p *Process) elect() {
	defer func() {
		if cause := recover(); cause != nil {
			p.panicked(cause)
		}
	}()
	p.world.options.Run(p)
}

// panicked judges what a panic in Run has left behind.
func (p *Process) panicked(cause any) {
	w := p.world
	if cause != errPanic {
		panic(cause)
	}
	p.panics.Store(true)
	w.mu.Lock()
	p.returned = true
	w.note(p.name, "PANICS")
	w.mu.Unlock()
	time.Sleep(time.Millisecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.leading && !p.dead() && !w.over {
		w.violated("panic", p, "Run has panicked, and its work was not told to stop")
	}
}

// Panicked reports whether Run has.
func (p *Process) Panicked() bool { return p.panics.Load() }

// returns notes that Run has returned; the mutex is held.
func (p *Process) returns() {
	w := p.world
	p.returned = true
	s := w.store.current()
	switch {
	case p.dead() || w.over || w.options.Reference:
	case p.leading:
		terms := p.terms
		time.AfterFunc(time.Millisecond, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			if p.leading && p.terms == terms && !p.dead() && !w.over {
				w.violated("return", p, "Run has returned, and its work was not told to stop")
			}
		})
	case w.has(Strict) && p.cancelled && p.Release && !p.working && s.author == p && s.held() && s.claim && s.sent.After(p.campaigns) && p.host.clearFor(w.now()-s.committed+p.clock.truly(p.Timing.Retry)+8*clearDelay) && w.now()-p.host.disturbed() > w.now()-s.committed:
		w.violated("release", p, "left the lease held although its requests could have been answered")
	}
}

// Another reports whether the elector is to be run again, after a pause. Context
// is another then.
func (p *Process) Another() bool {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.dead() {
		return false
	}
	p.sight.forget()
	p.returns()
	random := p.host.random("again")
	if !w.has(RunAgain) || random.IntN(8) == 0 {
		return false
	}
	rest := between(random, 0, p.Timing.Retry)
	w.mu.Unlock()
	_ = p.wait(context.Background(), rest)
	w.mu.Lock()
	if p.dead() || w.over {
		return false
	}
	p.sight = sight{}
	p.joins()
	w.note(p.name, "runs again")
	return true
}

// Twice runs the elector a second time while it runs, where the world has that.
// The second Run is to return at once.
func (p *Process) Twice(run func(context.Context)) {
	w := p.world
	if !w.has(TwoRuns) {
		return
	}
	w.running.Go(func() {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go func() {
			<-p.died
			cancel()
		}()
		for range 5 {
			w.mu.Lock()
			pause := between(p.host.random("twice"), p.Timing.Retry, 3*p.Timing.Lease)
			w.mu.Unlock()
			if p.wait(ctx, pause) != nil {
				return
			}
			w.mu.Lock()
			stopped, runs, began := p.stopped, !p.returned && !p.cancelled && !p.exited && w.now() > p.joined, w.now()
			w.mu.Unlock()
			if !runs {
				continue
			}
			time.AfterFunc(time.Millisecond, func() {
				w.mu.Lock()
				defer w.mu.Unlock()
				if began != 0 && !p.returned && !p.dead() && !w.over {
					w.violated("two runs", p, "a second Run contends beside the first")
				}
			})
			run(ctx)
			w.mu.Lock()
			began = 0
			if p.stopped != stopped && !p.returned && !p.dead() && !p.cancelled {
				w.violated("two runs", p, "a second Run has called OnStoppedLeading of the first")
			}
			w.mu.Unlock()
		}
	})
}

// StoppedLeading is what OnStoppedLeading is to call.
func (p *Process) StoppedLeading() {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	p.stopped++
}

// NewLeader is what OnNewLeader is to call: it may block.
func (p *Process) NewLeader(string) { p.blocks("new leader") }

// errPanic is what loggers and recorders panic with.
var errPanic = errors.New("a simulated panic")

// record is told the events that an elector records. It may block or panic.
func (p *Process) record(string) {
	p.blocks("recorder")
	p.panicsNowAndThen("recorder", 10)
}

func (p *Process) panicsNowAndThen(where string, oneOf int) {
	w := p.world
	w.mu.Lock()
	bad := w.has(Panics) && !w.over && !p.dead() && p.host.random(where).IntN(oneOf) == 0
	w.mu.Unlock()
	if bad {
		panic(errPanic)
	}
}

// Logger is what the elector logs to. It may panic when a renewal is logged,
// which an elector does in its Run.
func (p *Process) Logger() klog.Logger {
	if !p.world.has(Panics) {
		return klog.Logger{}
	}
	return klog.New(sink{p})
}

// sink is a logger's.
type sink struct{ p *Process }

func (sink) Init(klog.RuntimeInfo)            {}
func (sink) Enabled(int) bool                 { return true }
func (s sink) WithValues(...any) klog.LogSink { return s }
func (s sink) WithName(string) klog.LogSink   { return s }
func (sink) Error(error, string, ...any)      {}
func (s sink) Info(_ int, message string, _ ...any) {
	if message == "Renewed the lease" {
		s.p.panicsNowAndThen("logger", 50)
	}
}

// blocks lets some leases pass now and then.
func (p *Process) blocks(where string) {
	w := p.world
	w.mu.Lock()
	d := time.Duration(0)
	if w.has(Blocking) && p.host.random(where).IntN(3) == 0 {
		d = between(p.host.random(where), 0, 5*p.Timing.Lease)
		w.note(p.name, "  the %s blocks for %v", where, d)
	}
	w.mu.Unlock()
	if d > 0 {
		_ = p.wait(context.Background(), d)
	}
}

// crash ends the process at once; the mutex is held.
func (p *Process) crash() {
	if p.dead() {
		return
	}
	close(p.died)
	p.leading = false
	p.sight.forget()
	p.world.leave(p.work)
	if p.world.has(Witnesses) {
		p.host.node.ends(p)
	}
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

// Context ends when the process, or this run of its elector, is to stop.
func (p *Process) Context() context.Context { return *p.ctx.Load() }

// Clock is the process's clock.
func (p *Process) Clock() clock.WithDelayedExecution { return p.clock }

// Lock is the process's lock: a plain one, one whose calls are bounded, neither,
// or the library's own, as its world and host were drawn.
func (p *Process) Lock() rl.Interface {
	switch {
	case p.world.has(HTTP):
		return p.overHTTP()
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

// Has reports whether the process's world has a feature.
func (p *Process) Has(feature Feature) bool { return p.world.has(feature) }

// attempt is how long one call to the lock takes at most, by the true clock.
func (p *Process) attempt() time.Duration {
	switch {
	case p.world.has(HTTP):
		return p.clock.truly(p.Timing.Deadline)
	case p.host.hardened:
		return p.clock.truly(p.Timing.Deadline / 3)
	}
	return p.clock.truly(p.Timing.Deadline / 2)
}

package simulation

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"
)

// Break is a law of the world, or of the hosts in it, that is broken on
// purpose, to see whether the judge finds out.
type Break int

const (
	// Nothing is broken.
	Nothing Break = iota
	// Rates: clocks differ by more than the configuration tolerates.
	Rates
	// Preconditions: the API executes a write whatever it is based on.
	Preconditions
	// Stopping: work takes a lease longer to stop than its term leaves it.
	Stopping
	// Silence: a leader's writes are lost in what passes for a clear network.
	Silence
)

// Options say what to simulate.
type Options struct {
	// Seed is what everything is drawn from.
	Seed uint64
	// Elections is how many terms are to begin before the world ends.
	Elections int
	// Run runs an elector for a process until it returns.
	Run func(*Process)
	// Reference says that the elector is client-go's, which has no clock of its
	// own and is judged by overlaps alone, all of which are counted. Otherwise
	// the world ends at the first violation.
	Reference bool
	// Break is what is broken.
	Break Break
	// Only are the features that the world has. If it is zero, they are drawn from
	// Features, and if that is zero too, from Standard.
	Only, Features Feature
}

// World is one simulation. Its methods are for the test that made it; what
// processes do is behind Process.
type World struct {
	options Options
	timing  Timing
	start   time.Time
	// features are what the world has, faults those that happen now and then.
	features Feature
	faults   []func(*rand.Rand)
	// rewrites is what a webhook does to writes.
	rewrites rewriting

	mu       sync.Mutex
	store    *store
	heading  timeline // what the world is like
	timeline timeline // what happens in it
	hosts    []*Host
	inside   []*occupant
	randoms  map[string]*rand.Rand
	// processes are all that have been, by name.
	processes map[string]*Process
	result    Result
	over      bool
	token     uint64
	// lastEdit, lastCreate and fresh are when the Lease was edited or deleted last, when a
	// Lease was created last, and from when on processes may start (limits in
	// the package comment).
	lastEdit, lastCreate, fresh time.Duration
	// lastRestore is when a backup was restored last.
	lastRestore time.Duration
	// testimonies are who has left each; sites counts the network namespaces, and
	// witnesses is which witness this world has not.
	testimonies map[string]*Process
	sites       int
	witnesses   int
	running     sync.WaitGroup
}

// New returns the world of options. It must be called in a synctest bubble.
func New(options Options) *World {
	w := &World{options: options, start: time.Now(), store: newStore(), randoms: map[string]*rand.Rand{}, processes: map[string]*Process{}, testimonies: map[string]*Process{}}
	random := w.random("world")
	w.timing = drawTiming(random)
	if options.Reference {
		w.timing = usual[random.IntN(wholeSeconds)]
	}
	w.lastEdit, w.lastCreate, w.lastRestore = -time.Hour, -time.Hour, -time.Hour
	w.result.Overlaps = map[Cause]int{}
	w.feature(w.random("features"))
	w.populate(random)
	return w
}

// feature draws what the world has.
func (w *World) feature(random *rand.Rand) {
	switch {
	case w.options.Reference:
	case w.options.Only != 0:
		w.features = w.options.Only
	default:
		w.features = cmp.Or(w.options.Features, Standard).some(random)
	}
	if w.has(Coordinated) { // contenders have an object each there, by their identity
		w.features &^= SharedIdentity
	}
	w.rewrites = drawRewriting(random)
	w.faults = w.featured()
}

// Drawn returns the features that the world of a seed draws from Standard.
func Drawn(seed uint64) Feature {
	w := World{options: Options{Seed: seed}, randoms: map[string]*rand.Rand{}}
	w.feature(w.random("features"))
	return w.features
}

// has reports whether the world has any of some features.
func (w *World) has(f Feature) bool { return w.features&f != 0 }

// populate draws the hosts, and how far their clocks are from the truth.
func (w *World) populate(random *rand.Rand) {
	span := portion(time.Duration(w.timing.Tolerance()), []float64{0, 0.3, 0.7, 1}[random.IntN(4)])
	switch {
	case w.options.Reference:
		span = 0
	case w.options.Break == Rates:
		span = min(time.Duration(w.timing.Tolerance())*2, million/2)
	}
	grain := time.Duration(0)
	if w.has(CoarseClocks) {
		grain = []time.Duration{time.Millisecond, 15 * time.Millisecond}[random.IntN(2)]
	}
	for i := range 2 + random.IntN(4) {
		h := &Host{world: w, name: string(rune('a' + i)), timing: w.timing}
		ppm := million - int64(span)
		switch dice := random.IntN(3); {
		case dice == 0 || i == 0: // one that runs true, so that the extremes meet
			ppm = million
		case dice == 1:
			ppm += random.Int64N(int64(span) + 1)
		}
		shows := w.start.Add(between(random, -30*24*time.Hour, 30*24*time.Hour))
		if w.has(CoarseClocks) {
			shows, ppm = w.start, million
		}
		h.clock = newClock(shows, ppm)
		h.clock.salt = hash(h.name) ^ w.options.Seed
		h.clock.grain = grain
		h.clock.pausable = w.has(Stops | Suspension | ClockSteps)
		h.draw(random)
		h.node = newNode(h)
		w.hosts = append(w.hosts, h)
	}
	w.pair()
	w.settle()
	w.witnesses = w.random("witnesses").IntN(4)
	slowest := &Clock{ppm: million - int64(span)}
	for _, h := range w.hosts {
		t := h.timing
		h.slack = max(0, w.stored(t.Lease-slowest.truly(t.Term()))-10*time.Microsecond-3*grain)
		if w.options.Reference { // its terms last D+R
			h.slack = max(0, t.Lease-t.Deadline-t.Retry-8*clearDelay)
		}
	}
	w.describe("world", "seed %d: L = %v, D = %v, R = %v; clocks differ by at most %.2f %%; features: %v",
		w.options.Seed, w.timing.Lease, w.timing.Deadline, w.timing.Retry, float64(span)/10000, w.features)
	if w.has(Webhook) {
		w.describe("world", "a webhook rewrites %v", w.rewrites)
	}
	for _, h := range w.hosts {
		w.describe("host "+h.name, "clock rate %.6f; %s", float64(h.clock.ppm)/million, h.traits())
	}
}

// pair makes hosts what they are only beside others: of one identity, and of
// different durations.
func (w *World) pair() {
	random := w.random("pairs")
	if w.has(SharedIdentity) {
		w.hosts[0].double, w.hosts[1].double = "same", "same"
	}
	if w.has(MixedTimings) {
		for _, h := range w.hosts[1:] {
			for range 100 { // until one bears the clocks there are
				if t := drawTiming(random); t.Tolerance() >= w.timing.Tolerance() && t.Lease < 4*w.timing.Lease && w.timing.Lease < 4*t.Lease {
					h.timing = t
					break
				}
			}
			h.stopTimeout = between(random, h.timing.Retry, 2*h.timing.Lease)
		}
	}
	if w.has(SlowAPI) {
		for _, h := range w.hosts {
			h.constant = portion(h.timing.Term(), 0.1+0.38*random.Float64())
			h.network = Constant
		}
	}
}

// describe adds a line to the heading of every timeline.
func (w *World) describe(who, format string, args ...any) {
	w.heading.add(entry{0, who, format, args})
}

// Run lets the world pass and returns what the judge found.
func (w *World) Run() Result {
	w.mu.Lock()
	for _, h := range w.hosts {
		h.startIn(between(w.random("world"), 0, w.timing.Retry))
	}
	if w.has(Coordinated) {
		w.choose()
	}
	random := w.random("trouble")
	w.mu.Unlock()
	w.injectFaults(random)
	w.mu.Lock()
	w.over = true
	for _, h := range w.hosts {
		h.stop()
	}
	w.result.Simulated = w.now()
	w.mu.Unlock()
	w.running.Wait()
	w.result.Timeline = w.heading.since(0, remembered) + w.timeline.since(0, remembered)
	return w.result
}

// random returns the world's source of randomness for a purpose. Purposes do
// not disturb one another, so that a seed means the same from run to run.
func (w *World) random(purpose string) *rand.Rand {
	r := w.randoms[purpose]
	if r == nil {
		r = rand.New(rand.NewPCG(w.options.Seed, hash(purpose)))
		w.randoms[purpose] = r
	}
	return r
}

func hash(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // never fails
	return h.Sum64()
}

// now is the true time since the world began.
func (w *World) now() time.Duration { return time.Since(w.start) }

// elapsed is now, for those who do not hold the mutex; it needs none.
func (w *World) elapsed() time.Duration { return time.Since(w.start) }

// note adds a line to the timeline; the mutex is held.
func (w *World) note(who, format string, args ...any) {
	w.timeline.add(entry{w.now(), who, format, args})
}

// say is note for those who do not hold the mutex.
func (w *World) say(who, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note(who, format, args...)
}

// Host is where processes run, one after another. The world's mutex guards it.
type Host struct {
	world *World
	name  string
	clock *Clock

	network NetworkCondition
	// since is when the network became what it is; changes counts.
	since   time.Duration
	changes int
	// constant is what a request takes on a constantly slow network.
	constant time.Duration
	// refuses is what is refused on a refusing network.
	refuses refusing
	// asleep is closed when the host goes on, nil while it is not paused; wakes is
	// when that is, woke when it last was, stepped when its clock was last set.
	asleep               chan struct{}
	wakes, woke, stepped time.Duration
	// ambush: with the next late answer to a write, the host is cut off.
	ambush bool

	process *Process
	started int
	// site is where its processes run, node the Pod that they are in.
	site site
	node *node

	// timing is that of its processes, slack how long their work may take to stop
	// after a term was lost, double the identity that they share with another's.
	timing Timing
	slack  time.Duration
	double string

	forbidden, plain, hardened, release, again, deaf, together bool

	stopTimeout time.Duration
}

// draw decides how this host's processes contend.
func (h *Host) draw(random *rand.Rand) {
	t := h.world.timing
	h.since, h.woke, h.stepped = -time.Hour, -time.Hour, -time.Hour
	h.release, h.again = random.IntN(4) > 0, random.IntN(2) == 0
	h.forbidden, h.plain = random.IntN(6) == 0, random.IntN(8) == 0
	h.hardened = random.IntN(2) == 0 && !h.plain
	h.stopTimeout = between(random, t.Retry, 2*t.Lease)
	more := h.random("more")
	h.deaf = h.world.has(DeafLocks) && more.IntN(2) == 0
	h.together = more.IntN(3) == 0
	if h.world.has(SlowAPI) {
		h.hardened = h.hardened && h.world.has(HTTP) // else its calls are cut short
	}
	if h.world.has(Webhook | FieldEdits | Emptied | SharedIdentity) {
		h.plain = false // what tells whose write it is does not fit into a plain lock
	}
}

func (h *Host) traits() string {
	return fmt.Sprintf("%v, work stops within %v; release on cancel %v (stop timeout %v), contend again %v, watch forbidden %v, plain lock %v, hardened %v, deaf %v",
		h.timing, h.slack, h.release, h.stopTimeout, h.again, h.forbidden, h.plain, h.hardened, h.deaf)
}

func (h *Host) random(purpose string) *rand.Rand { return h.world.random(h.name + purpose) }

// chance returns a source of randomness for what happens at this moment. It
// depends on the moment and the purpose alone, not on which of two goroutines
// that run at the same moment asks first.
func (h *Host) chance(purpose string) *rand.Rand {
	return rand.New(rand.NewPCG(h.world.options.Seed^hash(h.name+purpose), uint64(h.world.now())))
}

func (h *Host) drawFate(kind string) requestFate {
	random := h.chance(kind)
	switch h.network {
	case Constant:
		return requestFate{requestDelay: h.constant / 2, answerDelay: h.constant - h.constant/2, outlivesCaller: true}
	case Refusing:
		f := Clear.draw(random, h.timing)
		f.errBefore = h.refuses.of(kind, random)
		return f
	}
	return h.network.draw(random, h.timing)
}

// way is how long an event of a watch takes.
func (h *Host) way(purpose string) time.Duration {
	return between(h.chance(purpose), clearDelay/20, clearDelay)
}

// clearFor reports whether the network has been clear for d, and nobody has
// meddled with the host.
func (h *Host) clearFor(d time.Duration) bool { return h.network == Clear && h.unchangedFor(d) }

// unchangedFor reports whether the network has been what it is for d, and nobody has
// meddled with the host.
func (h *Host) unchangedFor(d time.Duration) bool {
	return h.world.now()-max(h.since, h.disturbed()) >= d && !h.paused()
}

// normal is what the network is when nothing is wrong.
func (h *Host) normal() NetworkCondition {
	if h.constant > 0 {
		return Constant
	}
	return Clear
}

// setNetwork changes the condition of the network, for d; zero is for ever.
func (h *Host) setNetwork(network NetworkCondition, d time.Duration) {
	w := h.world
	h.network, h.since, h.ambush = network, w.now(), false
	h.changes++
	w.note("host "+h.name, "the network is %v", network)
	if change := h.changes; d > 0 {
		time.AfterFunc(d, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			if h.changes == change && !w.over {
				h.setNetwork(h.normal(), 0)
			}
		})
	}
}

// startIn starts a process after d.
func (h *Host) startIn(d time.Duration) {
	w := h.world
	w.running.Go(func() {
		time.Sleep(d)
		for {
			w.mu.Lock()
			rest := w.fresh - w.now()
			if rest <= 0 || w.over {
				break
			}
			w.mu.Unlock()
			time.Sleep(rest)
		}
		if w.over {
			w.mu.Unlock()
			return
		}
		p := h.begin()
		w.mu.Unlock()
		p.run()
	})
}

// stop ends the host's process, as the world ends.
func (h *Host) stop() {
	if h.process != nil {
		h.process.crash()
	}
}

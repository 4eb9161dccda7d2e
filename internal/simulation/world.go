package simulation

import (
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
	// Silence: a leader's writes are lost in what passes for clear weather.
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
}

// World is one simulation. Its methods are for the test that made it; what
// processes do is behind Process.
type World struct {
	options Options
	timing  Timing
	start   time.Time
	// slack is how long work may take to stop after its term was lost.
	slack time.Duration

	mu       sync.Mutex
	store    *store
	heading  timeline // what the world is like
	timeline timeline // what happens in it
	hosts    []*Host
	inside   []*occupant
	randoms  map[string]*rand.Rand
	result   Result
	over     bool
	token    uint64
	// lastEdit, lastCreate and fresh are when labels were edited last, when a
	// Lease was created last, and from when on processes may start (limits in
	// the package comment).
	lastEdit, lastCreate, fresh time.Duration
	running                     sync.WaitGroup
}

// New returns the world of options. It must be called in a synctest bubble.
func New(options Options) *World {
	w := &World{options: options, start: time.Now(), store: newStore(), randoms: map[string]*rand.Rand{}}
	random := w.random("world")
	w.timing = drawTiming(random)
	if options.Reference {
		w.timing = usual[random.IntN(wholeSeconds)]
	}
	w.lastEdit, w.lastCreate = -time.Hour, -time.Hour
	w.result.Overlaps = map[Cause]int{}
	w.populate(random)
	return w
}

// populate draws the hosts, and how far their clocks are from the truth.
func (w *World) populate(random *rand.Rand) {
	span := portion(time.Duration(w.timing.Tolerance()), []float64{0, 0.3, 0.7, 1}[random.IntN(4)])
	switch {
	case w.options.Reference:
		span = 0
	case w.options.Break == Rates:
		span = min(time.Duration(w.timing.Tolerance())*2, million/2)
	}
	for i := range 2 + random.IntN(4) {
		h := &Host{world: w, name: string(rune('a' + i))}
		ppm := million - int64(span)
		switch dice := random.IntN(3); {
		case dice == 0 || i == 0: // one that runs true, so that the extremes meet
			ppm = million
		case dice == 1:
			ppm += random.Int64N(int64(span) + 1)
		}
		shows := w.start.Add(between(random, -30*24*time.Hour, 30*24*time.Hour))
		h.clock = newClock(shows, ppm)
		h.clock.salt = hash(h.name) ^ w.options.Seed
		h.draw(random)
		w.hosts = append(w.hosts, h)
	}
	slowest := &Clock{ppm: million - int64(span)}
	w.slack = max(0, w.timing.Lease-slowest.truly(w.timing.Term())-10*time.Microsecond)
	if w.options.Reference { // its terms last D+R
		w.slack = max(0, w.timing.Lease-w.timing.Deadline-w.timing.Retry-8*calm)
	}
	w.describe("world", "seed %d: L = %v, D = %v, R = %v; clocks differ by at most %.2f %%; lost work stops within %v",
		w.options.Seed, w.timing.Lease, w.timing.Deadline, w.timing.Retry, float64(span)/10000, w.slack)
	for _, h := range w.hosts {
		w.describe("host "+h.name, "clock rate %.6f; %s", float64(h.clock.ppm)/million, h.traits())
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
	trouble := w.random("trouble")
	w.mu.Unlock()
	w.trouble(trouble)
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

	weather Weather
	// since is when the weather became what it is; changes counts.
	since   time.Duration
	changes int
	// ambush: with the next late answer to a write, the host is cut off.
	ambush bool

	process *Process
	started int

	forbidden, plain, hardened, release, again bool
	stopTimeout                                time.Duration
}

// draw decides how this host's processes contend.
func (h *Host) draw(random *rand.Rand) {
	t := h.world.timing
	h.since = -time.Hour
	h.release, h.again = random.IntN(4) > 0, random.IntN(2) == 0
	h.forbidden, h.plain = random.IntN(6) == 0, random.IntN(8) == 0
	h.hardened = random.IntN(2) == 0 && !h.plain
	h.stopTimeout = between(random, t.Retry, 2*t.Lease)
}

func (h *Host) traits() string {
	return fmt.Sprintf("release on cancel %v (stop timeout %v), contend again %v, watch forbidden %v, plain lock %v, hardened %v",
		h.release, h.stopTimeout, h.again, h.forbidden, h.plain, h.hardened)
}

func (h *Host) random(purpose string) *rand.Rand { return h.world.random(h.name + purpose) }

// chance returns a source of randomness for what happens at this moment. It
// depends on the moment and the purpose alone, not on which of two goroutines
// that run at the same moment asks first.
func (h *Host) chance(purpose string) *rand.Rand {
	return rand.New(rand.NewPCG(h.world.options.Seed^hash(h.name+purpose), uint64(h.world.now())))
}

func (h *Host) fate(kind string) fate { return h.weather.fate(h.chance(kind), h.world.timing) }

// way is how long an event of a watch takes.
func (h *Host) way(purpose string) time.Duration { return between(h.chance(purpose), calm/20, calm) }

// clearFor reports whether the weather has been clear for d.
func (h *Host) clearFor(d time.Duration) bool {
	return h.weather == Clear && h.world.now()-h.since >= d
}

// turn changes the weather, for d; zero is for ever.
func (h *Host) turn(weather Weather, d time.Duration) {
	w := h.world
	h.weather, h.since, h.ambush = weather, w.now(), false
	h.changes++
	w.note("host "+h.name, "the weather is %v", weather)
	if change := h.changes; d > 0 {
		time.AfterFunc(d, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			if h.changes == change && !w.over {
				h.turn(Clear, 0)
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

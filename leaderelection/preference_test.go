package leaderelection

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/leaderelection/witness"
)

func TestPriorityDelay(t *testing.T) {
	for _, test := range []struct {
		retry    time.Duration
		priority int
		want     time.Duration
	}{
		{2 * s, MaxPriority, 0},
		{2 * s, MaxPriority + 1, 0},
		{2 * s, 9, s / 10},
		{2 * s, 5, s / 2},
		{2 * s, 1, 9 * s / 10},
		{2 * s, 0, s},
		{2 * s, -1, s},
		{500 * ms, 0, 500 * ms},
		{500 * ms, 9, 50 * ms},
		{10 * ms, 9, ms},
	} {
		assert.Equal(t, test.want, timing{retry: test.retry}.priorityDelay(test.priority), "%v, %v", test.retry, test.priority)
	}
}

func withPriority(priority func() int) func(*LeaderElectionConfig) {
	return func(c *LeaderElectionConfig) { c.Priority = priority }
}

func of(priority int) func() int { return func() int { return priority } }

func TestAPriorityIsAboutTheWriteThatItWasAskedAfter(t *testing.T) {
	asked := preference{asked: true, about: held("a", "10", 0, 15*s), by: s}
	assert.Equal(t, s, asked.delay(held("a", "10", 0, 15*s)))
	assert.Equal(t, s, asked.delay(edited(held("a", "11", 0, 15*s), duration(60))), "an edit by hand")
	assert.Zero(t, asked.delay(held("a", "12", 2*s, 15*s)), "it is to be asked again")
	asked.asked = false
	assert.Zero(t, asked.delay(held("a", "10", 0, 15*s)))
}

func TestWhenAPriorityIsAsked(t *testing.T) {
	state := held("a", "10", 0, 15*s)
	for name, test := range map[string]struct {
		change func(c *candidacy, seen *observation)
		want   bool
	}{
		"before a claim":         {want: true},
		"there is none":          {change: func(c *candidacy, _ *observation) { c.config.priority.claimHook = nil }},
		"the API says who leads": {change: func(c *candidacy, _ *observation) { c.config.coordinated = true }},
		"it is named": {change: func(_ *candidacy, seen *observation) {
			seen.snapshot = stateOf(newSentWrites("a").releaseEntry(state.Record, "b", later(s, 0)))
		}},
		"it was asked": {change: func(c *candidacy, _ *observation) { c.preference = preference{asked: true, about: state} }},
		"it was asked after another": {change: func(c *candidacy, _ *observation) {
			c.preference = preference{asked: true, about: held("a", "9", -s, 15*s)}
		}, want: true},
		"what is there is not about it": {change: func(c *candidacy, _ *observation) { c.preference = preference{about: state} }, want: true},
	} {
		c, _ := candidacyOf(t, newMemory().lock("b"), withPriority(of(3)))
		seen := observation{known: true, snapshot: state, lease: 15 * s}
		if test.change != nil {
			test.change(c, &seen)
		}
		assert.Equal(t, test.want, c.unconsulted(seen), name)
	}
}

func TestAPriorityThatIsNotHadIsSaid(t *testing.T) {
	c, says := candidacyOf(t, newMemory().lock("b"))
	c.preference.by = s
	c.consulted(priorityAnswer{err: errors.New("no")})
	assert.Equal(t, s, c.preference.by)
	assert.Contains(t, says(), "could not be asked")
	said := says()
	c.consulted(priorityAnswer{priority: 9})
	assert.Equal(t, s/10, c.preference.by)
	assert.Equal(t, said, says())
}

// A fleet of three priorities after a leader that ends in every way there is: the one
// that is preferred leads, and where it is gone the next is only its own delay late.
func TestThePreferredContenderGoesFirst(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(a *contender, lock *memoryLock)
		free time.Duration // how long after that the lease is free
		lost bool
	}{
		"a release":     {end: func(a *contender, _ *memoryLock) { a.cancel(); <-a.ended }},
		"a resignation": {end: func(a *contender, _ *memoryLock) { _ = a.Resign(context.Background()) }},
		"a dead leader": {end: func(_ *contender, lock *memoryLock) { lock.with(func(l *memoryLock) { l.cut = true }) }, free: 15 * s, lost: true},
	} {
		for _, gone := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				within(t, func(t *testing.T) {
					m := newMemory()
					lock := m.lock("a")
					a := contend(t, lock, func(c *LeaderElectionConfig) { c.ReleaseOnCancel = true })
					sleep(s)
					best := contend(t, m.lock("best"), withPriority(of(8)))
					all := map[string]*contender{
						"least": contend(t, m.lock("least"), withPriority(of(0))),
						"good":  contend(t, m.lock("good"), withPriority(of(6))),
						"best":  best,
					}
					sleep(5 * s)
					want, delay := "best", 2*s/10
					if gone {
						best.cancel()
						want, delay = "good", 4*s/10
						sleep(s)
					}
					renewed := m.now().Record.RenewTime.Time
					ended := time.Now()
					test.end(a, lock)
					if test.lost {
						ended = renewed
					}
					sleep(30 * s)
					assert.Equal(t, want, leads(all))
					require.Len(t, all[want].runs(), 1)
					assert.InDelta(t, test.free+delay, all[want].runs()[0].from.Sub(ended), float64(soon))
				})
			})
		}
	}
}

func TestThePreferredContenderGoesFirstAfterAProvenDeath(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		dead := make(chan struct{})
		lock := m.lock("a")
		contend(t, lock, func(c *LeaderElectionConfig) { c.Witnesses = []witness.Witness{knows{"a", dead}} })
		sleep(s)
		all := map[string]*contender{}
		for id, priority := range map[string]int{"least": 0, "best": 10, "good": 5} {
			all[id] = contend(t, m.lock(id), withPriority(of(priority)), func(c *LeaderElectionConfig) { c.Witnesses = []witness.Witness{knows{id, dead}} })
		}
		sleep(5 * s)
		lock.with(func(l *memoryLock) { l.cut = true })
		close(dead)
		sleep(soon)
		assert.Equal(t, "best", leads(all))
		sleep(30 * s)
		assert.Empty(t, all["least"].runs())
		assert.Empty(t, all["good"].runs())
	})
}

// knows is the witness of a contender that knows of a death: that of "a".
type knows struct {
	self string
	dead chan struct{}
}

func (knows) Name() string                            { return "knows" }
func (w knows) Leave(context.Context) (string, error) { return w.self, nil }
func (w knows) Await(ctx context.Context, testimony string) (witness.Proof, error) {
	if testimony != "a" {
		return witness.Proof{}, witness.ErrNoProof
	}
	select {
	case <-w.dead:
		return witness.Proof{Testimony: testimony, Again: func(context.Context) error { return nil }}, nil
	case <-ctx.Done():
		return witness.Proof{}, context.Cause(ctx)
	}
}

func TestThePriorityIsAskedWhenTheLeaseIsFree(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"))
		sleep(s)
		var asked atomic.Int32
		var b atomic.Int32
		all := map[string]*contender{
			"b": contend(t, m.lock("b"), withPriority(func() int { asked.Add(1); return int(b.Load()) })),
			"c": contend(t, m.lock("c"), withPriority(of(5))),
		}
		sleep(time.Minute)
		assert.Zero(t, asked.Load(), "while another leads")
		b.Store(7)
		require.NoError(t, a.Resign(t.Context()))
		sleep(30 * s)
		assert.Equal(t, "b", leads(all))
		assert.EqualValues(t, 1, asked.Load())
	})
}

// Whatever becomes of the function, the contender is only as late as the least.
func TestAPriorityThatIsNotHadCostsAMoment(t *testing.T) {
	for name, priority := range map[string]func() int{
		"it hangs":        func() int { <-untilEnd; return 10 },
		"it panics":       func() int { panic("a panic") },
		"it is the least": func() int { return 0 },
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				untilEnd = make(chan struct{})
				defer close(untilEnd)
				m := newMemory()
				b := contend(t, m.lock("b"), withPriority(priority))
				sleep(10 * s)
				require.Len(t, b.runs(), 1)
				assert.InDelta(t, s, b.runs()[0].from.Sub(b.began), float64(soon))
				for range 20 { // more often than calls may hang
					require.NoError(t, b.Resign(t.Context()))
					resigned := time.Now()
					sleep(10 * s)
					runs := b.runs()
					assert.InDelta(t, 22*s/5, runs[len(runs)-1].from.Sub(resigned), float64(soon), "a resigned one waits for as long anyway")
				}
			})
		})
	}
}

// The named one is no later for its priority, and the others are in order when it does
// not come.
func TestASuccessorIsNotHeldBackByItsPriority(t *testing.T) {
	for _, dead := range []bool{false, true} {
		within(t, func(t *testing.T) {
			m := newMemory()
			a := contend(t, m.lock("a"))
			sleep(s)
			named := m.lock("named")
			all := map[string]*contender{
				"named": contend(t, named, withPriority(of(0))),
				"best":  contend(t, m.lock("best"), withPriority(of(9))),
				"good":  contend(t, m.lock("good"), withPriority(of(7))),
			}
			sleep(5 * s)
			want, delay := "named", time.Duration(0)
			if dead {
				named.with(func(l *memoryLock) { l.fail = errors.New("it is dead") })
				want, delay = "best", s+s/10
			}
			require.NoError(t, a.ResignTo(t.Context(), "named"))
			released := time.Now()
			sleep(30 * s)
			assert.Equal(t, want, leads(all))
			assert.InDelta(t, delay, all[want].runs()[0].from.Sub(released), float64(soon))
		})
	}
}

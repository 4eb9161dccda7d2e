package leaderelection

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// standbys starts contenders beside one that leads.
func standbys(t *testing.T, m *memory, identities ...string) map[string]*contender {
	all := map[string]*contender{}
	for _, id := range identities {
		all[id] = contend(t, m.lock(id))
	}
	sleep(5 * s)
	return all
}

// leads returns who leads.
func leads(all map[string]*contender) string {
	for id, c := range all {
		if c.IsLeader() {
			return id
		}
	}
	return ""
}

func TestWhomAReleaseNames(t *testing.T) {
	names := func(who string) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return who, nil }
	}
	for name, test := range map[string]struct {
		resigned    []resignation
		heir        string
		hook        func(context.Context) (string, error)
		coordinated bool
		turns       bool
		want, says  string
	}{
		"the first who is named":         {resigned: []resignation{{}, {successor: "b"}, {successor: "c"}}, heir: "d", hook: names("e"), want: "b"},
		"else who has asked":             {resigned: []resignation{{}}, heir: "d", hook: names("e"), want: "d"},
		"else whom the hook names":       {resigned: []resignation{{}}, hook: names("e"), want: "e"},
		"nobody":                         {},
		"as long as may be":              {heir: strings.Repeat("x", rl.MaxSuccessor), want: strings.Repeat("x", rl.MaxSuccessor)},
		"nobody whose name is longer":    {heir: strings.Repeat("x", rl.MaxSuccessor+1)},
		"not itself":                     {heir: "a"},
		"nobody by a hook that fails":    {hook: func(context.Context) (string, error) { return "e", errors.New("no") }, says: "No successor is named"},
		"nobody where the API chooses":   {hook: names("e"), coordinated: true},
		"nobody where there is no place": {hook: names("e"), turns: true},
	} {
		within(t, func(t *testing.T) {
			l, says := sayingLeadership(t)
			l.resigned, l.handover.heir = test.resigned, test.heir
			l.config.successor, l.config.coordinated = test.hook, test.coordinated
			if test.turns {
				plain, _ := candidacyOf(t, onlyInterface{newMemory().lock("a")})
				l.election.lock = plain.lock
				require.True(t, l.election.lock.takesTurns())
			}
			assert.Equal(t, test.want, l.successor(t.Context()), name)
			assert.Equal(t, test.says == "", says() == "", "%s: %s", name, says())
			assert.Contains(t, says(), test.says, name)
		})
	}
}

func TestASuccessorLeadsAtOnceAndNobodyElseDoes(t *testing.T) {
	for name, resign := range map[string]func(a *contender, ctx context.Context, to string) error{
		"of a resignation": func(a *contender, ctx context.Context, to string) error { return a.ResignTo(ctx, to) },
		"of a release":     func(a *contender, _ context.Context, _ string) error { a.cancel(); <-a.ended; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			for _, successor := range []string{"b", "c", "d", "e"} {
				within(t, func(t *testing.T) {
					m := newMemory()
					a := contend(t, m.lock("a"), func(c *LeaderElectionConfig) {
						c.ReleaseOnCancel = true
						if name == "of a release" {
							c.Successor = func(context.Context) (string, error) { return successor, nil }
						}
					})
					sleep(s)
					all := standbys(t, m, "b", "c_9f3a", "d", "e")
					require.NoError(t, resign(a, t.Context(), successor))
					sleep(soon)
					assert.Equal(t, successor, strings.TrimSuffix(leads(all), "_9f3a"))
					terms := 0
					for _, c := range all {
						terms += len(c.runs())
					}
					assert.Equal(t, 1, terms)
				})
			}
		})
	}
}

func TestASuccessorThatDoesNotComeCostsAMoment(t *testing.T) {
	for name, test := range map[string]struct {
		successor string
		change    func(*LeaderElectionConfig)
		costs     time.Duration
	}{
		"it never was":                      {successor: "nobody", costs: s},
		"its name is only the beginning":    {successor: "other", costs: s},
		"it is whom it succeeds":            {successor: "a", costs: 0},
		"its name is too long":              {successor: strings.Repeat("x", rl.MaxSuccessor+1), costs: 0},
		"a shorter wait":                    {successor: "nobody", change: func(c *LeaderElectionConfig) { c.SuccessorWait = s / 4 }, costs: s / 4},
		"no longer wait than a retryPeriod": {successor: "nobody", change: func(c *LeaderElectionConfig) { c.SuccessorWait = time.Hour }, costs: 2 * s},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				m := newMemory()
				a := contend(t, m.lock("a"))
				sleep(s)
				other := contend(t, m.lock("other-1"), func(c *LeaderElectionConfig) {
					if test.change != nil {
						test.change(c)
					}
				})
				sleep(5 * s)
				require.NoError(t, a.ResignTo(t.Context(), test.successor))
				released := time.Now()
				sleep(30 * s)
				require.Len(t, other.runs(), 1)
				assert.InDelta(t, test.costs, other.runs()[0].from.Sub(released), float64(soon))
			})
		})
	}
}

func TestASuccessorThatDiesInTheMomentCostsAMoment(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"))
		sleep(s)
		dying := m.lock("dying")
		contend(t, dying)
		other := contend(t, m.lock("other"))
		sleep(5 * s)
		dying.with(func(l *memoryLock) { l.fail = errors.New("it is dead") })
		require.NoError(t, a.ResignTo(t.Context(), "dying"))
		released := time.Now()
		sleep(10 * s)
		require.Len(t, other.runs(), 1)
		assert.InDelta(t, s, other.runs()[0].from.Sub(released), float64(soon))
	})
}

// Whoever does not name one is as good as no hook.
func TestAHookThatFailsHangsOrPanicsLeavesTheLeaseToAll(t *testing.T) {
	for name, test := range map[string]struct {
		hook  func(context.Context) (string, error)
		costs time.Duration
	}{
		"fails":           {hook: func(context.Context) (string, error) { return "b", errors.New("it is not known") }},
		"names nobody":    {hook: func(context.Context) (string, error) { return "", nil }},
		"panics":          {hook: func(context.Context) (string, error) { panic("a panic") }},
		"waits":           {hook: func(ctx context.Context) (string, error) { <-ctx.Done(); return "nobody", nil }, costs: s / 2},
		"hangs":           {hook: func(ctx context.Context) (string, error) { <-untilEnd; return "nobody", nil }, costs: s / 2},
		"names itself":    {hook: func(context.Context) (string, error) { return "a", nil }},
		"waits and fails": {hook: func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }, costs: s / 2},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				untilEnd = make(chan struct{})
				defer close(untilEnd)
				m := newMemory()
				a := contend(t, m.lock("a"), func(c *LeaderElectionConfig) { c.ReleaseOnCancel, c.Successor = true, test.hook })
				sleep(s)
				b := contend(t, m.lock("b"))
				sleep(5 * s)
				a.cancel()
				cancelled := time.Now()
				sleep(10 * s)
				assert.Equal(t, ReasonReleased, a.why(t).Reason)
				require.Len(t, b.runs(), 1)
				assert.Equal(t, cancelled, a.runs()[0].cancelled)
				if name == "waits" { // it has answered as late as it may
					return
				}
				assert.InDelta(t, test.costs, b.runs()[0].from.Sub(cancelled), float64(soon))
			})
		})
	}
}

// untilEnd is closed when a hook that hangs is to return.
var untilEnd chan struct{}

// The work may take long to stop, and whom the hook would have named before may be
// gone by then.
func TestTheHookIsAskedWhenTheWorkHasReturned(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		var asked time.Time
		a := contend(t, m.lock("a"), func(c *LeaderElectionConfig) {
			c.ReleaseOnCancel = true
			c.Successor = func(context.Context) (string, error) { asked = time.Now(); return "", nil }
		})
		a.takesToStop(7 * s)
		sleep(s)
		a.cancel()
		sleep(10 * s)
		assert.Equal(t, a.runs()[0].to, asked)
	})
}

// What is left of a term is for the release first.
func TestAHookThatHangsLeavesTimeForTheRelease(t *testing.T) {
	within(t, func(t *testing.T) {
		untilEnd = make(chan struct{})
		defer close(untilEnd)
		m := newMemory()
		lock := m.lock("a")
		a := contend(t, lock, func(c *LeaderElectionConfig) {
			c.ReleaseOnCancel = true
			c.Successor = func(context.Context) (string, error) { <-untilEnd; return "", nil }
		})
		sleep(5 * s)
		lock.with(func(l *memoryLock) { l.fail = errors.New("it is away") })
		sleep(time.Until(a.Term().End()) - 300*ms)
		a.cancel()
		sleep(210 * ms) // the renewal under way was given up
		lock.with(func(l *memoryLock) { l.fail = nil })
		sleep(89 * ms)
		assert.Empty(t, m.now().Record.HolderIdentity)
	})
}

// A term that was lost is nobody's to hand over.
func TestALostTermNamesNobody(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		contend(t, lock, func(c *LeaderElectionConfig) {
			c.ReleaseOnCancel = true
			c.Successor = func(context.Context) (string, error) { t.Error("asked"); return "b", nil }
		})
		sleep(s)
		lock.with(func(l *memoryLock) { l.cut = true })
		sleep(20 * s)
	})
}

func TestALockWithNoPlaceForANameIsReleasedForAll(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, onlyInterface{&interfaceLock{memoryLock: m.lock("a")}})
		sleep(s)
		b := contend(t, onlyInterface{&interfaceLock{memoryLock: m.lock("b")}})
		sleep(5 * s)
		require.NoError(t, a.ResignTo(t.Context(), "c"))
		released := time.Now()
		sleep(10 * s)
		require.Len(t, b.runs(), 1)
		assert.LessOrEqual(t, b.runs()[0].from.Sub(released), 2*2*s+soon, "a poll later")
	})
}

func TestNames(t *testing.T) {
	for _, test := range []struct {
		name, identity string
		want           bool
	}{
		{"web-1", "web-1", true},
		{"web-1", "web-1_4f1c", true},
		{"web-1_4f1c", "web-1_4f1c", true},
		{"web-1", "web-10_4f1c", false},
		{"web-1", "web", false},
		{"", "", false},
		{"", "_4f1c", false},
	} {
		assert.Equal(t, test.want, names(test.name, test.identity), "%q for %q", test.name, test.identity)
	}
}

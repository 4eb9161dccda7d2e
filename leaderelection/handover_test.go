package leaderelection

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

func asksAfter(d time.Duration) func(*LeaderElectionConfig) {
	return func(c *LeaderElectionConfig) { c.HandoverAfter = d }
}

// stopsWithin is work that takes a while to stop.
func stopsWithin(d time.Duration) func(*LeaderElectionConfig) {
	return func(c *LeaderElectionConfig) {
		begin := c.Callbacks.OnStartedLeading
		c.Callbacks.OnStartedLeading = func(ctx context.Context) { begin(ctx); sleep(d) }
	}
}

// leadershipOf returns what a leader goes by who began to lead now, without its loop.
func leadershipOf(t *testing.T, changes ...func(*LeaderElectionConfig)) *leadership {
	c := config(newMemory().lock("a"))
	c.Callbacks = LeaderCallbacks{OnStartedLeading: func(context.Context) {}, OnStoppedLeading: func() {}}
	for _, change := range changes {
		change(&c)
	}
	le, err := NewLeaderElector(c)
	require.NoError(t, err)
	term := ofTwelveSeconds()
	term.clock, term.sent = le.clock, le.clock.now()
	l := newLeadership(t.Context(), klog.Background(), &le.election, &le.tenure, le.leader)
	l.term, l.began = term, le.clock.now()
	return l
}

func TestALeaderHearsOfWishesWhileItsAnswersAreQuick(t *testing.T) {
	hears := func(after, took time.Duration, coordinated, settled bool) bool {
		l := leadershipOf(t, asksAfter(after))
		l.config.coordinated, l.took = coordinated, took
		return l.hears(outcome{done: true, settled: settled})
	}
	assert.True(t, hears(time.Minute, 0, false, false))
	assert.True(t, hears(time.Minute, s/2, false, false), "a quarter of the period")
	assert.False(t, hears(time.Minute, s/2+1, false, false))
	assert.False(t, hears(0, 0, false, false), "it does not hand over")
	assert.False(t, hears(time.Minute, 0, true, false), "the API says who leads")
	assert.False(t, hears(time.Minute, 0, false, true), "the answer was lost")
}

func TestWhichWishesALeaderConsiders(t *testing.T) {
	wish := func(by string, priority int) rl.Snapshot {
		state := rl.Snapshot{Record: rl.LeaderElectionRecord{HolderIdentity: "a"}}
		state.Wished = state.NewWish(by, priority)
		return state
	}
	considered := func(wish rl.Snapshot, ago time.Duration) func(*leadership) {
		return func(l *leadership) {
			l.handover = handover{wish: wish.Wished, considered: instant{mono: time.Now().Add(-ago)}}
		}
	}
	for name, test := range map[string]struct {
		early  time.Duration
		before func(l *leadership)
		state  rl.Snapshot
		want   bool
	}{
		"a wish":                        {state: wish("b", 7), want: true},
		"no wish":                       {state: rl.Snapshot{Record: rl.LeaderElectionRecord{HolderIdentity: "a"}}},
		"it does not hand over":         {before: func(l *leadership) { l.config.handoverAfter = 0 }, state: wish("b", 7)},
		"the API says who leads":        {before: func(l *leadership) { l.config.coordinated = true }, state: wish("b", 7)},
		"the term is to end":            {before: func(l *leadership) { l.stopReason = &TermEndedError{} }, state: wish("b", 7)},
		"the term has ended":            {before: func(l *leadership) { l.term.end(&TermEndedError{}) }, state: wish("b", 7)},
		"one is being considered":       {before: func(l *leadership) { l.handover.answers = make(chan priorityAnswer) }, state: wish("b", 7)},
		"the term is too young":         {early: 1, state: wish("b", 7)},
		"the wish was considered":       {before: considered(wish("b", 7), 0), state: wish("b", 7)},
		"the same again, later":         {before: considered(wish("b", 7), time.Minute), state: wish("b", 7), want: true},
		"the same a moment too early":   {before: considered(wish("b", 7), time.Minute-1), state: wish("b", 7)},
		"another's, as much preferred":  {before: considered(wish("c", 7), 0), state: wish("b", 7), want: true},
		"the same one's, more than was": {before: considered(wish("b", 6), 0), state: wish("b", 7), want: true},
	} {
		within(t, func(t *testing.T) {
			l := leadershipOf(t, asksAfter(time.Minute), withPriority(of(4)))
			sleep(time.Minute - test.early)
			if test.before != nil {
				test.before(l)
			}
			before := l.handover.answers
			l.heed(test.state)
			require.Equal(t, test.want, l.handover.answers != before, name)
			if test.want {
				assert.Equal(t, priorityAnswer{priority: 4}, <-l.handover.answers, name)
				assert.Equal(t, test.state.Wished, l.handover.wish, name)
				assert.Equal(t, strings.HasPrefix(name, "the same again"), l.handover.again, name)
			}
		})
	}
}

// sayingLeadership is leadershipOf with what it says, and work that runs.
func sayingLeadership(t *testing.T, changes ...func(*LeaderElectionConfig)) (l *leadership, says func() string) {
	l = leadershipOf(t, changes...)
	logger := ktesting.NewLogger(ktesting.NopTL{}, ktesting.NewConfig(ktesting.BufferLogs(true)))
	l.logger, l.work, l.stopWork, l.patience = logger, &work{done: make(chan struct{})}, func(error) {}, l.election.clock.idleTimer()
	return l, logger.GetSink().(ktesting.Underlier).GetBuffer().String
}

func TestWhatALeaderDecidesOfAWish(t *testing.T) {
	for name, test := range map[string]struct {
		own   priorityAnswer
		again bool
		says  string
		hands bool
	}{
		"it is preferred":              {own: priorityAnswer{priority: 6}, says: "Handing the lease over", hands: true},
		"it is preferred now":          {own: priorityAnswer{priority: 6}, again: true, says: "Handing the lease over", hands: true},
		"it is as much preferred":      {own: priorityAnswer{priority: 7}, says: "leading on"},
		"it is so still":               {own: priorityAnswer{priority: 7}, again: true},
		"it is less preferred":         {own: priorityAnswer{priority: 8}, says: "leading on"},
		"it is so again":               {own: priorityAnswer{priority: 8}, again: true},
		"the leader's own is not had":  {own: priorityAnswer{err: errors.New("no")}, says: "could not be asked"},
		"not even when it is repeated": {own: priorityAnswer{err: errors.New("no")}, again: true, says: "could not be asked"},
	} {
		within(t, func(t *testing.T) {
			l, says := sayingLeadership(t)
			l.handover = handover{wish: rl.Wish{By: "b", Priority: 7}, again: test.again, answers: make(chan priorityAnswer)}
			l.decide(test.own)
			assert.Nil(t, l.handover.answers, name)
			assert.Equal(t, test.says == "", says() == "", "%s: %s", name, says())
			assert.Contains(t, says(), test.says, name)
			assert.Equal(t, test.hands, l.handover.heir == "b", name)
			assert.Equal(t, test.hands, l.stopReason != nil && l.stopReason.Reason == ReasonResigned && l.release, name)
		})
	}
}

func TestAPreferredContenderThatArrivesIsHandedTheLease(t *testing.T) {
	for name, test := range map[string]struct {
		leads, asks int // their priorities
		leader      []func(*LeaderElectionConfig)
		asker       []func(*LeaderElectionConfig)
		watchless   bool
		hands       bool
	}{
		"it is preferred":                 {leads: 4, asks: 7, hands: true},
		"it may not watch":                {leads: 4, asks: 7, watchless: true, hands: true},
		"work that takes a while to stop": {leads: 4, asks: 7, leader: []func(*LeaderElectionConfig){stopsWithin(3 * s)}, hands: true},
		"it is as much preferred":         {leads: 7, asks: 7},
		"it is less preferred":            {leads: 7, asks: 4},
		"it is the least":                 {leads: 0, asks: 0},
		"the leader does not hand over":   {leads: 4, asks: 7, leader: []func(*LeaderElectionConfig){asksAfter(0)}},
		"it does not ask":                 {leads: 4, asks: 7, asker: []func(*LeaderElectionConfig){asksAfter(0)}},
		"the leader's priority panics":    {leads: 4, asks: 7, leader: []func(*LeaderElectionConfig){withPriority(func() int { panic("no") })}},
		"the leader's priority hangs":     {leads: 4, asks: 7, leader: []func(*LeaderElectionConfig){withPriority(func() int { sleep(10 * s); return 0 })}},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				m := newMemory()
				a := contend(t, m.lock("a"), append([]func(*LeaderElectionConfig){withPriority(of(test.leads)), asksAfter(time.Minute)}, test.leader...)...)
				sleep(5 * time.Minute)
				lock := m.lock("b")
				if test.watchless {
					lock.watchErr = errors.New("no")
				}
				b := contend(t, lock, append([]func(*LeaderElectionConfig){withPriority(of(test.asks)), asksAfter(time.Minute)}, test.asker...)...)
				came := time.Now()
				sleep(time.Minute - 5*s)
				assert.True(t, a.IsLeader(), "not before the term was seen for so long")
				sleep(20 * s)
				if test.hands {
					require.Len(t, b.runs(), 1)
					assert.True(t, b.IsLeader())
					assert.False(t, b.runs()[0].from.Before(a.runs()[0].to), "the leader's work stops first")
					assert.InDelta(t, time.Minute, b.runs()[0].from.Sub(came), float64(12*s))
				} else {
					assert.True(t, a.IsLeader())
				}
				changes := len(a.runs()) + len(b.runs())
				sleep(time.Hour)
				assert.Equal(t, changes, len(a.runs())+len(b.runs()), "and then nothing changes")
				wished, states := 0, m.states()
				for i, state := range states {
					if _, wishes := state.Wish(); wishes && (i == 0 || states[i-1].Wished != state.Wished) {
						wished++
					}
				}
				assert.LessOrEqual(t, wished, 2, "nobody asks again and again")
			})
		})
	}
}

// lastWish is a lock whose process dies as soon as it has left a wish.
type lastWish struct{ *memoryLock }

func (l lastWish) Wish(ctx context.Context, base rl.Snapshot, by string, priority int) (rl.Snapshot, error) {
	state, err := l.memoryLock.Wish(ctx, base, by, priority)
	if err == nil { // else the leader has renewed in this moment
		l.with(func(l *memoryLock) { l.cut, l.deaf = true, true })
	}
	return state, err
}

func TestWhoAsksAndDiesCostsOneChange(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"), withPriority(of(1)), asksAfter(time.Minute))
		sleep(s)
		contend(t, lastWish{m.lock("b")}, withPriority(of(9)), asksAfter(time.Minute))
		sleep(time.Minute + 20*s)
		assert.Len(t, a.runs(), 2)
		assert.True(t, a.IsLeader(), "it leads again")
		sleep(time.Hour)
		assert.Len(t, a.runs(), 2)
	})
}

// A contender that becomes preferred asks then, and what was asked of an earlier leader
// is nothing to the next.
func TestAContenderAsksWhenItIsPreferred(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"), withPriority(of(5)), asksAfter(time.Minute))
		sleep(s)
		var priority atomic.Int64
		priority.Store(2)
		b := contend(t, m.lock("b"), withPriority(func() int { return int(priority.Load()) }), asksAfter(time.Minute))
		sleep(10 * time.Minute)
		require.True(t, a.IsLeader())
		priority.Store(8)
		sleep(time.Minute + 10*s)
		assert.True(t, b.IsLeader())
		sleep(time.Hour)
		assert.True(t, b.IsLeader(), "what was asked before is about another term")
	})
}

func TestALeaderThatIsPreferredNoMoreGrantsTheWishThatStands(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		var priority atomic.Int64
		priority.Store(9)
		a := contend(t, m.lock("a"), withPriority(func() int { return int(priority.Load()) }), asksAfter(time.Minute))
		sleep(s)
		b := contend(t, m.lock("b"), withPriority(of(5)), asksAfter(time.Minute))
		c := contend(t, m.lock("c"), withPriority(of(9)), asksAfter(time.Minute))
		sleep(10 * time.Minute)
		require.True(t, a.IsLeader())
		states := len(m.states())
		sleep(10 * time.Minute)
		assert.Len(t, m.states(), states+300, "nobody writes but the leader who renews")
		priority.Store(2)
		sleep(time.Minute + 5*s)
		assert.True(t, c.IsLeader())
		assert.Empty(t, b.runs())
	})
}

// A wish costs a renewal two answers more, which a leader whose answers are slow does not
// have.
func TestALeaderWhoseAnswersAreSlowIsNotAsked(t *testing.T) {
	for _, late := range []time.Duration{600 * ms, 2 * s, 4 * s, 5900 * ms} {
		within(t, func(t *testing.T) {
			m := newMemory()
			lock := m.lock("a")
			a := contend(t, lock, withPriority(of(1)), asksAfter(time.Minute))
			sleep(s)
			lock.with(func(l *memoryLock) { l.late = late })
			b := contend(t, m.lock("b"), asksAfter(time.Minute))
			sleep(10 * time.Minute)
			assert.Len(t, a.runs(), 1)
			assert.Empty(t, b.runs(), "%v", late)
			assert.Zero(t, m.now().Wished)
			lock.with(func(l *memoryLock) { l.late = 0 })
			sleep(2 * time.Minute)
			assert.True(t, b.IsLeader(), "once they are quick again")
		})
	}
}

func TestNobodyAsksALeaderThatDoesNotHear(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		contend(t, m.lock("a"), withPriority(of(1)))
		sleep(s)
		contend(t, m.lock("b"), asksAfter(time.Minute))
		sleep(time.Hour)
		for _, state := range m.states() {
			require.Zero(t, state.Wished)
		}
	})
}

func TestAWishIsAboutOneTerm(t *testing.T) {
	record := rl.LeaderElectionRecord{HolderIdentity: "a", LeaderTransitions: 3}
	state := rl.Snapshot{Record: record}
	state.Wished = state.NewWish("b", 7)
	wish, is := state.Wish()
	assert.True(t, is)
	assert.Equal(t, "b", wish.By)
	for name, change := range map[string]func(*rl.LeaderElectionRecord){
		"another holder": func(r *rl.LeaderElectionRecord) { r.HolderIdentity = "c" },
		"no holder":      func(r *rl.LeaderElectionRecord) { r.HolderIdentity = "" },
		"another term":   func(r *rl.LeaderElectionRecord) { r.LeaderTransitions++ },
		"acquired anew":  func(r *rl.LeaderElectionRecord) { r.AcquireTime.Time = time.Unix(1, 0) },
	} {
		changed := state
		change(&changed.Record)
		_, is := changed.Wish()
		assert.False(t, is, name)
	}
}

func TestHandoverAfterIsNoShorterThanTheLease(t *testing.T) {
	for _, wrong := range []time.Duration{-1, 1, 15*s - 1} {
		c := config(newMemory().lock("a"))
		c.Callbacks = LeaderCallbacks{OnStartedLeading: func(context.Context) {}, OnStoppedLeading: func() {}}
		c.HandoverAfter = wrong
		_, err := NewLeaderElector(c)
		assert.ErrorContains(t, err, "HandoverAfter = "+wrong.String())
	}
	c := config(onlyInterface{newMemory().lock("a")})
	c.Callbacks = LeaderCallbacks{OnStartedLeading: func(context.Context) {}, OnStoppedLeading: func() {}}
	c.HandoverAfter = time.Minute
	_, err := NewLeaderElector(c)
	assert.ErrorContains(t, err, "has no place for a wish, being a leaderelection.onlyInterface")
}

func TestAWishThatFailsIsTriedAgainMoreAndMoreSeldom(t *testing.T) {
	of := timing{15 * s, 10 * s, 2 * s}
	for failures, want := range map[int]time.Duration{1: s, 2: 2 * s, 3: 4 * s, 6: 32 * s, 7: time.Minute, 1000: time.Minute} {
		assert.Equal(t, want, of.wishBackoff(failures, 0, time.Minute))
	}
	assert.Equal(t, 7*s, of.wishBackoff(1, 7*s, time.Minute))
	assert.Equal(t, time.Minute, of.wishBackoff(1, time.Hour, time.Minute))
	assert.Equal(t, 1000*time.Hour, timing{retry: 500 * time.Hour}.wishBackoff(1<<20, 0, 1000*time.Hour))
}

// refusing is a lock by which no wish can be left.
type refusing struct {
	*memoryLock
	asked atomic.Int32
}

func (r *refusing) Wish(context.Context, rl.Snapshot, string, int) (rl.Snapshot, error) {
	r.asked.Add(1)
	return rl.Snapshot{}, errors.New("denied by a policy")
}

func TestWishesThatAreRefusedCostLittle(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"), withPriority(of(1)), asksAfter(time.Minute))
		sleep(s)
		lock := &refusing{memoryLock: m.lock("b")}
		contend(t, lock, asksAfter(time.Minute))
		sleep(time.Hour)
		assert.InDelta(t, 64, lock.asked.Load(), 6, "once a minute in the end")
		assert.True(t, a.IsLeader())
	})
}

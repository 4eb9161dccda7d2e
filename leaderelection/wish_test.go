package leaderelection

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/klog/v2/ktesting"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// candidacyOf returns what a candidate goes by who joined now, without its loop, and
// what it says.
func candidacyOf(t *testing.T, lock rl.Interface, changes ...func(*LeaderElectionConfig)) (c *candidacy, says func() string) {
	t.Helper()
	cfg := config(lock)
	cfg.Callbacks = LeaderCallbacks{OnStartedLeading: func(context.Context) {}, OnStoppedLeading: func() {}}
	for _, change := range changes {
		change(&cfg)
	}
	le, err := NewLeaderElector(cfg)
	require.NoError(t, err)
	logger := ktesting.NewLogger(ktesting.NopTL{}, ktesting.NewConfig(ktesting.BufferLogs(true), ktesting.Verbosity(2)))
	c = newCandidacy(logger, &le.election, le.candidate, 0)
	c.draw = 0
	return c, logger.GetSink().(ktesting.Underlier).GetBuffer().String
}

// heldBy returns the state that a renewal of a holder leaves who hears of wishes, or not.
func heldBy(holder string, hears bool) rl.Snapshot {
	writes := newSentWrites(holder)
	writes.setHears(hears)
	return stateOf(writes.add(claim(holder, rl.Snapshot{}, 15*s, epoch, 0), 15*s, after(0)))
}

func TestTermsAreToldApartByHolderTransitionsAndAcquireTime(t *testing.T) {
	term := heldBy("a", true).Record
	assert.True(t, sameTerm(term, edited(rl.Snapshot{Record: term}, renewed(s), duration(60)).Record))
	for name, change := range map[string]func(*rl.LeaderElectionRecord){
		"holder": holder("b"), "transitions": transitions(7), "acquire time": acquired(time.Microsecond),
	} {
		assert.False(t, sameTerm(term, edited(rl.Snapshot{Record: term}, change).Record), name)
	}
}

func TestACandidateAsksWhenItHasSeenATermForLongEnough(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		state := heldBy("a", true)
		m.edit(func(s *rl.Snapshot) { *s = state })
		c, _ := candidacyOf(t, m.lock("b"), asksAfter(time.Minute))
		wish := func(state rl.Snapshot) time.Duration {
			now := c.clock.now()
			return c.wish(t.Context(), observation{known: true, snapshot: state, seen: now, lease: 15 * s}, now)
		}
		assert.Equal(t, time.Minute, wish(state))
		sleep(time.Minute - 1)
		assert.Equal(t, time.Duration(1), wish(state))
		assert.Nil(t, c.wishes.answers)

		another := edited(state, transitions(3))
		another.Stated.Hears = true
		assert.Equal(t, time.Minute, wish(another), "it counts from when a term was seen first")
		sleep(time.Minute)
		assert.Equal(t, never, wish(another))
		require.NotNil(t, c.wishes.answers)
		first := c.wishes.answers
		assert.Equal(t, never, wish(another), "one at a time")
		require.True(t, c.wishes.answers == first)
		assert.Equal(t, wished{}, <-first, "the Lease shows another term")
	})
}

func TestWhomACandidateDoesNotAsk(t *testing.T) {
	for name, test := range map[string]struct {
		after  time.Duration
		change func(c *candidacy, o *observation)
	}{
		"it hands nothing over itself": {change: func(c *candidacy, _ *observation) { c.config.handoverAfter = 0 }},
		"the API says who leads":       {change: func(c *candidacy, _ *observation) { c.config.coordinated = true }},
		"nobody leads":                 {change: func(_ *candidacy, o *observation) { o.snapshot.Record.HolderIdentity = "" }},
		"itself":                       {change: func(_ *candidacy, o *observation) { o.snapshot = heldBy("b", true) }},
		"the leader does not hear":     {change: func(_ *candidacy, o *observation) { o.snapshot = heldBy("a", false) }},
		"the lease is over":            {change: func(_ *candidacy, o *observation) { o.lease = 0 }},
	} {
		within(t, func(t *testing.T) {
			m := newMemory()
			m.edit(func(s *rl.Snapshot) { *s = heldBy("a", true) })
			c, _ := candidacyOf(t, m.lock("b"), asksAfter(time.Minute))
			for range 3 {
				now := c.clock.now()
				seen := observation{known: true, snapshot: heldBy("a", true), seen: now, lease: 15 * s}
				test.change(c, &seen)
				c.wish(t.Context(), seen, now)
				require.Nil(t, c.wishes.answers, name)
				sleep(time.Minute)
			}
		})
	}
}

func TestWhatBecomesOfAWish(t *testing.T) {
	const own = 6
	broken := errors.New("broken")
	asked := func(by string, priority int) func(*memoryLock) {
		return func(l *memoryLock) { l.edit(func(s *rl.Snapshot) { s.Wished = s.NewWish(by, priority) }) }
	}
	for name, test := range map[string]struct {
		least int
		now   func(*memoryLock)
		own   func() int
		want  wished
		panic bool
		left  bool
	}{
		"it is left":                      {least: -1, want: wished{own, true, nil}},
		"it is more than the last":        {least: own - 1, want: wished{own, true, nil}},
		"it is no more than the last":     {least: own},
		"of the least preferred":          {least: -1, own: of(0)},
		"the priority is not had":         {least: -1, own: func() int { panic(broken) }, panic: true},
		"the Lease is not read":           {least: -1, now: func(l *memoryLock) { l.fail = broken }, want: wished{err: broken}},
		"the leader hears no more":        {least: -1, now: func(l *memoryLock) { l.edit(func(s *rl.Snapshot) { *s = heldBy("a", false) }) }},
		"another leads":                   {least: -1, now: func(l *memoryLock) { l.edit(func(s *rl.Snapshot) { *s = heldBy("c", true) }) }},
		"another asks, as much preferred": {least: -1, now: asked("c", own), want: wished{priority: own}},
		"another asks, more preferred":    {least: -1, now: asked("c", own+1), want: wished{priority: own}},
		"another asks, who is less":       {least: -1, now: asked("c", own-1), want: wished{own, true, nil}},
	} {
		within(t, func(t *testing.T) {
			lock := newMemory().lock("b")
			lock.edit(func(s *rl.Snapshot) { *s = heldBy("a", true) })
			if test.now != nil {
				test.now(lock)
			}
			if test.own == nil {
				test.own = of(own)
			}
			c, _ := candidacyOf(t, lock, asksAfter(time.Minute), withPriority(test.own))
			got := c.leaveWish(t.Context(), heldBy("a", true).Record, test.least)
			wish, asks := lock.now().Wish()
			assert.Equal(t, got.left, asks && wish.By == "b" && wish.Priority == own, name)
			if test.panic {
				assert.Error(t, got.err, name)
				got.err = nil
			}
			assert.Equal(t, test.want, got, name)
			if test.want == (wished{}) {
				assert.Zero(t, wish, name)
			}
		})
	}
	within(t, func(t *testing.T) {
		lock := &refusing{memoryLock: newMemory().lock("b")}
		lock.edit(func(s *rl.Snapshot) { *s = heldBy("a", true) })
		c, _ := candidacyOf(t, lock, asksAfter(time.Minute), withPriority(of(own)))
		got := c.leaveWish(t.Context(), heldBy("a", true).Record, -1)
		assert.ErrorContains(t, got.err, "denied by a policy")
		assert.Equal(t, wished{priority: own, err: got.err}, got)
	})
}

func TestAfterAWishACandidateAsksWhenItIsPreferredMore(t *testing.T) {
	within(t, func(t *testing.T) {
		c, says := candidacyOf(t, newMemory().lock("b"), asksAfter(time.Minute))
		c.wishes.priority = -1
		for i, step := range []struct {
			got      wished
			priority int
			wait     time.Duration
			failures int
			says     string
		}{
			{wished{}, 0, time.Minute, 0, ""},
			{wished{priority: 7, left: true}, 7, time.Minute, 0, "Asked the leader"},
			{wished{}, 7, time.Minute, 0, ""},
			{wished{priority: 7, err: errors.New("no")}, 7, s, 1, "Could not ask"},
			{wished{priority: 9, err: errors.New("no")}, 7, 2 * s, 2, "Could not ask"},
			{wished{priority: 9}, 9, time.Minute, 0, ""},
		} {
			sleep(s)
			before := len(says())
			c.wishes.answers = make(chan wished)
			c.wished(step.got)
			assert.Nil(t, c.wishes.answers)
			assert.Equal(t, c.clock.now().mono, c.wishes.from.mono)
			assert.Equal(t, step.priority, c.wishes.priority, "step %d", i)
			assert.Equal(t, step.wait, c.wishes.wait, "step %d", i)
			assert.Equal(t, step.failures, c.wishes.failures, "step %d", i)
			assert.Equal(t, step.says == "", says()[before:] == "", "step %d: %s", i, says()[before:])
			assert.True(t, strings.Contains(says()[before:], step.says), "step %d: %s", i, says()[before:])
		}
	})
}

func TestAPriorityIsWaitedForNoLongerThanOthersAreLetGoFirst(t *testing.T) {
	for retry, most := range map[time.Duration]time.Duration{2 * s: s, s / 2: s / 2} {
		within(t, func(t *testing.T) {
			untilEnd := make(chan struct{})
			defer close(untilEnd)
			c, _ := candidacyOf(t, newMemory().lock("b"), withPriority(func() int { <-untilEnd; return 1 }),
				func(c *LeaderElectionConfig) { c.RetryPeriod = retry })
			began := time.Now()
			assert.Error(t, c.config.priority.forWish(t.Context()).err)
			assert.Equal(t, most, time.Since(began))
		})
	}
	for configured, want := range map[int]int{-3: 0, 0: 0, 4: 4, MaxPriority: MaxPriority, 1000: MaxPriority} {
		c, _ := candidacyOf(t, newMemory().lock("b"), withPriority(of(configured)))
		assert.Equal(t, priorityAnswer{priority: want}, c.config.priority.forWish(t.Context()))
	}
	c, _ := candidacyOf(t, newMemory().lock("b"))
	assert.Equal(t, priorityAnswer{priority: MaxPriority}, c.config.priority.forWish(t.Context()), "who is not asked")
}

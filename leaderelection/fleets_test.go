package leaderelection

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var fleets = flag.Uint64("fleets", 20, "how many fleets TestPreferredContenderLeads simulates")

// TestPreferredContenderLeads lets fleets of contenders of different priorities lose
// their leaders in every way: the one of those that live which is preferred most leads,
// within a second of being able to, and leads on. Nobody leads beside another.
func TestPreferredContenderLeads(t *testing.T) {
	silenceLog(t)
	for seed := range *fleets {
		within(t, func(t *testing.T) {
			f := newFleet(t, rand.New(rand.NewPCG(seed, 1)), 0)
			for range 4 {
				f.loseLeader()
			}
			f.neverTwo()
		})
		if t.Failed() {
			t.Fatalf("fleet %d", seed)
		}
	}
}

// TestPreferredContenderIsHandedTheLease lets those who are preferred ask for the lease:
// the one of those that live which is preferred most leads in the end, after no more
// changes than there may be, and leads on. Nobody leads beside another.
func TestPreferredContenderIsHandedTheLease(t *testing.T) {
	silenceLog(t)
	for seed := range *fleets {
		within(t, func(t *testing.T) {
			f := newFleet(t, rand.New(rand.NewPCG(seed, 2)), 1+time.Duration(seed%4))
			for range 4 {
				f.bestIsHanded()
			}
			f.neverTwo()
		})
		if t.Failed() {
			t.Fatalf("fleet %d", seed)
		}
	}
}

// bestIsHanded changes the fleet in one of the ways there are, and sees that the one that
// is preferred comes to lead.
func (f *fleet) bestIsHanded() {
	switch old := f.leader(); f.random.IntN(4) {
	case 0: // the leader dies, and one that is preferred may come
		f.dies(old)
	case 1: // it hands over to any
		to := f.members[f.random.IntN(len(f.members))]
		require.NoError(f.t, old.ResignTo(f.t.Context(), to.lock.identity))
	case 2: // one of the others dies in the moment in which it may have asked
		other := f.members[f.random.IntN(len(f.members))]
		if other == old {
			break
		}
		sleep(time.Duration(f.random.Int64N(int64(f.handover))))
		f.dies(other)
	}
	for range 1 + f.random.IntN(3) {
		if priority := f.random.IntN(MaxPriority + 1); !f.has(priority) {
			f.join(priority)
		}
	}
	before := len(f.terms())
	// The lease of a dead leader, and of one of whom a dead one has asked for the lease; then
	// those who ask do so one after another, since terms may be too short for all.
	sleep(2*f.timing.lease + 3*(f.handover+5*f.timing.retry))
	assert.Same(f.t, f.best(nil), f.leader())
	// What was done to the fleet takes the lease to anybody. From then on it only goes to
	// one that is preferred to the last.
	terms := f.terms()
	for i := before + 1; i < len(terms); i++ {
		assert.Greater(f.t, terms[i].by.priority, terms[i-1].by.priority, "it flaps: from %s to %s", terms[i-1].by.lock.identity, terms[i].by.lock.identity)
	}
	sleep(10 * f.handover)
	assert.Len(f.t, f.terms(), len(terms), "it flaps")
}

// fleet is contenders of one lease, no two of one priority.
type fleet struct {
	t      *testing.T
	random *rand.Rand
	memory *memory
	timing timing
	// handover is how long a term must last before the lease may be asked for.
	handover time.Duration
	members  []*member
	all      []*member // those that are gone, too
}

type member struct {
	*contender
	lock     *memoryLock
	priority int
}

func newFleet(t *testing.T, random *rand.Rand, handoverLeases time.Duration) *fleet {
	f := &fleet{t: t, random: random, memory: newMemory(), timing: timing{lease: 15 * s, deadline: 10 * s, retry: 2 * s}}
	if random.IntN(2) == 0 {
		f.timing = timing{lease: 3 * s, deadline: 2 * s, retry: s / 2}
	}
	f.handover = handoverLeases * f.timing.lease
	for n := 2 + random.IntN(4); len(f.members) < n; {
		f.join(len(f.members) * MaxPriority / n)
	}
	sleep(f.timing.lease)
	return f
}

// join adds a contender.
func (f *fleet) join(priority int) {
	m := &member{lock: f.memory.lock(fmt.Sprintf("%d-%d", priority, len(f.all))), priority: priority}
	m.contender = contend(f.t, m.lock, func(c *LeaderElectionConfig) {
		c.LeaseDuration, c.RenewDeadline, c.RetryPeriod = f.timing.lease, f.timing.deadline, f.timing.retry
		c.ReleaseOnCancel = true
		c.Priority = func() int { return priority }
		c.HandoverAfter = f.handover
	})
	f.members, f.all = append(f.members, m), append(f.all, m)
}

func (f *fleet) leader() *member {
	for _, m := range f.members {
		if m.IsLeader() {
			return m
		}
	}
	return nil
}

// dies cuts a member off, which is what others see of its death.
func (f *fleet) dies(m *member) {
	m.lock.with(func(l *memoryLock) { l.cut, l.deaf = true, true })
	f.gone(m)
}

// gone notes that a member contends no more.
func (f *fleet) gone(m *member) {
	f.members = slices.DeleteFunc(f.members, func(other *member) bool { return other == m })
}

// best returns whom of those that live is preferred, but for one.
func (f *fleet) best(except *member) *member {
	var best *member
	for _, m := range f.members {
		if m != except && (best == nil || m.priority > best.priority) {
			best = m
		}
	}
	return best
}

// loseLeader ends the leader's term in one of the ways there are, and sees who leads
// next.
func (f *fleet) loseLeader() {
	old := f.leader()
	require.NotNil(f.t, old)
	began, free := time.Now(), time.Duration(0)
	want, named := f.best(old), time.Duration(0)
	switch way := f.random.IntN(5); {
	case way == 0:
		f.dies(old)
		renewed := f.memory.now().Record.RenewTime.Time
		began, free = renewed, f.timing.lease
	case way == 1:
		old.cancel()
		<-old.ended
		f.gone(old)
	case way == 2:
		require.NoError(f.t, old.Resign(f.t.Context()))
	case way == 3: // to one that dies in this very moment, or never was
		name := "nobody"
		if len(f.members) > 2 && want != nil {
			name = want.lock.identity
			f.dies(want)
			want = f.best(old)
		}
		require.NoError(f.t, old.ResignTo(f.t.Context(), name))
		named = f.timing.successorWait(0)
	default: // to any
		want = f.members[f.random.IntN(len(f.members))]
		for want == old {
			want = f.members[f.random.IntN(len(f.members))]
		}
		require.NoError(f.t, old.ResignTo(f.t.Context(), want.lock.identity))
		f.leads(want, began, 0)
		return
	}
	if want != nil {
		f.leads(want, began, free+named+f.timing.priorityDelay(want.priority))
	}
}

// leads checks that a member leads since a moment, and is alone and stays when time
// passes. The fleet is then made whole again.
func (f *fleet) leads(want *member, from time.Time, after time.Duration) {
	f.t.Helper()
	sleep(after + f.timing.lease + 3*f.timing.retry)
	require.Same(f.t, want, f.leader(), "%s leads, not %s", f.memory.now().Record.HolderIdentity, want.lock.identity)
	runs := want.runs()
	assert.InDelta(f.t, after, runs[len(runs)-1].from.Sub(from), float64(soon), want.lock.identity)
	terms := len(f.terms())
	for len(f.members) < 3 {
		if priority := f.random.IntN(MaxPriority + 1); !f.has(priority) {
			f.join(priority)
		}
	}
	sleep(3 * f.timing.lease)
	assert.Len(f.t, f.terms(), terms, "it flaps")
}

// has reports whether there is a member of a priority.
func (f *fleet) has(priority int) bool {
	return slices.ContainsFunc(f.members, func(m *member) bool { return m.priority == priority })
}

// fleetTerm is a term that began.
type fleetTerm struct {
	by *member
	interval
}

// terms returns the terms that began, in the order in which they did.
func (f *fleet) terms() (terms []fleetTerm) {
	for _, m := range f.all {
		for _, run := range m.runs() {
			terms = append(terms, fleetTerm{m, run})
		}
	}
	slices.SortFunc(terms, func(a, b fleetTerm) int { return a.from.Compare(b.from) })
	return terms
}

// neverTwo checks that no two led at once.
func (f *fleet) neverTwo() {
	terms := f.terms()
	for i := 1; i < len(terms); i++ {
		a, b := terms[i-1], terms[i]
		apart := !a.to.IsZero() && !a.to.After(b.from)
		assert.True(f.t, apart, "%s and %s", a.by.lock.identity, b.by.lock.identity)
	}
}

package story

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// scene is a part of the story.
type scene struct {
	name string
	play func(*stage)
}

func releases(c *settings) { c.release = true }

func as(identity string) func(*settings) { return func(c *settings) { c.identity = identity } }

// leads plays until the contender leads, and lets it lead for a while.
func (st *stage) leads(name string, changes ...func(*settings)) *contender {
	c := st.contends(name, changes...)
	st.after(31 * s) // between two renewals of client-go's
	return c
}

// led notes how soon a contender led after a moment.
func (c *contender) led(after time.Time, bounds ...time.Duration) {
	begun := c.stage.account.when(c.name, "OnStartedLeading")
	if len(begun) == 0 {
		c.fact("does not lead")
		return
	}
	c.fact("leads %s", within(begun[len(begun)-1].Sub(after), bounds...))
}

// within says between which bounds a time lies.
func within(d time.Duration, bounds ...time.Duration) string {
	for _, bound := range bounds {
		if d <= bound {
			return fmt.Sprintf("within %v", bound)
		}
	}
	return fmt.Sprintf("after more than %v", bounds[len(bounds)-1])
}

// untilPolledWithin waits until a has renewed and c has polled at most d before,
// so that c sees it at its next poll only. One that watches does not poll.
func (c *contender) untilPolledWithin(d time.Duration, a *contender) {
	for {
		before := a.last("renews")
		for a.last("renews").Equal(before) {
			c.stage.after(10 * time.Millisecond)
		}
		if ago := time.Since(c.lastRequest()); ago <= d || ago > 2*longestPoll {
			return
		}
	}
}

func (c *contender) last(beginning string) time.Time {
	times := c.stage.account.when(c.name, beginning)
	return times[len(times)-1]
}

func (c *contender) holder(change func(*coordinationv1.LeaseSpec)) {
	c.stage.edit(func(l *coordinationv1.Lease) { change(&l.Spec) })
}

var scenes = []scene{
	{"leads alone and is cancelled", func(st *stage) {
		a := st.leads("a")
		renewals := st.account.when("a", "renews")
		a.fact("renews first %s", within(renewals[0].Sub(a.begun), atOnce, 2*s+atOnce))
		a.stops()
		st.after(20 * s)
		a.fact("IsLeader %v", a.IsLeader())
	}},
	{"is cancelled before it leads", func(st *stage) {
		st.leads("a")
		b := st.contends("b")
		st.after(10 * s)
		b.stops()
		st.after(s)
		b.fact("GetLeader %q", b.GetLeader())
	}},
	{"hands over", func(st *stage) {
		a := st.leads("a", releases)
		b := st.contends("b", releases)
		st.after(10 * s)
		b.untilPolledWithin(s, a)
		a.stops()
		st.after(20 * s)
		b.led(a.last("releases"), atOnce, longestPoll)
		a.fact("GetLeader %q", a.GetLeader())
	}},
	{"hands over while a claim is refused", func(st *stage) {
		a := st.leads("a", releases)
		b := st.contends("b")
		st.after(10 * s)
		b.meets(refuseWrites)
		a.stops()
		st.after(20 * s)
		b.meets(nil)
		st.after(10 * s)
	}},
	{"dies", func(st *stage) {
		a := st.leads("a")
		b := st.contends("b")
		st.after(10 * s)
		b.untilPolledWithin(s, a)
		a.meets(silence)
		ended := a.last("renews").Add(lease)
		st.after(30 * s)
		b.led(ended, atOnce, 2*longestPoll)
	}},
	{"finds a holder without a duration", func(st *stage) {
		holder := "made by hand"
		_, err := st.admin.CoordinationV1().Leases("default").Create(st.t.Context(), &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "it"}, Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder},
		}, metav1.CreateOptions{})
		require.NoError(st.t, err)
		a := st.leads("a")
		a.led(a.begun, atOnce, lease+longestPoll)
	}},
	{"runs again when its work has stopped", func(st *stage) {
		a := st.leads("a")
		a.stops()
		st.after(10 * s)
		a.begins()
		st.after(20 * s)
	}},
	{"has its Lease given a strategy", func(st *stage) {
		a := st.leads("a")
		strategy := coordinationv1.OldestEmulationVersion
		st.edit(func(l *coordinationv1.Lease) { l.Spec.Strategy = &strategy })
		st.after(10 * s)
		a.holder(func(l *coordinationv1.LeaseSpec) { a.fact("the strategy stays: %v", l.Strategy != nil) })
	}},
	{"is cut off, and its lease is stored shorter", func(st *stage) {
		a := st.made("a")
		a.meets(storesShorter(6))
		a.begins()
		st.after(31 * s)
		b := st.contends("b")
		st.after(10 * s)
		b.untilPolledWithin(s, a)
		a.meets(silence)
		renewed := a.last("renews")
		st.after(30 * s)
		a.fact("its work is told %s", within(a.last("the work's context ends").Sub(renewed), 6*s, lease))
		b.led(renewed, 6*s+2*longestPoll) // and not the 15 s of its own
	}},
	{"is cut off, with a release", func(st *stage) {
		a := st.leads("a", releases)
		a.meets(silence)
		renewed := a.last("renews")
		st.after(60 * s)
		a.fact("its work is told %s of its last renewal", within(a.last("the work's context ends").Sub(renewed), 12*s, lease))
		a.fact("its health check passes: %v", a.Check(20*s) == nil)
	}},
	{"may release, but not renew", func(st *stage) {
		a := st.leads("a", releases)
		a.meets(refuseRenewals)
		st.after(30 * s)
	}},
	{"is answered late", func(st *stage) {
		a := st.leads("a")
		a.meets(slow(8 * s))
		st.after(2 * time.Minute)
		a.fact("IsLeader %v", a.IsLeader())
	}},
	{"loses the answer to a renewal", func(st *stage) {
		a := st.leads("a")
		a.meets(loseAnAnswer())
		st.after(20 * s)
	}},
	{"has its Lease deleted", func(st *stage) {
		st.leads("a")
		st.remove()
		st.after(30 * s)
	}},
	{"has its Lease deleted while it is cut off, beside a standby", func(st *stage) {
		a := st.leads("a")
		b := st.contends("b")
		st.after(10 * s)
		a.meets(silence)
		st.remove()
		deleted := time.Now()
		st.after(40 * s)
		b.led(deleted, longestPoll, lease+atOnce)
	}},
	{"has its Lease taken by hand", func(st *stage) {
		a := st.leads("a")
		name := "someone"
		a.holder(func(l *coordinationv1.LeaseSpec) {
			l.HolderIdentity, l.RenewTime = &name, &metav1.MicroTime{Time: time.Now()}
		})
		taken := time.Now()
		st.after(30 * s)
		a.fact("its work is told %s", within(a.last("the work's context ends").Sub(taken), retry, retry+deadline))
	}},
	{"has its holder emptied by hand", func(st *stage) {
		a := st.leads("a")
		a.holder(func(l *coordinationv1.LeaseSpec) { l.HolderIdentity = nil })
		st.after(30 * s)
	}},
	{"has its holder emptied by hand, cut off, beside a standby", func(st *stage) {
		a := st.leads("a")
		b := st.contends("b")
		st.after(10 * s)
		a.meets(silence)
		a.holder(func(l *coordinationv1.LeaseSpec) { l.HolderIdentity = nil })
		emptied := time.Now()
		st.after(30 * s)
		b.led(emptied, longestPoll, lease+atOnce)
	}},
	{"has its record edited by hand", func(st *stage) {
		a := st.leads("a")
		transitions, acquired := int32(7), metav1.NewMicroTime(time.Now().Add(-time.Hour))
		a.holder(func(l *coordinationv1.LeaseSpec) { l.LeaseTransitions, l.AcquireTime = &transitions, &acquired })
		st.after(30 * s)
	}},
	{"is restarted under its name", func(st *stage) {
		a := st.leads("a")
		a.meets(silence) // its process is gone
		st.after(s)
		again := st.contends("again", as("a"))
		st.after(30 * s)
		again.led(again.begun, 0, lease+atOnce)
	}},
	{"runs twice at once", func(st *stage) {
		a := st.leads("a")
		a.begins()
		st.after(30 * s)
	}},
	{"runs again while its work still stops", func(st *stage) {
		a := st.leads("a")
		a.stops()
		st.after(s)
		a.begins()
		st.after(30 * s)
	}},
	{"is cancelled with a cause", func(st *stage) {
		a := st.leads("a")
		a.cancel(errors.New("the pod is drained"))
		st.after(20 * s)
	}},
	{"blocks in OnNewLeader", func(st *stage) {
		a := st.leads("a")
		c := st.contends("c", func(c *settings) {
			note := c.callbacks.OnNewLeader
			c.callbacks.OnNewLeader = func(holder string) { note(holder); time.Sleep(time.Minute) }
		})
		st.after(10 * s)
		a.meets(silence)
		name := "someone"
		c.holder(func(l *coordinationv1.LeaseSpec) {
			l.HolderIdentity, l.RenewTime = &name, &metav1.MicroTime{Time: time.Now()}
		})
		st.after(8 * s)
	}},
	{"has a recorder of events that blocks", func(st *stage) {
		a := st.leads("a", func(c *settings) { c.recorder = blocking{} })
		a.led(a.begun, 30*s)
	}},
	{"has a lease of less than a second", func(st *stage) {
		short := func(c *settings) {
			c.lease, c.deadline, c.retry = 900*time.Millisecond, 600*time.Millisecond, 200*time.Millisecond
		}
		st.leads("a", short)
	}},
	{"has an identity that is no UTF-8", func(st *stage) { st.made("a", as("\xff")) }},
	{"has a retry period of a millisecond", func(st *stage) {
		st.made("a", func(c *settings) { c.retry = time.Millisecond })
	}},
	{"has a lease of 400 ms", func(st *stage) {
		st.made("a", func(c *settings) {
			c.lease, c.deadline, c.retry = 400*time.Millisecond, 300*time.Millisecond, 100*time.Millisecond
		})
	}},
	{"has work that never returns", func(st *stage) {
		a := st.leads("a", releases, func(c *settings) {
			c.callbacks.OnStartedLeading = func(context.Context) { time.Sleep(5 * time.Minute) }
		})
		a.stops()
		st.after(60 * s)
		a.fact("Run returns %s", within(a.last("Run returns").Sub(a.last("— cancelled —")), atOnce, deadline+s))
	}},
	{"may not write for want of rights", func(st *stage) {
		a := st.made("a")
		a.meets(refuseWrites)
		a.begins()
		st.after(30 * s)
		a.meets(nil)
		st.after(10 * s)
	}},
}

// blocking is a recorder that never returns.
type blocking struct{}

func (blocking) Eventf(runtime.Object, string, string, string, ...any) { time.Sleep(time.Minute) }

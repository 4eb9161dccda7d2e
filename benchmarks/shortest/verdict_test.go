package shortest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

func TestALossIsWhateverTheLeaderDoesNotKeep(t *testing.T) {
	const leader, standby = "pair-0-1", "pair-0-2"
	begun := time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)
	at := func(d time.Duration, who string, what event.What) event.Event {
		return event.Event{Time: begun.Add(d), Who: who, What: what}
	}
	const before, after = -time.Second, 1500 * time.Millisecond
	for name, c := range map[string]struct {
		e    event.Event
		says string
	}{
		"the leader renews":               {at(after, leader, event.Requested), ""},
		"the standby asks":                {at(after, standby, event.Failed), ""},
		"before the first fault":          {at(before, standby, event.Leading), ""},
		"the standby leads":               {at(after, standby, event.Leading), "pair-0-2 took over 1.5s after"},
		"the leader says so":              {at(after, leader, event.Lost), "pair-0-1 lost the lease 1.5s after"},
		"the leader's work is told to":    {at(after, leader, event.Stopping), "pair-0-1 lost the lease"},
		"a contender exits":               {at(after, standby, event.Exited), "pair-0-2 exited"},
		"a contender cannot be followed":  {at(after, standby, event.Unreadable), "no event"},
		"the leader leads, as it is said": {at(after, leader, event.Leading), ""},
	} {
		t.Run(name, func(t *testing.T) {
			why := loss(c.e, leader, begun)
			if c.says == "" {
				assert.Empty(t, why)
			} else {
				assert.Contains(t, why, c.says)
			}
			assert.Empty(t, loss(c.e, leader, time.Time{}), "no fault has come")
		})
	}
}

func TestAPairIsOverWhenItsLeaseIsLost(t *testing.T) {
	p := newPair(&Stage{}, 3, Entrant{Peer: "holdfast"}, nil)
	say := func(who string, what event.What) { p.take(event.Event{Time: time.Now(), Who: who, What: what}) }
	assert.Equal(t, event.Requested, p.contends(), "a peer that uses the API has asked for something")
	assert.Equal(t, event.Started, newPair(&Stage{}, 4, Entrant{Peer: "etcd"}, nil).contends())
	say("pair-3-1", event.Leading)
	say("pair-3-2", event.Leading)
	lost, faults := p.verdict()
	assert.Empty(t, lost, "before the first fault")
	assert.Zero(t, faults)
	p.fault()
	p.fault()
	say("pair-3-1", event.Lost)
	<-p.over
	p.fault()
	say("pair-3-1", event.Exited)
	lost, faults = p.verdict()
	assert.Contains(t, lost, "pair-3-1 lost the lease")
	assert.Equal(t, 2, faults)
	assert.NoError(t, p.close())
}

func TestTheWindowCutsAPhaseShort(t *testing.T) {
	assert.Zero(t, until(time.Now().Add(-time.Second), time.Minute))
	assert.Equal(t, time.Minute, until(time.Now().Add(time.Hour), time.Minute))
	assert.LessOrEqual(t, until(time.Now().Add(time.Second), time.Minute), time.Second)
}

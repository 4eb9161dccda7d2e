package shortest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

func TestALossIsWhateverTheLeaderDoesNotKeep(t *testing.T) {
	begun := time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)
	at := func(d time.Duration, who string, what event.What) event.Event {
		return event.Event{Time: begun.Add(d), Who: who, What: what}
	}
	const before, after = -time.Second, 1500 * time.Millisecond
	for name, c := range map[string]struct {
		e    event.Event
		says string
	}{
		"the leader renews":               {at(after, leaderName, event.Requested), ""},
		"the standby asks":                {at(after, standbyName, event.Failed), ""},
		"a server goes silent":            {at(after, "api-1", event.Fault), ""},
		"before the first fault":          {at(before, standbyName, event.Leading), ""},
		"the standby leads":               {at(after, standbyName, event.Leading), "contender-2 took over 1.5s after"},
		"the leader says so":              {at(after, leaderName, event.Lost), "contender-1 lost the lease 1.5s after"},
		"the leader's work is told to":    {at(after, leaderName, event.Stopping), "contender-1 lost the lease"},
		"a contender exits":               {at(after, standbyName, event.Exited), "contender-2 exited"},
		"a contender cannot be followed":  {at(after, standbyName, event.Unreadable), "no event"},
		"the leader leads, as it is said": {at(after, leaderName, event.Leading), ""},
	} {
		t.Run(name, func(t *testing.T) {
			why := loss([]event.Event{at(before, leaderName, event.Leading), c.e}, leaderName, begun)
			if c.says == "" {
				assert.Empty(t, why)
			} else {
				assert.Contains(t, why, c.says)
			}
		})
	}
}

func TestWhoContends(t *testing.T) {
	started := []event.Event{{Who: standbyName, What: event.Started}}
	assert.False(t, contends(started, standbyName, true), "a peer that uses the API has asked for something")
	assert.True(t, contends(started, standbyName, false))
	assert.True(t, contends([]event.Event{{Who: standbyName, What: event.Requested}}, standbyName, true))
	assert.False(t, contends(started, leaderName, false))
	assert.False(t, leads(started, standbyName))
	assert.True(t, leads([]event.Event{{Who: standbyName, What: event.Leading}}, standbyName))
}

func TestTheWindowCutsAPhaseShort(t *testing.T) {
	assert.Zero(t, until(time.Now().Add(-time.Second), time.Minute))
	assert.Equal(t, time.Minute, until(time.Now().Add(time.Hour), time.Minute))
	assert.LessOrEqual(t, until(time.Now().Add(time.Second), time.Minute), time.Second)
}

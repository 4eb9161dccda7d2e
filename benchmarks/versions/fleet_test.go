package versions

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// patience is how long a step may take beyond one lease: starting a process, an
// election, client-go's polls. No figure depends on it.
const patience = 30 * time.Second

// fleet is a scenario.Fleet whose mishaps fail the test.
type fleet struct {
	*scenario.Fleet
	t *testing.T
}

// newFleet returns a fleet that is closed with the test, and whose timeline is
// shown if the test fails.
func newFleet(t *testing.T, stage *scenario.Stage, o scenario.FleetOptions) *fleet {
	t.Helper()
	var stderr lockedBuffer
	o.Stderr = &stderr
	f, err := stage.NewFleet(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, f.Close())
		if !t.Failed() {
			return
		}
		events := f.Events()
		var timeline strings.Builder
		if len(events) > 0 {
			_ = event.Timeline(&timeline, events, events[0].Time)
		}
		t.Logf("timeline:\n%s\nlog of the contenders:\n%s", timeline.String(), stderr.String())
	})
	return &fleet{Fleet: f, t: t}
}

// start starts a member and returns when it contends.
func (f *fleet) start(m scenario.Member) {
	f.t.Helper()
	require.NoError(f.t, f.Start(m))
	f.until(m.Identity+" to contend", func(events []event.Event) bool { return count(events, m.Identity, event.Requested) > 0 })
}

// leads waits until who leads.
func (f *fleet) leads(who string) {
	f.t.Helper()
	f.until(who+" to lead", func(events []event.Event) bool { return scenario.LeaderAt(events, time.Now()) == who })
}

// exited waits until the process of who is gone.
func (f *fleet) exited(who string) {
	f.t.Helper()
	f.until(who+" to exit", func(events []event.Event) bool { return count(events, who, event.Exited) > 0 })
}

// renewed waits until the leader has renewed twice since the standby began to
// contend, so that the standby has seen it.
func (f *fleet) renewed(leader, standby string) {
	f.t.Helper()
	f.until(leader+" to renew twice beside "+standby, func(events []event.Event) bool {
		renewals, contends := 0, false
		for _, e := range events {
			contends = contends || e.Who == standby && e.What == event.Requested
			if contends && e.What == event.Committed && e.Holder == leader {
				renewals++
			}
		}
		return renewals >= 2
	})
}

func (f *fleet) until(what string, cond func([]event.Event) bool) {
	f.t.Helper()
	require.NoError(f.t, f.Await(f.t.Context(), timing.LeaseDuration+patience, what, cond))
}

func count(events []event.Event, who string, what event.What) int {
	n := 0
	for _, e := range events {
		if e.Who == who && e.What == what {
			n++
		}
	}
	return n
}

// lockedBuffer takes the logs of several processes.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

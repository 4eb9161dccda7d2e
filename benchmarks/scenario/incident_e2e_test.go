package scenario_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/labtest"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

const (
	// nodeDeathBound is the scenario table's for node-death: how long after the
	// end of the lease the standby may take.
	nodeDeathBound = 500 * time.Millisecond
	// within is what HardenTraffic is told.
	within = 2 * time.Second
	// afterwards is what may come on top of within until a hardened client is
	// back: client-go's informer pauses up to 1.6s before it asks anew, then
	// it dials.
	afterwards = 3 * time.Second
	// keepalive is when a socket of client-go's gives up an idle connection: Go
	// waits the 30s that client-go asks for and then 15s for each of 9 probes.
	keepalive = (30 + 9*15) * time.Second
	// streams is how many a kube-apiserver allows on a connection. A poll that
	// timed out keeps its stream until the server answers a ping, so after so
	// many polls client-go dials, whether TCP has given up or not. A poll of
	// 5s every 2s x (1 ... 2.2) makes that some 14 minutes; see pendingResets
	// in golang.org/x/net/http2.
	streams = 100
)

var (
	unpingedStandby  = scenario.Client{Kind: scenario.KindStandby, Peer: scenario.Unpinged}
	unpingedInformer = scenario.Client{Kind: scenario.KindInformer, Peer: scenario.Unpinged}
	unpingedWriter   = scenario.Client{Kind: scenario.KindWriter, Peer: scenario.Unpinged}
	hardenedStandby  = scenario.Client{Kind: scenario.KindStandby, Peer: scenario.Hardened}
	hardenedInformer = scenario.Client{Kind: scenario.KindInformer, Peer: scenario.Hardened}
	hardenedWriter   = scenario.Client{Kind: scenario.KindWriter, Peer: scenario.Hardened}
)

// replay plays the incident and shows what happened if the test fails.
func replay(t *testing.T, o scenario.IncidentOptions) scenario.Incident {
	t.Helper()
	_, stage := laboratory(t)
	var stderr labtest.Log
	o.Stderr = &stderr
	result, err := stage.PlayIncident(t.Context(), o)
	t.Cleanup(func() { labtest.Tell(t, result.Events, event.FaultTime(result.Events), &stderr) })
	require.NoError(t, err)
	t.Logf("figure: tcp_retries2 = %d, TCP gives up %v after its first retransmission at the earliest; watched for %v after the fault",
		o.Retries2, lab.TCPGivesUpAfter(o.Retries2), result.Window.Round(time.Millisecond))
	for _, c := range scenario.Clients() {
		outcome := result.Outcomes[c]
		why := "none"
		if n := len(outcome.Failures); n > 0 {
			last := outcome.Failures[n-1]
			why = fmt.Sprintf("%v after the fault, %s", last.Time.Sub(event.FaultTime(result.Events)).Round(time.Millisecond), last.Reason)
		}
		t.Logf("figure: %s: back %v after the fault, its TCP gave up %v after it; %d requests or streams failed, the last: %s",
			c, outcome.Recovered, outcome.GaveUp, len(outcome.Failures), why)
	}
	return result
}

// assertHardened asserts what this library promises in the incident.
func assertHardened(t *testing.T, result scenario.Incident, timing scenario.Timing) {
	t.Helper()
	f := result.Elections[scenario.Hardened]
	assertTakeoverWithin(t, nodeDeathBound, f)
	for _, c := range []scenario.Client{hardenedInformer, hardenedWriter} {
		recovered := result.Outcomes[c].Recovered
		require.True(t, recovered.Known, "%s is back", c)
		assert.LessOrEqual(t, recovered.Value, within+afterwards, c.String())
	}
	assert.LessOrEqual(t, result.Outcomes[hardenedStandby].Recovered.Value, timing.LeaseDuration+nodeDeathBound)
}

// assertEndedByTCP asserts that a client was stuck until its kernel gave the
// connection up, and for how long.
func assertEndedByTCP(t *testing.T, c scenario.Client, o scenario.Outcome, retries2 int, next time.Duration) {
	t.Helper()
	require.True(t, o.Recovered.Known, "%s came back in the end", c)
	require.True(t, o.GaveUp.Known, "the kernel of %s gave up", c)
	assert.GreaterOrEqual(t, o.GaveUp.Value, lab.TCPGivesUpAfter(retries2), "%s: TCP does not give up sooner than its documentation says", c)
	assert.GreaterOrEqual(t, o.Recovered.Value, o.GaveUp.Value-time.Second, "%s was not back before TCP gave up", c)
	assert.LessOrEqual(t, o.Recovered.Value, o.GaveUp.Value+next, "%s was back soon after TCP had given up, so that was the cause", c)
	assert.NotEmpty(t, o.Failures, "%s tried meanwhile", c)
}

func TestTheIncidentShortened(t *testing.T) {
	const retries2 = 5
	timing := scenario.Short
	result := replay(t, scenario.IncidentOptions{
		Timing: timing, Retries2: retries2, Within: within, Window: 45 * time.Second,
		Await: []scenario.Client{unpingedStandby, unpingedWriter, hardenedStandby, hardenedInformer, hardenedWriter},
	})
	assertHardened(t, result, timing)

	// client-go is stuck until TCP gives up, however often it polls.
	assertEndedByTCP(t, unpingedStandby, result.Outcomes[unpingedStandby], retries2, untilItLeads(timing))
	assertEndedByTCP(t, unpingedWriter, result.Outcomes[unpingedWriter], retries2, 2*time.Second)
	assert.Contains(t, reasons(result.Outcomes[unpingedWriter]), "connection timed out", "the writer is told that TCP gave up")
	for _, pair := range [][2]scenario.Client{{unpingedStandby, hardenedStandby}, {unpingedWriter, hardenedWriter}} {
		ratio := float64(result.Outcomes[pair[0]].Recovered.Value) / float64(result.Outcomes[pair[1]].Recovered.Value)
		t.Logf("figure: %s took %.1f times as long as %s", pair[0], ratio, pair[1])
		assert.GreaterOrEqual(t, ratio, 3.0)
	}

	// Its informer does not learn from TCP's retries, for it sends nothing.
	informer := result.Outcomes[unpingedInformer]
	assert.False(t, informer.Recovered.Known, "the informer has not noticed for %v", result.Window)
	assert.False(t, informer.GaveUp.Known, "nor has its kernel")
	assert.GreaterOrEqual(t, result.Window, 2*(within+afterwards), "twice the bound of the hardened one")
}

func TestTheIncident(t *testing.T) {
	if !*incident {
		t.Skip("runs with -incident")
	}
	timing := scenario.Long
	result := replay(t, scenario.IncidentOptions{
		Timing: timing, Retries2: lab.DefaultTCPRetries2, Within: within, Window: 20 * time.Minute, Await: scenario.Clients(),
	})
	assertHardened(t, result, timing)

	standby := result.Outcomes[unpingedStandby]
	require.True(t, standby.Recovered.Known, "the standby led in the end")
	assert.GreaterOrEqual(t, standby.Recovered.Value, 10*time.Minute)
	if standby.GaveUp.Known {
		assert.GreaterOrEqual(t, standby.GaveUp.Value, lab.TCPGivesUpAfter(lab.DefaultTCPRetries2))
	} else {
		assert.GreaterOrEqual(t, len(standby.Failures), streams, "before TCP gives up only a connection without streams left makes client-go dial")
	}
	assertEndedByTCP(t, unpingedWriter, result.Outcomes[unpingedWriter], lab.DefaultTCPRetries2, 2*time.Second)

	informer := result.Outcomes[unpingedInformer]
	require.True(t, informer.Recovered.Known, "the informer had the news in the end")
	require.True(t, informer.GaveUp.Known, "its kernel gave up")
	assert.GreaterOrEqual(t, informer.GaveUp.Value, keepalive-30*time.Second, "the last frame may have come before the fault")
	assert.LessOrEqual(t, informer.GaveUp.Value, keepalive+5*time.Second)
	assert.LessOrEqual(t, informer.Recovered.Value, informer.GaveUp.Value+afterwards)
}

// untilItLeads is how long client-go's standby may take to lead once it can
// reach the API: a poll until it asks, a lease from there if the leader had
// renewed unseen, a poll until it notices that this is over, and time to start.
func untilItLeads(timing scenario.Timing) time.Duration {
	return timing.LeaseDuration + 2*(22*timing.RetryPeriod/10) + timing.RenewDeadline
}

// reasons are those of all failures.
func reasons(o scenario.Outcome) string {
	var all []string
	for _, e := range o.Failures {
		all = append(all, e.Reason)
	}
	return strings.Join(all, "\n")
}

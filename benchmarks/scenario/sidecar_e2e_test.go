package scenario_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// A contender of client-go's that cannot be rebuilt, over HTTP/2, with examples/relay
// as its sidecar.

// relayPromise is how long after the end of the lease such a standby leads at the
// latest, with client-go's default timing. Without the relay it is 45 s and more. The
// arithmetic of relayBound allows two seconds more then, but client-go draws polls as
// far apart as that once in ten thousand runs.
const relayPromise = 10 * time.Second

// relayBound is how long after the end of the lease a standby of client-go's behind the
// relay leads at the latest.
func relayBound(t scenario.Timing) time.Duration {
	const (
		kernel    = 400 * time.Millisecond // two retransmissions, added to the relay's -silence
		keepalive = time.Second            // the same for an idle connection
		pause     = time.Second            // client-go's, before it repeats a read that was reset
		dial      = 250 * time.Millisecond // the relay's -hedge: one sibling
		slack     = 900 * time.Millisecond // further siblings, and the machine
	)
	silence := scenario.RelaySilence(t)
	poll := time.Duration(2.2 * float64(t.RetryPeriod)) // the longest time between two reads
	// The leader's last renewal may be unread when the node dies, at most one retry
	// period later. This is the latest read that still meets the dead connection.
	met := min(poll, t.RetryPeriod+silence+keepalive)
	// It is repeated after a pause, or by the next poll if the time of the request,
	// half of the renew deadline, is over before that.
	repeated := silence + kernel + pause
	if repeated > t.RenewDeadline/2 {
		repeated = t.RenewDeadline/2 + poll
	}
	// The lease counts from there, and one more poll finds that it has ended.
	return min(met+repeated+dial+poll+slack, relayPromise)
}

// playBehindTheRelay plays a scenario with each timing, and checks that all that the
// contenders say goes through their relays.
func playBehindTheRelay(t *testing.T, name string, claim func(t *testing.T, timing scenario.Timing, f scenario.Figures)) {
	eachTiming(t, func(t *testing.T, o scenario.Options) {
		o.Peer = "client-go-relay"
		r := playWhole(t, name, o)
		for _, who := range []string{"contender-1", "contender-2"} {
			assert.Positive(t, count(r.Events, who, event.Connected), "connections of %s", who)
		}
		for _, e := range r.Events {
			if e.What == event.Connected {
				assert.Equal(t, "127.0.0.1:6443", e.On, "where %s connected to", e.Who)
			}
		}
		claim(t, o.Timing, r.Figures)
	})
}

func assertTakeoverBehindTheRelay(t *testing.T, timing scenario.Timing, f scenario.Figures) {
	t.Helper()
	t.Logf("figure: client-go behind the relay: takeover %v after the lease ended, %v after the fault, bound %v, requests %v", f.Takeover, f.Outage, relayBound(timing), f.Requests)
	require.True(t, f.Takeover.Known, "the standby took over")
	// That nobody leads before the lease has ended is nothing the relay could promise for
	// client-go: see TestClientGoTakesOverByPollingWhenTheLeaderIsKilled.
	assert.LessOrEqual(t, f.Takeover.Value, relayBound(timing))
}

func TestClientGoBehindTheRelayTakesOverWhenTheNodeDies(t *testing.T) {
	playBehindTheRelay(t, "node-death", assertTakeoverBehindTheRelay)
}

func TestClientGoBehindTheRelayTakesOverWhileTheVirtualIPNamesTheDeadServer(t *testing.T) {
	playBehindTheRelay(t, "node-death-slow-vip", assertTakeoverBehindTheRelay)
}

func TestClientGoBehindTheRelayKeepsTheLeaseWhenItsAPIServerGoesSilent(t *testing.T) {
	playBehindTheRelay(t, "api-silent", func(t *testing.T, _ scenario.Timing, f scenario.Figures) { assertKept(t, f) })
}

package cost

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// half is a window of half a minute: everything counted doubles in a minute.
func half() window {
	at := func(r Reading, since time.Duration) Reading { r.Since = since; return r }
	leader := span{
		at(Reading{Contenders: 1, Sent: 3, CPU: time.Second, Resident: 99, Network: Network{ReceivedBytes: 1000, SentBytes: 100, Opened: 1, Established: 1}}, 10*time.Second),
		at(Reading{Contenders: 1, Sent: 18, CPU: 1500 * time.Millisecond, Resident: 40 << 20, Network: Network{ReceivedBytes: 3000, SentBytes: 600, Opened: 1, Established: 1}}, 40*time.Second),
	}
	standbys := span{
		at(Reading{Contenders: 4, Sent: 10, CPU: time.Second, Network: Network{ReceivedBytes: 50, SentBytes: 5, Opened: 4, Established: 4}}, 5*time.Second),
		at(Reading{Contenders: 4, Sent: 30, CPU: 3 * time.Second, Resident: 60 << 20, Lost: 0, Network: Network{ReceivedBytes: 150, SentBytes: 25, Opened: 6, Established: 4}}, 35*time.Second),
	}
	return window{crowds: []span{leader, standbys}, took: 30 * time.Second, served: served{dispatched: 35}, busy: 0.5}
}

func TestTheFiguresOfContendersForOneLease(t *testing.T) {
	f := half().rest()
	for name, want := range map[string]float64{
		Requests: 70, LeaderRequests: 30, StandbyRequests: 10, // 20 requests of four in half a minute
		ReceivedBytes: 4200, SentBytes: 1040,
		CPU: 5, LeaderCPU: 1, StandbyCPU: 1,
		ResidentContender: 20 << 20, Connections: 5, Handshakes: 4, Processes: 2, Window: 30,
		RefusedTotal: 0, LostTotal: 0, Busy: 0.5,
	} {
		assert.InDelta(t, want, f[name], 1e-9, name)
	}
	assert.NotContains(t, f, HeapLease)
	assert.Empty(t, limit(f))
}

func TestTheFiguresOfLeasesInOneProcess(t *testing.T) {
	w := half()
	w.crowds = w.crowds[1:]
	f := w.leases(Reading{Heap: 1 << 20, Stacks: 100 << 10}, Reading{Contenders: 4, Heap: 1<<20 + 80<<10, Stacks: 132 << 10})
	for name, want := range map[string]float64{
		Requests: 70, LeaderRequests: 17.5, HeapLease: 20 << 10, StackLease: 8 << 10,
		ResidentContender: 15 << 20, Connections: 4, Handshakes: 4, Processes: 1,
	} {
		assert.InDelta(t, want, f[name], 1e-9, name)
	}
	assert.NotContains(t, f, StandbyRequests, "nobody stands by")
}

func TestATimeThatDidNotPassIsNoFigure(t *testing.T) {
	var w window
	w.crowds = []span{{}}
	assert.NotContains(t, w.rest(), Requests)
	assert.Zero(t, w.rest()[ReceivedBytes])
	assert.NotContains(t, w.leases(Reading{}, Reading{}), HeapLease)
}

func TestTheLaboratorysLimitIsNamed(t *testing.T) {
	assert.Empty(t, limit(map[string]float64{Busy: 0.94}))
	said := limit(map[string]float64{Busy: 0.97, LostTotal: 3, RefusedTotal: 12})
	for _, says := range []string{"3 leases were lost", "refused 12 requests", "97 % busy"} {
		assert.Contains(t, said, says)
	}
}

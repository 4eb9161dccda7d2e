package versions

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/labtest"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// timing has a retry period below a second, so that client-go may miss the
// last renewals of a leader: see clientGoEarly.
var timing = scenario.Short

const (
	// soon is what this library may take: from the end of the lease, or from
	// SIGTERM.
	soon = 300 * time.Millisecond
	// clientGoEarly is by how much client-go may take over before the lease has
	// ended: it compares records in whole seconds, and of the renewals of one
	// second may have seen the first only.
	clientGoEarly = time.Second
)

// clientGoPoll is the longest time between two polls of client-go.
var clientGoPoll = time.Duration(2.2 * float64(timing.RetryPeriod))

// kinds are the two of a pair; member i is of kind i modulo 2.
var kinds = [2]string{"client-go", "holdfast"}

func TestAPairOfBothKindsOnAPIServersOfOneVersion(t *testing.T) {
	for _, minor := range lab.Minors() {
		t.Run(minor, func(t *testing.T) {
			p := newPair(t, minor, minor, minor)
			p.changeHands(t, func(*labtest.Crew) (through [2]*scenario.Relay) { return through }) // the virtual IP, as pods do
		})
	}
}

// The members of the pair reach the API through servers of different versions:
// one writes its renewals to the one, and the other sees them through the other.
func TestAPairOfBothKindsOnAPIServersOfTwoVersionsSideBySide(t *testing.T) {
	minors := lab.Minors()
	newest, before := minors[0], minors[1]
	p := newPair(t, before, newest, newest)
	p.changeHands(t, func(f *labtest.Crew) (through [2]*scenario.Relay) {
		for server := range through {
			relay, err := f.NewRelay(t.Context(), fmt.Sprintf("relay-%d", server), server)
			require.NoError(t, err)
			through[server] = relay
		}
		return through
	})
}

// pair is a laboratory for pairs of contenders.
type pair struct {
	stage   *scenario.Stage
	servers string // what they say their versions are
}

// newPair starts a laboratory whose API servers are of these minors, which is
// closed with the test.
func newPair(t *testing.T, minors ...string) pair {
	t.Helper()
	begun := time.Now()
	l, err := lab.Start(context.Background(), lab.Options{APIServers: len(minors), APIServerMinors: minors, Progress: os.Stderr})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	stage, err := scenario.NewStage(t.Context(), l)
	require.NoError(t, err)
	var versions []string
	for i, minor := range minors {
		client, _, err := l.Observer(i)
		require.NoError(t, err)
		said, err := client.Discovery().ServerVersion()
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(said.GitVersion, "v"+minor+"."), "API server %d is %s, not %s", i, said.GitVersion, minor)
		versions = append(versions, said.GitVersion)
	}
	t.Logf("figure: laboratory with API servers %v started in %v", versions, time.Since(begun).Round(time.Millisecond))
	return pair{stage: stage, servers: strings.Join(slices.Compact(versions), " beside ")}
}

// changeHands lets the lease go from each kind to the other, by a kill and by a
// handover. through returns the relays to two servers by which the members reach
// the API, if they do not by the virtual IP.
func (p pair) changeHands(t *testing.T, through func(*labtest.Crew) [2]*scenario.Relay) {
	t.Run("kill", func(t *testing.T) {
		figures := p.succession(t, scenario.FleetOptions{Name: "kill", Timing: timing}, through, (*labtest.Crew).Kill)
		for _, kind := range kinds {
			of := figures[kind]
			t.Logf("figure: API server %s, %s takes over after SIGKILL of the other kind, after the lease ended: %s", p.servers, kind, each(t, of, func(f scenario.Figures) scenario.Figure { return f.Takeover }))
			earliest, latest := time.Duration(0), soon
			if kind == "client-go" {
				earliest, latest = -clientGoEarly, 2*clientGoPoll+time.Second
			}
			for _, f := range of {
				assert.GreaterOrEqual(t, f.Takeover.Value, earliest, "%s took over before the lease of %s had ended", f.Successor, f.Leader)
				assert.LessOrEqual(t, f.Takeover.Value, latest, "%s after %s", f.Successor, f.Leader)
				assert.Zero(t, f.Overlap, "two leaders at once")
				assert.Zero(t, f.Lost, "leases lost")
			}
		}
	})
	t.Run("handover", func(t *testing.T) {
		figures := p.succession(t, scenario.FleetOptions{Name: "handover", Timing: timing, ReleaseOnCancel: true}, through, (*labtest.Crew).Terminate)
		for _, kind := range kinds {
			of := figures[kind]
			t.Logf("figure: API server %s, %s leads after SIGTERM to the other kind: %s", p.servers, kind, each(t, of, func(f scenario.Figures) scenario.Figure { return f.Outage }))
			latest := soon
			if kind == "client-go" {
				latest += clientGoPoll
			}
			for _, f := range of {
				assert.True(t, f.AfterRelease.Known, "%s has released the lease", f.Leader)
				assert.LessOrEqual(t, f.Outage.Value, latest, "%s after %s", f.Successor, f.Leader)
				assert.Zero(t, f.Overlap, "two leaders at once")
				assert.Zero(t, f.Lost, "leases lost")
			}
		}
	})
}

// succession brings one leader after the other to its end, always with one of
// the other kind standing by, and returns the figures by the kind that came to
// lead.
func (p pair) succession(t *testing.T, o scenario.FleetOptions, through func(*labtest.Crew) [2]*scenario.Relay, end func(*labtest.Crew, string) error) map[string][]scenario.Figures {
	t.Helper()
	rounds := 2 * len(kinds)
	if *long {
		rounds = 10 * len(kinds)
	}
	f := labtest.NewCrew(t, p.stage, o)
	relays := through(f)
	member := func(i int) scenario.Member {
		server := i % 2
		if i > rounds/2 {
			server = 1 - server // both kinds reach both servers
		}
		return scenario.Member{Host: fmt.Sprintf("host-%d", i%2), Identity: fmt.Sprintf("%s-%d", kinds[i%2], i), Peer: kinds[i%2], Through: relays[server]}
	}
	f.Join(member(0))
	f.Leads(member(0).Identity)
	f.Join(member(1))
	for i := range rounds {
		leader, standby := member(i).Identity, member(i+1).Identity
		f.Renewed(leader, 2, standby)
		select {
		case <-time.After(rand.N(timing.RetryPeriod)): // the end may come at any moment between two renewals
		case <-t.Context().Done():
		}
		require.NoError(t, end(f, leader))
		f.Leads(standby)
		f.Exited(leader)
		f.Join(member(i + 2))
	}
	require.NoError(t, f.Close())
	by := map[string][]scenario.Figures{}
	for i, round := range scenario.Rounds(f.Events()) {
		figures, err := scenario.Measure(round, timing.RetryPeriod)
		require.NoError(t, err)
		require.Equal(t, member(i).Identity, figures.Leader)
		require.Equal(t, member(i+1).Identity, figures.Successor)
		kind := kinds[(i+1)%2]
		by[kind] = append(by[kind], figures)
	}
	for _, kind := range kinds {
		require.Len(t, by[kind], rounds/len(kinds), "rounds that %s came to lead in", kind)
	}
	return by
}

// each is one figure of every round, in order; all must be known.
func each(t *testing.T, rounds []scenario.Figures, of func(scenario.Figures) scenario.Figure) string {
	t.Helper()
	var all []string
	for _, f := range rounds {
		require.True(t, of(f).Known, "%s did not lead in time after %s", f.Successor, f.Leader)
		all = append(all, of(f).String())
	}
	return strings.Join(all, ", ")
}

package fenced

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the fence costs a write and the API server: the same write of the holder's,
// before the fence is installed and after that. The CPU that the API server uses when
// nobody writes is not counted.
func TestCost(t *testing.T) {
	const rounds = 400
	s := newStage(t, "")
	s.objects(t)
	holder := s.pods[0]
	s.holds(t, holder.identity, 0)
	took := map[string][]time.Duration{}
	used, idle := map[string]time.Duration{}, map[string]float64{}
	spent := func(kind string, f func()) {
		const still = 3 * time.Second
		idle[kind] = s.burns(t, func() { time.Sleep(still) }).Seconds() / still.Seconds()
		begun := time.Now()
		all := s.burns(t, f)
		used[kind] = all - time.Duration(idle[kind]*float64(time.Since(begun)))
	}
	once := func(kind string) {
		begun := time.Now()
		require.NoError(t, writes["update"](t.Context(), holder.clients[0]))
		took[kind] = append(took[kind], time.Since(begun))
	}
	spent("without", func() {
		for range rounds {
			once("without")
		}
	})
	s.install(t, s.fence(t, "configmaps"))
	s.holds(t, holder.identity, 0)
	spent("with", func() {
		for n := range rounds {
			if n%100 == 0 {
				s.holds(t, holder.identity, 0)
			}
			once("with")
		}
	})
	for _, each := range took {
		slices.Sort(each)
	}
	without, with := took["without"][rounds/2], took["with"][rounds/2]
	ratio := float64(with) / float64(without)
	t.Logf("figure: fence: an update takes %.2f times as long with the fence (medians of %d, one after the other: %v and %v; p99 %v and %v)",
		ratio, rounds, without, with, took["without"][rounds*99/100], took["with"][rounds*99/100])
	burnt := float64(used["with"]) / float64(used["without"])
	t.Logf("figure: fence: the API server uses %.2f times as much CPU for an update with the fence (%v and %v for %d, without what it uses when nobody writes, which is %.1f %% and %.1f %% of a core)",
		burnt, used["without"].Round(time.Millisecond), used["with"].Round(time.Millisecond), rounds, 100*idle["without"], 100*idle["with"])
	assert.Positive(t, used["without"], "more than when nobody writes")
	assert.Less(t, ratio, 3.0)
	assert.Less(t, burnt, 3.0)
}

// burns returns how much CPU time the API server uses while f runs.
func (s *stage) burns(t *testing.T, f func()) time.Duration {
	t.Helper()
	server := s.lab.APIServers()[0].Process().Pid()
	before := cpu(t, server)
	f()
	return cpu(t, server) - before
}

// cpu returns how much CPU time a process has used (proc_pid_stat(5): fields 14
// and 15, in ticks of a hundredth of a second).
func cpu(t *testing.T, pid int) time.Duration {
	t.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(content), ") ")
	fields := strings.Fields(rest)
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		require.NoError(t, err)
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / 100)
}

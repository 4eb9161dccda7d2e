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
// before the fence is installed and after that.
func TestCost(t *testing.T) {
	const rounds = 400
	s := newStage(t, "")
	s.objects(t)
	holder := s.pods[0]
	s.holds(t, holder.identity, 0)
	took := map[string][]time.Duration{}
	server := s.lab.APIServers()[0].Process().Pid()
	used := map[string]time.Duration{}
	spent := func(kind string, f func()) {
		before := cpu(t, server)
		f()
		used[kind] = cpu(t, server) - before
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
	t.Logf("figure: fence: the API server uses %.2f times as much CPU for an update with the fence (%v and %v for %d)",
		burnt, used["without"], used["with"], rounds)
	assert.Less(t, ratio, 3.0)
	assert.Less(t, burnt, 3.0)
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

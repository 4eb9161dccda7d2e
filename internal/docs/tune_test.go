package docs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/leaderelection/options"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// duration writes d as the documents do: 12 s, 2.5 s, 500 ms.
func duration(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%g ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%g s", d.Seconds())
}

func TestTheProfilesBearWhatTuneSays(t *testing.T) {
	rows := table(read(t, "docs/tune.md"), "profile")
	require.Len(t, rows, len(options.Profiles()))
	for i, profile := range options.Profiles() {
		var c leaderelection.LeaderElectionConfig
		require.NoError(t, profile.Durations(&c))
		bears := c.Tolerance()
		assert.True(t, strings.HasPrefix(rows[i][0], fmt.Sprintf("`%s`", profile)), rows[i][0])
		assert.Equal(t, []string{
			duration(c.LeaseDuration), duration(c.RenewDeadline), duration(c.RetryPeriod),
			duration(bears.Outage), duration(bears.Takeover), duration(bears.WorkStop),
			fmt.Sprintf("%.3g %%", 100*bears.ClockRate), fmt.Sprintf("%g", bears.Renewals),
		}, rows[i][1:])
		t.Logf("figure: %s: %s", profile, strings.Join(rows[i][1:], ", "))
	}
}

func TestTheBoundsAreWhatTuneSays(t *testing.T) {
	rows := map[string][]string{}
	for _, row := range table(read(t, "docs/tune.md"), "what") {
		rows[row[0]] = row
	}
	for column, profile := range map[int]options.Profile{2: options.Profiles()[0], 3: options.Profiles()[1]} {
		var c leaderelection.LeaderElectionConfig
		require.NoError(t, profile.Durations(&c))
		bears := c.Tolerance()
		budget, err := resourcelock.Options{RenewDeadline: c.RenewDeadline}.Budget()
		require.NoError(t, err)
		computed := map[string]string{
			"a term without renewal, T":                      duration(bears.Term),
			"an outage survived for certain":                 duration(bears.Outage),
			"what work may take to stop after a *lost* term": duration(bears.WorkStop),
			"one call to the lock":                           duration(budget.Answer),
			"a slow request is sent again after":             duration(budget.Hedge),
			"a silent dial gets a sibling after":             duration(budget.DialHedge),
			"a dial, and a TLS handshake, at most":           duration(budget.Connect),
			"a socket's user timeout":                        duration(budget.Silence),
			"takeover after a leader's death": fmt.Sprintf("%g … %s",
				(bears.Takeover - c.RetryPeriod).Seconds(), duration(bears.Takeover)),
			"a standby doubts a silent watch after": duration(c.RetryPeriod * 5 / 4),
			"work may take to stop at a *release*":  duration(max(c.RenewDeadline, 10*time.Second)),
		}
		for what, row := range rows {
			require.Contains(t, computed, what)
			require.Len(t, row, 4, what)
			assert.Equal(t, computed[what], row[column], "%s, profile %s", what, profile)
			t.Logf("figure: %s, profile %s: %s", what, profile, computed[what])
		}
		assert.Len(t, rows, len(computed))
	}
}

package scrape

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// well is an hour of two contenders, a and b, of which a leads, minute by
// minute. No alert is for this.
const well = `
	holdfast_leading{POD="a"} 1x60
	holdfast_leading{POD="b"} 0x60
	holdfast_in_doubt{POD="a"} 0x60
	holdfast_in_doubt{POD="b"} 0x60
	holdfast_leaderless_seconds{POD="a"} 0x60
	holdfast_leaderless_seconds{POD="b"} 0x60
	holdfast_lease_duration_seconds{POD="a"} 15x60
	holdfast_lease_duration_seconds{POD="b"} 15x60
	holdfast_renewals_total{POD="a",result="confirmed"} 0+30x60
	holdfast_renewals_total{POD="a",result="settled"} 0+1x60
	holdfast_renewals_total{POD="a",result="given_up"} 0x60
	holdfast_renewal_duration_seconds_bucket{POD="a",le="0.01"} 0+31x60
	holdfast_renewal_duration_seconds_bucket{POD="a",le="5"} 0+31x60
	holdfast_renewal_duration_seconds_bucket{POD="a",le="10"} 0+31x60
	holdfast_renewal_duration_seconds_bucket{POD="a",le="+Inf"} 0+31x60
	holdfast_terms_ended_total{POD="a",reason="Released"} 0+1x60
	holdfast_terms_ended_total{POD="a",reason="RenewDeadline"} 0x60
	holdfast_terms_ended_total{POD="a",reason="SameIdentity"} 0x60
	holdfast_terms_ended_total{POD="a",reason="InDoubt"} 0x60
	holdfast_watch_restarts_total{POD="b",cause="ended"} 0 0+0x30 1+0x29
`

// troubles says what of it is otherwise where an alert must fire: old and new,
// alternating.
var troubles = map[string][]string{
	"HoldfastNoLeader": {
		`holdfast_leading{POD="a"} 1x60`, `holdfast_leading{POD="a"} 0x60`,
		`holdfast_leaderless_seconds{POD="a"} 0x60`, `holdfast_leaderless_seconds{POD="a"} 0x58 31 91`,
		`holdfast_leaderless_seconds{POD="b"} 0x60`, `holdfast_leaderless_seconds{POD="b"} 0x58 32 92`,
	},
	"HoldfastNobodyLeads": {
		`holdfast_leading{POD="a"} 1x60`, `holdfast_leading{POD="a"} 0x60`,
		`holdfast_leaderless_seconds{POD="a"} 0x60`, ``,
		`holdfast_leaderless_seconds{POD="b"} 0x60`, ``,
	},
	"HoldfastTwoLeaders": {`holdfast_leading{POD="b"} 0x60`, `holdfast_leading{POD="b"} 1x60`},
	"HoldfastTermInDoubt": {
		`holdfast_terms_ended_total{POD="a",reason="InDoubt"} 0x60`, `holdfast_terms_ended_total{POD="a",reason="InDoubt"} 0x50 1x10`,
	},
	"HoldfastSharedIdentity": {
		`holdfast_terms_ended_total{POD="a",reason="SameIdentity"} 0x60`, `holdfast_terms_ended_total{POD="a",reason="SameIdentity"} 0x50 1x10`,
	},
	"HoldfastRenewalsFailing": {
		`holdfast_renewals_total{POD="a",result="given_up"} 0x60`, `holdfast_renewals_total{POD="a",result="given_up"} 0+4x60`,
	},
	"HoldfastRenewalsSlow": {
		`{POD="a",le="0.01"} 0+31x60`, `{POD="a",le="0.01"} 0+30x60`,
		`{POD="a",le="5"} 0+31x60`, `{POD="a",le="5"} 0+30x60`,
	},
	"HoldfastFlapping": {
		`holdfast_terms_ended_total{POD="a",reason="RenewDeadline"} 0x60`,
		`holdfast_terms_ended_total{POD="a",reason="RenewDeadline"} 0x40 1x5 2x5 3x10`,
	},
	"HoldfastBlindCandidate": {
		`holdfast_leaderless_seconds{POD="b"} 0x60`, `holdfast_leaderless_seconds{POD="b"} 0x50 0+60x10`,
	},
	"HoldfastWatchesRestarting": {
		`0 0+0x30 1+0x29`, `0+1x60`,
	},
}

// firing returns the alerts whose expressions hold at the end of the hour.
func firing(t *testing.T, series string) []string {
	series = strings.ReplaceAll(series, `POD=`, `namespace="shop",job="shop",name="shop",pod=`)
	series = regexp.MustCompile(`\n\s*\n`).ReplaceAllString(series, "\n") // an empty line would end the command
	storage := promqltest.LoadedStorage(t, "load 1m"+series)
	engine := promqltest.NewTestEngine(t, false, 5*time.Minute, 100000)
	var names []string
	for _, rule := range alerts(t) {
		query, err := engine.NewInstantQuery(t.Context(), storage, nil, rule.Expr, time.Unix(0, 0).Add(time.Hour))
		require.NoError(t, err, rule.Alert)
		result, err := query.Exec(t.Context()).Vector()
		require.NoError(t, err, rule.Alert)
		if len(result) > 0 {
			assert.Len(t, result, 1, "%s says one thing once", rule.Alert)
			assert.Equal(t, "shop", result[0].Metric.Get("name"), rule.Alert)
			names = append(names, rule.Alert)
		}
		query.Close()
	}
	return names
}

func TestNoAlertFiresWhereAllIsWell(t *testing.T) {
	assert.Empty(t, firing(t, well))
}

func TestEachAlertFiresForItsOwnTroubleOnly(t *testing.T) {
	for _, rule := range alerts(t) {
		t.Run(rule.Alert, func(t *testing.T) {
			require.Contains(t, troubles, rule.Alert, "an alert needs a trouble that it is for")
			series := well
			trouble := troubles[rule.Alert]
			for i := 0; i+1 < len(trouble); i += 2 {
				require.Contains(t, series, trouble[i])
				series = strings.ReplaceAll(series, trouble[i], trouble[i+1])
			}
			assert.Equal(t, []string{rule.Alert}, firing(t, series))
		})
	}
}

package scrape

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
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

// lulls are no troubles, though they look a little like some: what of the hour is
// otherwise, old and new, alternating. No alert may fire at any minute of them.
var lulls = map[string][]string{
	"a handover that two scrapes see at different moments": {
		`holdfast_leading{POD="a"} 1x60`, `holdfast_leading{POD="a"} 1x30 0x29`,
		`holdfast_leading{POD="b"} 0x60`, `holdfast_leading{POD="b"} 0x29 1x30`,
	},
	"a takeover in time": {
		`holdfast_leading{POD="a"} 1x60`, `holdfast_leading{POD="a"} 1x30 0x29`,
		`holdfast_leading{POD="b"} 0x60`, `holdfast_leading{POD="b"} 0x31 1x28`,
		`holdfast_leaderless_seconds{POD="a"} 0x60`, `holdfast_leaderless_seconds{POD="a"} 0x30 14 0x28`,
		`holdfast_leaderless_seconds{POD="b"} 0x60`, `holdfast_leaderless_seconds{POD="b"} 0x30 14 0x28`,
		`holdfast_terms_ended_total{POD="a",reason="RenewDeadline"} 0x60`, `holdfast_terms_ended_total{POD="a",reason="RenewDeadline"} 0x30 1x29`,
	},
	"two terms lost in half an hour": {
		`holdfast_terms_ended_total{POD="a",reason="RenewDeadline"} 0x60`,
		`holdfast_terms_ended_total{POD="a",reason="RenewDeadline"} 0x40 1x5 2x12`,
	},
	"twelve watches that were restarted in an hour": {
		`0 0+0x30 1+0x29`, `0x46 1+1x11 12x2`,
	},
	"a process that begins anew counts from nothing": {
		`0+30x60`, `0+30x30 0+30x29`, `0+31x60`, `0+31x30 0+31x29`, `"Released"} 0+1x60`, `"Released"} 0+1x30 0+1x29`,
	},
	"a quarter of an hour in which a target is not scraped": {
		`holdfast_leading{POD="b"} 0x60`, `holdfast_leading{POD="b"} 0x20 _x15 0x24`,
		`holdfast_leaderless_seconds{POD="b"} 0x60`, `holdfast_leaderless_seconds{POD="b"} 0x20 _x15 0x24`,
	},
	"a standby that has just begun and has seen no leader yet": {
		`holdfast_leaderless_seconds{POD="b"} 0x60`, `holdfast_leaderless_seconds{POD="b"} _x30 2 0x28`,
	},
}

// altered returns the hour with something otherwise.
func altered(t *testing.T, changes []string) string {
	series := well
	for i := 0; i+1 < len(changes); i += 2 {
		require.Contains(t, series, changes[i])
		series = strings.ReplaceAll(series, changes[i], changes[i+1])
	}
	return series
}

// hour is what Prometheus makes of the rules in an hour of series, of which it
// evaluates every minute.
type hour struct {
	fired []string // the alerts that fired at any minute
	last  []string // those that fire at its end
}

// watch evaluates the rules as Prometheus does, "for" and the texts included.
func watch(t *testing.T, series string) (h hour) {
	series = strings.ReplaceAll(series, `POD=`, `namespace="shop",job="shop",name="shop",pod=`)
	series = regexp.MustCompile(`\n\s*\n`).ReplaceAllString(series, "\n") // an empty line would end the command
	query := rules.EngineQueryFunc(promqltest.NewTestEngine(t, false, 5*time.Minute, 100000), promqltest.LoadedStorage(t, "load 1m"+series))
	for _, rule := range alerts(t) {
		expression, err := grammar().ParseExpr(rule.Expr)
		require.NoError(t, err, rule.Alert)
		alert := rules.NewAlertingRule(rule.Alert, expression, time.Duration(rule.For), time.Duration(rule.KeepFiringFor),
			labels.FromMap(rule.Labels), labels.FromMap(rule.Annotations), labels.EmptyLabels(), "", true, promslog.NewNopLogger())
		for at := range 61 {
			_, err := alert.Eval(t.Context(), 0, time.Unix(0, 0).Add(time.Duration(at)*time.Minute), query, &url.URL{}, 0)
			require.NoError(t, err, rule.Alert)
			if firing(alert) && !slices.Contains(h.fired, rule.Alert) {
				h.fired = append(h.fired, rule.Alert)
				says(t, alert)
			}
		}
		if firing(alert) {
			h.last = append(h.last, rule.Alert)
		}
	}
	return h
}

// firing reports whether an alert holds, and has for as long as it must.
func firing(alert *rules.AlertingRule) bool {
	return slices.ContainsFunc(alert.ActiveAlerts(), func(a *rules.Alert) bool { return a.State == rules.StateFiring })
}

// says checks what an alert tells whoever is woken by it.
func says(t *testing.T, alert *rules.AlertingRule) {
	active := alert.ActiveAlerts()
	assert.Len(t, active, 1, "%s says one thing once", alert.Name())
	for _, one := range active {
		assert.Equal(t, "shop", one.Labels.Get("name"), alert.Name())
		assert.Contains(t, one.Annotations.Get("summary"), "shop", alert.Name())
		one.Annotations.Range(func(text labels.Label) {
			assert.NotContains(t, text.Value, "error expanding template", alert.Name())
			assert.NotContains(t, text.Value, "<no value>", alert.Name())
		})
	}
}

func TestNoAlertFiresWhereAllIsWell(t *testing.T) {
	assert.Empty(t, watch(t, well).fired)
}

func TestEachAlertFiresForItsOwnTroubleOnly(t *testing.T) {
	for _, rule := range alerts(t) {
		t.Run(rule.Alert, func(t *testing.T) {
			require.Contains(t, troubles, rule.Alert, "an alert needs a trouble that it is for")
			h := watch(t, altered(t, troubles[rule.Alert]))
			assert.Equal(t, []string{rule.Alert}, h.fired)
			assert.Equal(t, []string{rule.Alert}, h.last)
		})
	}
}

func TestNoAlertFiresForWhatIsNoTrouble(t *testing.T) {
	for name, changes := range lulls {
		t.Run(name, func(t *testing.T) {
			assert.Empty(t, watch(t, altered(t, changes)).fired)
		})
	}
}

package scrape

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// grown returns an hour of what a scrape shows, as series of a target: each
// gauge stays as it was, and each counter counts one a minute.
func grown(families map[string]*dto.MetricFamily) string {
	var series strings.Builder
	add := func(name string, metric *dto.Metric, more string, from float64, each int) {
		var labels []string
		for _, label := range metric.GetLabel() {
			labels = append(labels, fmt.Sprintf("%s=%q", label.GetName(), label.GetValue()))
		}
		labels = append(labels, `namespace="shop"`, `job="shop"`, `pod="a"`, `instance="a:8080"`)
		fmt.Fprintf(&series, "\t%s{%s%s} %s+%dx60\n", name, strings.Join(labels, ","), more, strconv.FormatFloat(from, 'f', -1, 64), each)
	}
	for name, family := range families {
		for _, metric := range family.GetMetric() {
			switch family.GetType() {
			case dto.MetricType_GAUGE:
				add(name, metric, "", metric.GetGauge().GetValue(), 0)
			case dto.MetricType_COUNTER:
				add(name, metric, "", metric.GetCounter().GetValue(), 1)
			case dto.MetricType_HISTOGRAM:
				for _, bucket := range metric.GetHistogram().GetBucket() {
					le := strconv.FormatFloat(bucket.GetUpperBound(), 'f', -1, 64)
					add(name+"_bucket", metric, fmt.Sprintf(",le=%q", le), float64(bucket.GetCumulativeCount()), 1)
				}
			}
		}
	}
	return "load 1m\n" + series.String()
}

// mentioned is a label that the legend of a panel shows.
var mentioned = regexp.MustCompile(`\{\{(\w+)\}\}`)

func TestEveryPanelShowsALiveScrape(t *testing.T) {
	storage := promqltest.LoadedStorage(t, grown(live(t)))
	engine := promqltest.NewTestEngine(t, false, 5*time.Minute, 100000)
	chosen := strings.NewReplacer("$__rate_interval", "5m", "$namespace", "shop", "$name", "shop")
	d, _ := board(t)
	for _, panel := range d.Panels {
		t.Run(panel.Title, func(t *testing.T) {
			lines := map[string]bool{}
			for _, target := range panel.Targets {
				query, err := engine.NewInstantQuery(t.Context(), storage, nil, chosen.Replace(target.Expr), time.Unix(0, 0).Add(time.Hour))
				require.NoError(t, err, target.Expr)
				defer query.Close()
				shown, err := query.Exec(t.Context()).Vector()
				require.NoError(t, err, target.Expr)
				assert.NotEmpty(t, shown, "%s shows nothing", target.Expr)
				for _, line := range shown {
					assert.False(t, math.IsNaN(line.F) || math.IsInf(line.F, 0), "%s is %v", target.Expr, line.F)
					legend := mentioned.ReplaceAllStringFunc(target.LegendFormat, func(label string) string {
						value := line.Metric.Get(strings.Trim(label, "{}"))
						assert.NotEmpty(t, value, "%s: its legend shows %s, which it does not have", target.Expr, label)
						return value
					})
					assert.False(t, lines[legend], "two lines of the panel are called %q", legend)
					lines[legend] = true
				}
			}
		})
	}
}

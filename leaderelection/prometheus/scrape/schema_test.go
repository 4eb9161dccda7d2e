package scrape

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	grafana "github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/leaderelection/prometheus/dashboards"
)

// firstSchema is a dashboard by the schema that our file is written in, which every
// Grafana reads. The one that is to follow it is another language.
//
//lint:ignore SA1019 see above
type firstSchema = grafana.Dashboard

// schema reads a dashboard by the schema that Grafana publishes: of dashboards,
// of the two kinds of panels that ours has, and of queries for Prometheus. It
// refuses fields that are not known, of another type, or missing; it does not look
// whether a word is one of those that an option may have.
func schema(text []byte) (read firstSchema, problems []error) {
	known := cog.NewRuntime()
	known.RegisterPanelcfgVariant(timeseries.VariantConfig())
	known.RegisterPanelcfgVariant(statetimeline.VariantConfig())
	known.RegisterDataqueryVariant(prometheus.VariantConfig())
	// What is read strictly is not complete, and its error never nil.
	strict := new(firstSchema).UnmarshalJSONStrict(text)
	for _, err := range []error{strict, json.Unmarshal(text, &read), read.Validate()} {
		var list cog.BuildErrors
		if err != nil && (!errors.As(err, &list) || len(list) > 0) {
			problems = append(problems, err)
		}
	}
	return read, problems
}

func TestTheDashboardFitsGrafanasSchema(t *testing.T) {
	read, problems := schema(dashboards.Grafana)
	require.Empty(t, problems)
	d, _ := board(t)
	assert.Len(t, read.Panels, len(d.Panels))
	for _, panel := range read.Panels {
		require.NotNil(t, panel.Panel)
		assert.Contains(t, []string{"timeseries", "state-timeline"}, panel.Panel.Type, "the schema of another kind of panel is not looked at: register it")
	}
}

func TestWhatDoesNotFitTheSchemaIsFound(t *testing.T) {
	for name, change := range map[string][2]string{
		"an option of another type":   {`"showLegend": true`, `"showLegend": "yes"`},
		"an option that is missing":   {`"rowHeight": 0.9,`, ``},
		"an unknown field of a query": {`"legendFormat":`, `"legend":`},
		"an unknown field of a panel": {`"gridPos":`, `"grid":`},
	} {
		changed := bytes.Replace(dashboards.Grafana, []byte(change[0]), []byte(change[1]), 1)
		require.NotEqual(t, dashboards.Grafana, changed, name)
		_, problems := schema(changed)
		assert.NotEmpty(t, problems, name)
	}
}

func TestNoPanelLiesOnAnother(t *testing.T) {
	d, _ := board(t)
	const columns = 24
	taken := map[[2]int]string{}
	for _, panel := range d.Panels {
		at := panel.GridPos
		assert.Positive(t, at.W*at.H, panel.Title)
		assert.LessOrEqual(t, at.X+at.W, columns, panel.Title)
		for x := at.X; x < at.X+at.W; x++ {
			for y := at.Y; y < at.Y+at.H; y++ {
				assert.Empty(t, taken[[2]int{x, y}], "%s lies on it", panel.Title)
				taken[[2]int{x, y}] = panel.Title
			}
		}
	}
}

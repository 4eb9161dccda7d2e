package scrape

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/leaderelection/prometheus/dashboards"
)

func grammar() parser.Parser { return parser.NewParser(parser.Options{}) }

// targetLabels are given to series by Prometheus, from the target that it
// scrapes.
var targetLabels = map[string]bool{"namespace": true, "job": true, "pod": true, "instance": true}

// alerts reads the rules as Prometheus would.
func alerts(t *testing.T) []rulefmt.Rule {
	groups, problems := rulefmt.Parse(dashboards.Alerts, false, model.UTF8Validation, grammar(), slog.New(slog.DiscardHandler))
	require.Empty(t, problems)
	var all []rulefmt.Rule
	for _, group := range groups.Groups {
		all = append(all, group.Rules...)
	}
	require.NotEmpty(t, all)
	return all
}

// dashboard is what these tests read of Grafana's file.
type dashboard struct {
	Templating struct {
		List []struct {
			Name, Type, Definition string
			Query                  json.RawMessage
		}
	}
	Panels []struct {
		Title, Description string
		Targets            []struct{ Expr, LegendFormat string }
		GridPos            struct{ X, Y, W, H int }
	}
}

// board returns the dashboard, and each of its expressions under its panel's
// title.
func board(t *testing.T) (d dashboard, expressions map[string][]string) {
	require.NoError(t, json.Unmarshal(dashboards.Grafana, &d))
	expressions = map[string][]string{}
	for _, panel := range d.Panels {
		assert.NotEmpty(t, panel.Description, panel.Title)
		for _, target := range panel.Targets {
			expressions[panel.Title] = append(expressions[panel.Title], strings.ReplaceAll(target.Expr, "$__rate_interval", "5m"))
		}
	}
	require.Len(t, expressions, len(d.Panels), "each panel has a title of its own and shows something")
	return d, expressions
}

func TestAlertsNameWhatALiveScrapeShows(t *testing.T) {
	families := live(t)
	for _, rule := range alerts(t) {
		t.Run(rule.Alert, func(t *testing.T) { fits(t, families, rule.Expr) })
	}
}

func TestTheDashboardNamesWhatALiveScrapeShows(t *testing.T) {
	families := live(t)
	d, expressions := board(t)
	shown := map[string]bool{}
	for title, all := range expressions {
		t.Run(title, func(t *testing.T) {
			for _, expression := range all {
				for name := range fits(t, families, expression) {
					shown[name] = true
				}
			}
		})
	}
	for name := range families {
		assert.Contains(t, shown, name, "a metric that no panel shows")
	}
	for _, variable := range d.Templating.List {
		if variable.Type != "query" {
			continue
		}
		var query struct{ Query string }
		require.NoError(t, json.Unmarshal(variable.Query, &query))
		require.Equal(t, variable.Definition, query.Query, "what is shown is what is asked")
		selector, found := strings.CutPrefix(query.Query, "label_values(")
		require.True(t, found, variable.Definition)
		selector, _, found = strings.Cut(selector, ", "+variable.Name+")")
		require.True(t, found, variable.Definition)
		fits(t, families, selector)
	}
}

// fits checks that an expression parses, that each metric it selects is in the
// scrape, and that each label it names is one that the metric has, with the
// value where it asks for one. It returns the metrics' names.
func fits(t *testing.T, families map[string]*dto.MetricFamily, expression string) map[string]bool {
	parsed, err := grammar().ParseExpr(expression)
	require.NoError(t, err, expression)
	names := map[string]bool{}
	known := map[string]bool{"le": true}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		selector, is := node.(*parser.VectorSelector)
		if !is {
			return nil
		}
		name := selector.Name
		if families[name] == nil {
			name = strings.TrimSuffix(name, "_bucket")
		}
		if !assert.Contains(t, families, name, expression) {
			return nil
		}
		names[name] = true
		has := labelsOf(families[name])
		for label := range has {
			known[label] = true
		}
		for _, matcher := range selector.LabelMatchers {
			matches(t, has, matcher)
		}
		return nil
	})
	require.NotEmpty(t, names, "%s selects nothing", expression)
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if by, is := node.(*parser.AggregateExpr); is {
			for _, label := range by.Grouping {
				assert.True(t, known[label] || targetLabels[label], "%s groups by %s, which nothing has", expression, label)
			}
		}
		return nil
	})
	return names
}

// matches checks one condition on a label: every alternative that it names must
// be among the label's values.
func matches(t *testing.T, has map[string]map[string]bool, matcher *labels.Matcher) {
	if matcher.Name == model.MetricNameLabel || targetLabels[matcher.Name] {
		return
	}
	if !assert.Contains(t, has, matcher.Name, matcher.String()) || strings.HasPrefix(matcher.Value, "$") {
		return // a variable of the dashboard takes its values from the series
	}
	for alternative := range strings.SplitSeq(matcher.Value, "|") {
		assert.Contains(t, has[matcher.Name], alternative, matcher.String())
	}
}

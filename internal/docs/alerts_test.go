package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-go/holdfast/leaderelection"
)

type alertRule struct {
	Alert  string            `json:"alert"`
	Expr   string            `json:"expr"`
	Labels map[string]string `json:"labels"`
}

func alertRules(t *testing.T) (rules []alertRule) {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []alertRule `json:"rules"`
		} `json:"groups"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "leaderelection/prometheus/dashboards/alerts.yaml")), &file))
	for _, group := range file.Groups {
		rules = append(rules, group.Rules...)
	}
	return rules
}

func TestEveryAlertHasAnEntry(t *testing.T) {
	var want, said []string
	for _, rule := range alertRules(t) {
		entry := "`" + rule.Alert + "`"
		if rule.Labels["severity"] == "critical" {
			entry += ", page"
		}
		want = append(want, entry)
	}
	for _, row := range table(read(t, "docs/operate.md"), "alert") {
		said = append(said, row[0])
	}
	require.NotEmpty(t, want)
	assert.Equal(t, want, said)
}

// TestEveryLostTermIsCountedAsFlapping holds three lists against each other: the reasons
// that the alert counts, those that its row names, and those there are. A reason that is
// new must be put into one of the two lists here.
func TestEveryLostTermIsCountedAsFlapping(t *testing.T) {
	notCounted := []leaderelection.Reason{
		leaderelection.ReasonReleased, leaderelection.ReasonCancelled, leaderelection.ReasonResigned, leaderelection.ReasonEndOfTerm, // by choice
		leaderelection.ReasonSameIdentity, // has an alert of its own
	}
	const alert = "HoldfastFlapping"
	var counted, said []string
	for _, rule := range alertRules(t) {
		if rule.Alert == alert {
			list := regexp.MustCompile(`reason=~"([^"]*)"`).FindStringSubmatch(rule.Expr)
			require.NotNil(t, list, rule.Expr)
			counted = strings.Split(list[1], "|")
		}
	}
	for _, row := range table(read(t, "docs/operate.md"), "alert") {
		if row[0] == "`"+alert+"`" {
			for _, name := range regexp.MustCompile("`([A-Za-z]+)`").FindAllStringSubmatch(row[1], -1) {
				said = append(said, name[1])
			}
		}
	}
	assert.Equal(t, counted, said, "alerts.yaml and docs/operate.md")
	for _, reason := range leaderelection.Reasons() {
		assert.NotEqual(t, slices.Contains(notCounted, reason), slices.Contains(counted, string(reason)), "%s: in one of the two", reason)
	}
	assert.Len(t, leaderelection.Reasons(), len(counted)+len(notCounted))
}

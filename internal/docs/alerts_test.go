package docs

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

func TestEveryAlertHasAnEntry(t *testing.T) {
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert  string            `json:"alert"`
				Labels map[string]string `json:"labels"`
			} `json:"rules"`
		} `json:"groups"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "leaderelection/prometheus/dashboards/alerts.yaml")), &rules))
	var want, said []string
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			entry := "`" + rule.Alert + "`"
			if rule.Labels["severity"] == "critical" {
				entry += ", page"
			}
			want = append(want, entry)
		}
	}
	for _, row := range table(read(t, "docs/operate.md"), "alert") {
		said = append(said, row[0])
	}
	require.NotEmpty(t, want)
	assert.Equal(t, want, said)
}

package scrape

import (
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var heading = regexp.MustCompile(`(?m)^#+ (.+)$`)

// anchors are the links to headings that GitHub makes of a document.
func anchors(t *testing.T, file string) map[string]bool {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	all := map[string]bool{}
	for _, match := range heading.FindAllStringSubmatch(string(text), -1) {
		words := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(match[1]), "")
		all[strings.ReplaceAll(words, " ", "-")] = true
	}
	return all
}

func TestAlertsSayWhatTheyMeanAndWhatToDo(t *testing.T) {
	const docs = "https://github.com/holdfast-go/holdfast/blob/main/docs/"
	for _, rule := range alerts(t) {
		assert.Contains(t, []string{"critical", "warning"}, rule.Labels["severity"], rule.Alert)
		assert.NotEmpty(t, rule.Annotations["summary"], rule.Alert)
		assert.NotEmpty(t, rule.Annotations["description"], rule.Alert)
		page, isDoc := strings.CutPrefix(rule.Annotations["runbook_url"], docs)
		require.True(t, isDoc, rule.Alert)
		file, anchor, _ := strings.Cut(page, "#")
		assert.Contains(t, anchors(t, path.Join("../../../docs", file)), anchor, rule.Alert)
	}
}

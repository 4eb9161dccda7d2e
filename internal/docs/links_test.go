package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	fence   = regexp.MustCompile("(?ms)^[ \t]*```.*?^[ \t]*```[ \t]*$")
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors returns what GitHub makes of the headings of a document.
func anchors(document string) map[string]bool {
	all := map[string]bool{}
	for _, h := range heading.FindAllStringSubmatch(fence.ReplaceAllString(document, ""), -1) {
		name := dropped.ReplaceAllString(strings.ToLower(strings.TrimSpace(h[1])), "")
		all[strings.ReplaceAll(name, " ", "-")] = true
	}
	return all
}

// deadLinks returns the links of a document, which lies in folder, that lead to
// no file or no heading. Those into the web are not followed.
func deadLinks(folder, document string) (dead []string) {
	for _, l := range link.FindAllStringSubmatch(fence.ReplaceAllString(document, ""), -1) {
		if strings.Contains(l[1], "://") {
			continue
		}
		path, anchor, _ := strings.Cut(l[1], "#")
		target := document
		if path != "" {
			info, err := os.Stat(filepath.Join(folder, path))
			if err != nil {
				dead = append(dead, l[1])
				continue
			}
			if anchor != "" && !info.IsDir() {
				content, err := os.ReadFile(filepath.Join(folder, path))
				if err != nil {
					dead = append(dead, l[1])
					continue
				}
				target = string(content)
			}
		}
		if anchor != "" && !anchors(target)[anchor] {
			dead = append(dead, l[1])
		}
	}
	return dead
}

func TestLinksLeadSomewhere(t *testing.T) {
	for _, path := range documents(t) {
		assert.Empty(t, deadLinks(filepath.Join(root, filepath.Dir(path)), read(t, path)), path)
	}
}

func TestADeadLinkIsFound(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "a.md"), []byte("# A: what it is\n"), 0o600))
	document := "## Here\n[1](a.md) [2](#here) [3](a.md#a-what-it-is) [4](https://example.com)\n```\n[x](y)\n```\n"
	assert.Empty(t, deadLinks(folder, document))
	assert.Equal(t, []string{"b.md", "a.md#b", "#there"}, deadLinks(folder, "[1](b.md) [2](a.md#b) [3](#there)"))
}

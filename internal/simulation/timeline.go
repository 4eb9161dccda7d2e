package simulation

import (
	"fmt"
	"strings"
	"time"
)

// entry is one line of the timeline. It is formatted only when it is read.
type entry struct {
	at     time.Duration
	who    string
	format string
	args   []any
}

// timeline is what happened, in order. It keeps the newest entries only.
type timeline struct {
	entries []entry
	next    int
}

// remembered is how many entries a timeline keeps.
const remembered = 3000

func (t *timeline) add(e entry) {
	if len(t.entries) < remembered {
		t.entries = append(t.entries, e)
		return
	}
	t.entries[t.next] = e
	t.next = (t.next + 1) % remembered
}

// since returns the lines from a moment on, at most limit of them: the newest.
func (t *timeline) since(moment time.Duration, limit int) string {
	var lines []entry
	for i := range t.entries {
		if e := t.entries[(t.next+i)%len(t.entries)]; e.at >= moment {
			lines = append(lines, e)
		}
	}
	lines = lines[max(0, len(lines)-limit):]
	var text strings.Builder
	for _, e := range lines {
		fmt.Fprintf(&text, "%14s  %-10s  %s\n", seconds(e.at), e.who, fmt.Sprintf(e.format, e.args...))
	}
	return text.String()
}

// seconds writes a moment so that moments stand under one another.
func seconds(d time.Duration) string { return fmt.Sprintf("%.6f s", d.Seconds()) }

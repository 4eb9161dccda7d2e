package scenario

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// tail keeps the end of what a program has written. It is safe for concurrent use.
type tail struct {
	also io.Writer // takes all of it; nil for nobody

	mu   sync.Mutex
	text []byte
}

// tailSize is how many bytes are kept.
const tailSize = 4 << 10

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.also != nil {
		_, _ = t.also.Write(p)
	}
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-tailSize):]
	return len(p), nil
}

// String quotes the end in whole lines, for an error.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := string(t.text)
	if len(text) == tailSize {
		_, text, _ = strings.Cut(text, "\n")
	}
	if strings.TrimSpace(text) == "" {
		return "it has written nothing"
	}
	return "its output ends:\n\t" + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n\t")
}

// explain adds to an error of a program what was expected of it, how it was started
// and what it has written. What a contender has written is in its host's log.
func (r *run) explain(c *contending, what string, err error) error {
	if c.output == nil {
		return err
	}
	also := ""
	if others := othersAsked(r.Events()); len(others) > 0 {
		also = "; it asked for other Leases, " + strings.Join(others, ", ")
	}
	return fmt.Errorf("%s %s: %w%s; it was started as %s %s; %v", c.host.Name(), what, err, also, r.program.Path, strings.Join(r.program.Args, " "), c.output)
}

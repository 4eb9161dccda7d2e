package labtest

import (
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// Tell shows what happened, if the test has failed: the events, timed from since,
// and what the contenders have logged.
func Tell(t *testing.T, events []event.Event, since time.Time, log *Log) {
	t.Helper()
	if !t.Failed() {
		return
	}
	var timeline strings.Builder
	if err := event.Timeline(&timeline, events, since); err != nil {
		t.Error(err)
	}
	t.Logf("timeline:\n%s\nlog of the contenders:\n%s", timeline.String(), log)
}

package shortest

import (
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// loss returns the first event after since which says that leader did not keep
// the lease, and why it says so; "" if there is none.
func loss(events []event.Event, leader string, since time.Time) (why string) {
	for _, e := range events {
		if !e.Time.After(since) {
			continue
		}
		after := e.Time.Sub(since).Round(time.Millisecond)
		switch {
		case e.What == event.Unreadable:
			return fmt.Sprintf("%s wrote a line that is no event, %v after the first fault: %q", e.Who, after, e.Reason)
		case e.What == event.Exited:
			return fmt.Sprintf("%s exited %v after the first fault", e.Who, after)
		case e.What == event.Leading && e.Who != leader:
			return fmt.Sprintf("%s took over %v after the first fault", e.Who, after)
		case e.What == event.Lost || e.Who == leader && e.What == event.Stopping:
			return fmt.Sprintf("%s lost the lease %v after the first fault", e.Who, after)
		}
	}
	return ""
}

// contends returns whether who has sent a request since it started or, as a
// peer does that does not use the API, has at least started.
func contends(events []event.Event, who string, usesAPI bool) bool {
	for _, e := range events {
		if e.Who == who && (e.What == event.Requested || e.What == event.Started && !usesAPI) {
			return true
		}
	}
	return false
}

func leads(events []event.Event, who string) bool {
	for _, e := range events {
		if e.Who == who && e.What == event.Leading {
			return true
		}
	}
	return false
}

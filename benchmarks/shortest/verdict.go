package shortest

import (
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// loss says how an event shows that leader did not keep the lease; "" if it does
// not, or if it is from before the first fault.
func loss(e event.Event, leader string, firstFault time.Time) (why string) {
	if firstFault.IsZero() || !e.Time.After(firstFault) {
		return ""
	}
	after := e.Time.Sub(firstFault).Round(time.Millisecond)
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
	return ""
}

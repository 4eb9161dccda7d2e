package leaderelection

import (
	"fmt"
	"runtime/debug"
	"time"

	"k8s.io/klog/v2"
)

// flushEvents is how long the end of a term waits for the recorder of events,
// since many a process exits when its term has ended.
const flushEvents = 100 * time.Millisecond

// events are what the recorder of a lock is told, one after another. The election does
// not wait for it.
type events struct {
	// record tells the recorder.
	record func(event string)
	queue  callQueue
}

// add has an event recorded. A recorder that panics is said and costs the event.
func (e *events) add(logger klog.Logger, event string) {
	e.queue.add(func() {
		defer func() {
			if reason := recover(); reason != nil {
				logger.Error(fmt.Errorf("%v", reason), "The recorder of events panicked", "event", event, "stack", string(debug.Stack()))
			}
		}()
		e.record(event)
	})
}

package contender

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// voice writes the events of one contender. An event that cannot be written
// goes to broken, since a stream with a gap would give wrong figures.
type voice struct {
	who    string
	out    *event.Writer
	broken func(error)
}

func (v voice) say(e event.Event) {
	e.Who = v.who
	if err := v.out.Write(e); err != nil {
		v.broken(err)
	}
}

// work is what the lease guards, for one term. An elector may call run on a
// goroutine of its own and return before the work does, so whoever started it
// waits.
type work struct {
	stop     time.Duration
	says     voice
	started  atomic.Bool
	returned chan struct{}
}

func newWork(stop time.Duration, says voice) *work {
	return &work{stop: stop, says: says, returned: make(chan struct{})}
}

// run is the work; it is called once at most.
func (w *work) run(ctx context.Context) {
	defer close(w.returned)
	w.started.Store(true)
	w.says.say(event.Event{What: event.Leading})
	<-ctx.Done()
	w.says.say(event.Event{What: event.Stopping})
	time.Sleep(w.stop)
	w.says.say(event.Event{What: event.Stopped})
}

// begun reports whether run has been called.
func (w *work) begun() bool { return w.started.Load() }

// wait returns when work that has begun has returned.
func (w *work) wait() {
	if w.begun() {
		<-w.returned
	}
}

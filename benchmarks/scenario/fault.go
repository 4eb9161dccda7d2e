package scenario

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

// fault is one thing that can be done to one part of the laboratory.
type fault struct {
	on, how string
	do      func() error
}

func cut(h *lab.Host) fault {
	return fault{on: h.Name(), how: "host is silent", do: h.Cut}
}

func silence(a *lab.APIServer) fault {
	return fault{on: a.Host().Name(), how: "host is silent", do: a.Silence}
}

func freeze(a *lab.APIServer) fault {
	return fault{on: a.Host().Name(), how: "process is frozen", do: a.Freeze}
}

func kill(c *contending) fault {
	return fault{on: c.host.Name(), how: "SIGKILL", do: func() error { return c.process.Signal(syscall.SIGKILL) }}
}

func terminate(c *contending) fault {
	return fault{on: c.host.Name(), how: "SIGTERM", do: func() error { return c.process.Signal(syscall.SIGTERM) }}
}

// harm does all faults, as nearly at the same time as it can. Their events
// carry one time, taken before the first.
func (r *run) harm(faults ...fault) error {
	at := time.Now()
	for _, f := range faults {
		r.say(event.Event{Time: at, Who: narrator, What: event.Fault, On: f.on, Reason: f.how})
	}
	for _, f := range faults {
		if err := f.do(); err != nil {
			return fmt.Errorf("fault %q on %s: %w", f.how, f.on, err)
		}
	}
	return nil
}

// name says which API servers, by index, the virtual IP names from now on.
func (r *run) name(servers ...int) error {
	if err := r.stage.lab.SetBackends(servers...); err != nil {
		return err
	}
	r.say(event.Event{Who: narrator, What: event.Backends, Reason: fmt.Sprint("API servers ", servers)})
	return nil
}

// nameAll makes the virtual IP name every API server.
func (r *run) nameAll() error {
	return r.name(slices.Concat([]int{victimIndex}, r.unharmed)...)
}

// later calls f after the time d, unless the run ends first.
func (r *run) later(ctx context.Context, d time.Duration, f func() error) {
	r.tasks.Go(func() {
		select {
		case <-time.After(d):
			if err := f(); err != nil {
				r.fail(fmt.Errorf("%v after the fault: %w", d, err))
			}
		case <-ctx.Done():
		}
	})
}

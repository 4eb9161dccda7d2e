package stage

import (
	"fmt"
	"syscall"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

// Narrator is whose words the faults are in a stream.
const Narrator = "scenario"

// Fault is one thing that can be done to one part of the laboratory. To add one is a
// function here.
type Fault struct {
	// On says what it is done to, How what happens.
	On, How string
	Do      func() error
}

// Cut takes a host off the network.
func Cut(h *lab.Host) Fault { return Fault{h.Name(), "host is silent", h.Cut} }

// Silence takes the host of an API server off the network, for all but etcd.
func Silence(a *lab.APIServer) Fault { return Fault{a.Host().Name(), "host is silent", a.Silence} }

// Freeze stops the process of an API server; its kernel goes on.
func Freeze(a *lab.APIServer) Fault { return Fault{a.Host().Name(), "process is frozen", a.Freeze} }

// Kill ends a process as a crash does.
func Kill(who string, p *lab.Process) Fault {
	return Fault{who, "SIGKILL", func() error { return p.Signal(syscall.SIGKILL) }}
}

// Terminate tells a process to stop.
func Terminate(who string, p *lab.Process) Fault {
	return Fault{who, "SIGTERM", func() error { return p.Signal(syscall.SIGTERM) }}
}

// Harm does all faults, as nearly at the same time as it can. Their events
// carry one time, taken before the first.
func (p *Play) Harm(faults ...Fault) error {
	at := time.Now()
	for _, f := range faults {
		p.tell(event.Event{Time: at, Who: Narrator, What: event.Fault, On: f.On, Reason: f.How})
	}
	for _, f := range faults {
		if err := f.Do(); err != nil {
			return fmt.Errorf("fault %q on %s: %w", f.How, f.On, err)
		}
	}
	return nil
}

package scenario

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

// drainBound is how long an API server that is told to stop may take to end its
// connections before it is killed, as a kubelet would kill it.
const drainBound = 30 * time.Second

// apiRestart is an upgrade of the control plane. An API server that is told to
// stop takes itself out of the Service, and kube-proxy its address out of the
// virtual IP, while it still ends its connections; it is named again when it
// serves again. The observer's own server stays: what happened while it was
// away could not be told from what did not.
var apiRestart = Scenario{
	Name: "api-restart",
	Text: "the API servers, all but the observer's, are restarted one after the other (SIGTERM); the virtual IP leaves each out while it is away",
	inflict: func(ctx context.Context, r *run) error {
		if err := r.nameAll(); err != nil {
			return err
		}
		servers := r.stage.lab.APIServers()
		for _, a := range servers[:len(servers)-1] {
			if err := r.restart(ctx, a); err != nil {
				return fmt.Errorf("restart %s: %w", a.Host().Name(), err)
			}
		}
		return nil
	},
}

// restart is one API server's turn. It returns when the server serves Leases
// promptly and the virtual IP names it again.
func (r *run) restart(ctx context.Context, a *lab.APIServer) error {
	ctx, cancel := context.WithTimeoutCause(ctx, mendBound, fmt.Errorf("%v are over", mendBound))
	defer cancel()
	begun := time.Now()
	process := a.Process()
	err := r.Harm(stage.Fault{On: a.Host().Name(), How: "SIGTERM", Do: func() error { return process.Signal(syscall.SIGTERM) }})
	if err != nil {
		return err
	}
	all := slices.Concat([]int{victimIndex}, r.unharmed)
	if err := r.name(slices.DeleteFunc(all, func(i int) bool { return i == a.Index })...); err != nil {
		return err
	}
	select {
	case <-process.Done():
	case <-time.After(drainBound): // Restart kills it
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := a.Restart(ctx); err != nil {
		return err
	}
	if err := stage.Well(ctx, r.stage.lab, a.Index, stage.Prompt); err != nil {
		return err
	}
	r.say(event.Event{Who: stage.Narrator, What: event.Mended, On: a.Host().Name(), Took: time.Since(begun)})
	return r.nameAll()
}

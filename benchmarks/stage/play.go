package stage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

// Play is what happens from the first process to the last. The zero Play is ready for
// use; its methods are safe for concurrent use.
type Play struct {
	event.Log
	// Say, where it is set, is told what happens in place of Log.Append.
	Say func(event.Event)
	// Tasks are what runs beside it until its context ends.
	Tasks sync.WaitGroup

	exits sync.WaitGroup
	mu    sync.Mutex
	errs  []error
}

func (p *Play) tell(e event.Event) {
	if p.Say != nil {
		p.Say(e)
		return
	}
	p.Append(e)
}

// Fail makes err, if it is one, the play's own without ending it.
func (p *Play) Fail(err error) {
	if err == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errs = append(p.errs, err)
}

// Exited returns when every process that was started has exited, with the errors of the
// play.
func (p *Play) Exited() error {
	p.exits.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.errs...)
}

// Later calls do after the time d, unless ctx ends first.
func (p *Play) Later(ctx context.Context, d time.Duration, do func() error) {
	p.Tasks.Go(func() {
		if Pause(ctx, d) != nil {
			return
		}
		if err := do(); err != nil {
			p.Fail(fmt.Errorf("%v later: %w", d, err))
		}
	})
}

// Start starts a process on a host. What it says, where the command has no other place
// for it, and its exit are told.
func (p *Play) Start(host *lab.Host, who string, command lab.Command) (*lab.Process, error) {
	if command.Stdout == nil {
		command.Stdout = event.NewSink(who, p.tell)
	}
	process, err := host.Start(command)
	if err != nil {
		return nil, err
	}
	p.exits.Go(func() {
		<-process.Done()
		code := process.ExitCode()
		p.tell(event.Event{Who: who, What: event.Exited, Code: &code})
	})
	return process, nil
}

// AwaitAll is Await for a time in which no process may exit, or write what is no event.
func (p *Play) AwaitAll(ctx context.Context, what string, cond func([]event.Event) bool) error {
	gone := func(e event.Event) bool { return e.What == event.Exited || e.What == event.Unreadable }
	err := p.Await(ctx, what, func(events []event.Event) bool { return slices.ContainsFunc(events, gone) || cond(events) })
	if err != nil {
		return err
	}
	events := p.Events()
	switch i := slices.IndexFunc(events, gone); {
	case i < 0:
		return nil
	case events[i].What == event.Exited:
		return fmt.Errorf("await %s: %s has exited with code %d", what, events[i].Who, *events[i].Code)
	default:
		return fmt.Errorf("await %s: %s wrote a line that is no event: %q", what, events[i].Who, events[i].Reason)
	}
}

// Says returns the condition that who has said what.
func Says(who string, what event.What) func([]event.Event) bool {
	return func(events []event.Event) bool {
		return slices.ContainsFunc(events, func(e event.Event) bool { return e.Who == who && e.What == what })
	}
}

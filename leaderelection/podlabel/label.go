package podlabel

import (
	"context"
	"fmt"
	"sync"

	"github.com/holdfast-go/holdfast/internal/bounded"
)

// Label is the label of one Pod. It is made by New and safe for concurrent use,
// but one term at a time bears it.
type Label struct {
	config Config
	calls  bounded.Calls
}

// New returns the label that config describes, which the Pod does not bear yet. The
// error names the field that cannot be used.
func New(config Config) (*Label, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	return &Label{config: config}, nil
}

// Around returns work with the label beside it, for OnStartedLeading: the Pod
// bears the label from when the work begins until the term ends, also where work
// returns sooner. It returns when the work has returned and Start has. Work that
// cannot serve from its first moment on calls Start itself when it can.
func (l *Label) Around(work func(context.Context)) func(context.Context) {
	return func(ctx context.Context) {
		var bearing sync.WaitGroup
		bearing.Go(func() { _ = l.Start(ctx) })
		work(ctx)
		bearing.Wait() // not deferred: work that panics ends the process at once
	}
}

// Start has the Pod bear the label until ctx ends, which is the context of
// OnStartedLeading or one derived from it. It returns nil when the label is off, at
// most Config.Bound after the end of ctx. What fails is logged and tried again. A
// *Label may be added to a controller-runtime manager: it is a Runnable that needs
// leader election.
func (l *Label) Start(ctx context.Context) error {
	// A call that puts the label on is not cut off by the end of the term but given
	// half of the time: it could otherwise be executed after the one that takes it off.
	looking, enough := lasting(ctx, l.config.Bound/2)
	defer enough()
	ending, over := lasting(ctx, l.config.Bound)
	defer over()
	l.look(ctx, looking)
	l.end(ending)
	return nil
}

// Drop takes the label off this Pod, within Config.Bound. It is to be called before
// the process contends: a container that was restarted in a Pod that led finds the
// label as it was. A Pod that is gone is no error.
func (l *Label) Drop(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, l.config.Bound, fmt.Errorf("no answer within %v", l.config.Bound))
	defer cancel()
	if err := l.patch(ctx, l.config.Pod, l.config.takeOff()); err != nil && !isAnother(err) {
		return fmt.Errorf("podlabel: taking the label %s off the Pod %s: %w", l.config.label(), l.config.Pod, err)
	}
	return nil
}

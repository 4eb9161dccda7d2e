package contender

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// run contends until ctx is done or, unless o says otherwise, until the lease
// is lost. It returns the exit code, and an error where that is not enough to
// know why.
func run(ctx context.Context, o Options, config *rest.Config, out *event.Writer) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var broken atomic.Pointer[error]
	says := voice{who: o.Identity, out: out, broken: func(err error) {
		broken.Store(&err)
		cancel()
	}}
	config = counted(config, says)
	for {
		err := term(ctx, o, config, says)
		if unsaid := broken.Load(); unsaid != nil {
			return ExitSetup, *unsaid
		}
		switch {
		case err != nil:
			return ExitSetup, err
		case ctx.Err() != nil:
			return ExitOK, nil
		case !o.ContendAgain:
			return ExitLost, nil
		}
	}
}

// term contends for one term: from the first try to the end of the guarded
// work, if it came to that.
func term(ctx context.Context, o Options, config *rest.Config, says voice) error {
	w := newWork(o.WorkStop, says)
	says.say(event.Event{What: event.Started})
	stopped := func(why string) {
		if ctx.Err() == nil && w.begun() {
			says.say(event.Event{What: event.Lost, Reason: why})
		}
	}
	var err error
	if p := peers[o.Peer]; p.direct != nil {
		err = p.direct(ctx, o, says, w.run, stopped)
	} else {
		err = p.contend(ctx, o, config, w.run, stopped)
	}
	w.wait()
	if err != nil {
		return fmt.Errorf("set up peer %s: %w", o.Peer, err)
	}
	if ctx.Err() == nil && !w.begun() {
		return errors.New("the elector returned though it had not led and nobody had told it to stop")
	}
	return nil
}

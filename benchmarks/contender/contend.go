package contender

import (
	"context"
	"io"

	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// Contend contends once as the peer o.Peer, for programs that hold many
// contenders or that count requests in their own way: it says no events and
// guards no work. It returns when ctx is done or a lease that it had is lost.
// leading and stopped are called as an elector calls OnStartedLeading and
// OnStoppedLeading. o must be one that Validate accepts; config is used as it
// is, so peers that keep one transport for equal configurations do so here.
func Contend(ctx context.Context, o Options, config *rest.Config, leading func(context.Context), stopped func(why string)) error {
	p := peers[o.Peer]
	if p.direct == nil {
		return p.contend(ctx, o, config, leading, stopped)
	}
	unheard := voice{who: o.Identity, out: event.NewWriter(io.Discard), broken: func(error) {}}
	return p.direct(ctx, o, unheard, leading, stopped)
}

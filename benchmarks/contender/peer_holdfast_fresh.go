package contender

import (
	"context"

	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/dialer"
)

// holdfastFresh is this library with a new connection for every request, as a
// peer of its own, so that a comparison shows both modes.
var holdfastFresh = peer{
	refuses: holdfast.refuses,
	contend: func(ctx context.Context, o Options, config *rest.Config, leading func(context.Context), stopped func(string)) error {
		o.Mode = dialer.NewConnections
		return holdfast.contend(ctx, o, config, leading, stopped)
	},
}

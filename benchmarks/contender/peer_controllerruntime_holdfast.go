package contender

import (
	"context"

	"k8s.io/client-go/rest"
)

// controllerRuntimeHoldfastLock is the same manager with this library's lock:
// what a project reaches that changes one option. The elector is still
// client-go's, the connections are not.
var controllerRuntimeHoldfastLock = peer{
	modes:   true,
	refuses: clientGoRefuses,
	contend: func(ctx context.Context, o Options, config *rest.Config, leading func(context.Context), stopped func(string)) error {
		lock, err := holdfastLock(o, config)
		if err != nil {
			return err
		}
		return manage(ctx, o, config, lock, leading, stopped)
	},
}

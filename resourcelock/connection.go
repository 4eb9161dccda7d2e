package resourcelock

import (
	"context"

	"github.com/holdfast-go/holdfast/dialer"
)

// OnNewConnection returns a context whose calls to a lock start on a new
// connection, for whoever has reason to doubt those that are open. A lock whose
// client was not hardened (see Bounded) ignores it.
func OnNewConnection(ctx context.Context) context.Context { return dialer.FreshConnection(ctx) }

package contender

import (
	"context"
	"maps"
	"slices"

	"k8s.io/client-go/rest"
)

// peer is one implementation of leader election. A further one is a file that
// defines it and an entry in peers.
type peer struct {
	// modes says whether Options.Mode means anything to it.
	modes bool
	// contend contends once, as long as ctx lasts or until a lease it had is
	// lost, and calls leading and stopped as the elector would its callbacks
	// OnStartedLeading and OnStoppedLeading; stopped is told why the term ended
	// where the peer knows. Its error says why it could not begin.
	contend func(ctx context.Context, o Options, config *rest.Config, leading func(context.Context), stopped func(why string)) error
}

var peers = map[string]peer{
	"holdfast":           holdfast,
	"client-go":          clientGo,
	"client-go-unpinged": unpinged,
}

// Peers returns the names of all peers, sorted.
func Peers() []string { return slices.Sorted(maps.Keys(peers)) }

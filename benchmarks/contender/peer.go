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
	// stuck says that nothing ends its dead connections but TCP, after a quarter
	// of an hour: for the incident, not for comparisons.
	stuck bool
	// relayed says that it stands behind examples/relay, which whoever starts it has
	// to start beside it: see Relayed.
	relayed bool
	// modes says whether Options.Mode means anything to it.
	modes bool
	// env is added to the environment of its process, KEY=value each.
	env []string
	// etcd says that it contends at etcd itself and needs Options.Etcd.
	etcd bool
	// refuses says why it cannot run with those durations; nil where it can.
	refuses func(Timing) error
	// contend contends once, as long as ctx lasts or until a lease it had is
	// lost, and calls leading and stopped as the elector would its callbacks
	// OnStartedLeading and OnStoppedLeading; stopped is told why the term ended
	// where the peer knows. Its error says why it could not begin.
	contend func(ctx context.Context, o Options, config *rest.Config, leading func(context.Context), stopped func(why string)) error
	// direct stands in for contend in a peer that does not use the API, and so
	// says by itself what it asks for and what it holds.
	direct func(ctx context.Context, o Options, says voice, leading func(context.Context), stopped func(why string)) error
}

var peers = map[string]peer{
	"client-go":                        clientGo,
	"client-go-http1":                  clientGoHTTP1,
	"client-go-pings-2s":               clientGoPings2s,
	"client-go-relay":                  clientGoRelay,
	"client-go-unpinged":               unpinged,
	"controller-runtime":               controllerRuntime,
	"controller-runtime-holdfast-lock": controllerRuntimeHoldfastLock,
	"etcd":                             etcd,
	"holdfast":                         holdfast,
	"holdfast-fresh":                   holdfastFresh,
}

// Peers returns the names of all peers, sorted.
func Peers() []string { return slices.Sorted(maps.Keys(peers)) }

// Compared returns the names of the peers that a comparison has by default: all
// but those that the incident is replayed with, and those that need a program beside
// them.
func Compared() []string {
	return slices.DeleteFunc(Peers(), func(name string) bool { return peers[name].stuck || peers[name].relayed })
}

// Relayed reports whether the peer of that name stands behind examples/relay: whoever
// starts it starts the relay on the same host, and gives it a kubeconfig whose server is
// RelayServer.
func Relayed(name string) bool { return peers[name].relayed }

// HasModes reports whether Options.Mode means anything to the peer of that
// name.
func HasModes(name string) bool { return peers[name].modes }

// UsesAPI reports whether the peer of that name contends through the
// Kubernetes API, so that what is done to API servers is done to it.
func UsesAPI(name string) bool { return !peers[name].etcd }

// Refuses says why the peer of that name cannot contend with the durations; nil
// if it can. It is asked before a peer is started, where a peer would refuse
// later, or silently use other durations than those it was given.
func Refuses(name string, t Timing) error {
	if refuses := peers[name].refuses; refuses != nil {
		return refuses(t)
	}
	return nil
}

package contender

import (
	"context"
	"fmt"

	"k8s.io/client-go/rest"
)

// RelayServer is the server in the kubeconfig of a peer that stands behind
// examples/relay: a name from the API servers' certificates, which leads to the relay's
// port on loopback by the hostAliases of the Pod.
const RelayServer = "https://" + RelayName + ":6443"

// RelayName is the name in RelayServer.
const RelayName = "kubernetes.default.svc"

// clientGoRelay is client-go as it is, a program that cannot be rebuilt, with
// examples/relay as its sidecar. Nothing but its kubeconfig tells it from clientGo.
var clientGoRelay = peer{
	relayed: true,
	refuses: clientGo.refuses,
	contend: func(ctx context.Context, o Options, config *rest.Config, leading func(context.Context), stopped func(string)) error {
		// Without the relay its figures would be those of clientGo.
		if config.Host != RelayServer {
			return fmt.Errorf("the kubeconfig leads to %s: must be %s, where a relay listens", config.Host, RelayServer)
		}
		return clientGo.contend(ctx, o, config, leading, stopped)
	},
}

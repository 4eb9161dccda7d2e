package resourcelock

import (
	"net/http"
	"time"

	restclient "k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/dialer"
)

// Bounded is a lock that knows how long a call to it can take.
type Bounded interface {
	// Bound returns the time within which every call returns by itself. It is
	// false for a lock whose client was not hardened: there a call may wait on a
	// dead connection until its context ends, and so may the next.
	Bound() (time.Duration, bool)
}

var _ Bounded = (*LeaseLock)(nil)

// Bound implements Bounded. It finds the hardened transport in the client,
// whoever built it, as long as the client is client-go's own.
func (l *LeaseLock) Bound() (time.Duration, bool) {
	transport := transportOf(l.Client)
	if transport == nil {
		return 0, false
	}
	budget, hardened := dialer.Hardened(transport)
	return budget.Answer, hardened
}

// transportOf returns what client sends its requests through, nil if it cannot
// be seen, as with a fake.
func transportOf(client any) http.RoundTripper {
	rest, hasREST := client.(interface{ RESTClient() restclient.Interface })
	if !hasREST {
		return nil
	}
	restClient, isOwn := rest.RESTClient().(*restclient.RESTClient)
	if !isOwn || restClient == nil || restClient.Client == nil {
		return nil
	}
	return restClient.Client.Transport
}

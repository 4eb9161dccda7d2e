// Package leaseapi is a Lease API in memory, with the network in front of it.
//
// It promises what leader election relies on: every write is checked against
// the resourceVersion it names and commits or fails as a whole, every commit
// has a higher resourceVersion than the one before, and a watch delivers every
// commit once and in order, whichever endpoint it is on. Client-go's typed
// clientset, informers and both electors run on it unchanged, over TLS, with
// HTTP/1.1 and HTTP/2.
//
// A Store holds the Leases. Endpoints are servers on one Store, as several
// kube-apiservers are on one etcd. A Relay stands for a Service's virtual
// IP: it passes each new connection to one of the endpoints that it names at
// that moment. A Host is one machine's way to the Relay.
//
//	store := leaseapi.NewStore(leaseapi.Options{})
//	a, err := store.Serve("a")
//	b, err := store.Serve("b")
//	relay := leaseapi.NewRelay(nil, a, b)
//	host, err := relay.Host("one")
//	client, err := kubernetes.NewForConfig(host.Config())
//	...
//	a.Silence() // what is connected to a stays connected and hears nothing more
//
// Faults happen to bytes on their way, never inside a request handler, so that
// a client meets them as it would meet a broken network.
//
// # Limits
//
// There is no authentication, no admission, no managedFields, no PATCH, no
// paging and no namespace that has to exist first. Connections come over
// loopback, where the kernel acknowledges every byte: a silenced peer is one
// that says nothing, not one whose machine is gone, so TCP_USER_TIMEOUT never
// fires here. That takes real network namespaces; see the laboratory in
// benchmarks.
//
// Only tests and examples use this package.
package leaseapi

// Package front is a load balancer of the laboratory's: it ends the TLS of its
// clients, speaks HTTP/1.1 and HTTP/2 with them, and passes what they ask on to
// one API server. It can do to an answer what no packet filter can: be late, stop
// in the middle, refuse, or leave a handshake unanswered.
//
// Users stay who they are: a front verifies the client's certificate, or its
// bearer token, and acts at the API server as that user by impersonation, as
// authenticating proxies of Kubernetes do. So RBAC applies to them as ever.
//
// # Limits
//
// A front passes requests and answers on whole; it is no proxy for upgrades
// (exec, port-forward). Fault is for all clients of a front, except a Trap,
// which is for one.
package front

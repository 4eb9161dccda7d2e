// Package hosts turns Services into a hosts block for CoreDNS.
//
// Build promises three things. The same Services give the same bytes, in
// whatever order they come. Every line between the braces is an address
// followed by names, whatever the Services contain: nothing that a user may
// write into a Service can become configuration of CoreDNS. And a Service that
// cannot be published spoils no other: it is left out, and a Problem says why.
//
// A Service has the name <service>.<namespace>.<domain>, at each of its cluster
// addresses (two of them on a dual-stack cluster). The annotation
// NamesAnnotation may ask for more names. They have to lie under the domain,
// because whoever may label a Service must not be able to take over any name
// that the cluster looks up; and a name is given to one Service only: the one
// it belongs to by namespace and name, else the oldest that asks for it.
//
// The package does no input or output.
package hosts

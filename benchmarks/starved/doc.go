// Package starved measures what electors do when somebody is short of CPU: the
// leader's process, the standby's, or the API server. Each is put into a control
// group of its own with a quota of a few per cent of one CPU once all is well.
//
// An elector that is hedging answers slow requests with more connections, each of
// which costs a TLS handshake on both sides. Where it is the CPU that is short,
// that is more load because there is load. What is measured is therefore whether
// the lease is kept, and led, as often as with a peer that never hedges.
//
// The API is internal/leaseapi, in a process of its own, so that what is starved is
// the electors and not a machine that has to run etcd beside them. It needs Linux
// with control groups (v1 or v2) and the right to make one.
package starved

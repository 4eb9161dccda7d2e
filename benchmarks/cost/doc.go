// Package cost measures what contenders cost while nothing happens, and how
// that grows: with the number of contenders for one lease ([Rest]), and with
// the number of leases that one process holds ([Leases]). It runs for any peer
// of package contender, in the laboratory, against real API servers.
//
// # What is measured
//
// A sample is the difference of two readings, one at each end of a window that
// begins when all contenders have settled: the leaders lead, and each contender
// has had two answers.
//
//	requests_per_minute              all contenders: counted by the API servers
//	leader_requests_per_minute       one leader
//	standby_requests_per_minute      one standby, on average: counted where they leave
//	received_, sent_bytes_per_minute all contenders: on the wire, Ethernet and TLS included
//	cpu_seconds_per_minute           all contenders, user and system
//	leader_, standby_cpu_seconds_…   one of them
//	resident_bytes_per_contender     the processes' memory, divided by the contenders
//	connections                      TCP connections that are open at the end
//	handshakes_per_minute            TCP connections opened, each with one TLS handshake
//	heap_bytes_per_lease             live heap after a collection, less that before the first elector
//	stack_bytes_per_lease            the same of goroutine stacks
//	processes                        how many programs the contenders are in
//	refused_total, lost_total        requests the servers turned away, leases lost; both should be 0
//
// The API servers tell requests of contenders from their own by the flow schema
// (apiserver_flowcontrol_dispatched_requests_total of global-default, where
// contenders are alone). A watch counts once, when it begins. Bytes and
// connections are the kernel's counts for the network namespace of each
// process's host, so they need no help from the peer and are the same for all.
// A peer that does not use the API (etcd's election) has its bytes and
// connections, and no requests.
//
// # How many processes
//
// For one lease each contender is a process of its own up to the number of
// processes allowed; beyond, standbys share processes, evenly, and the leader
// stays alone. Those that share a process share its runtime, so memory and
// processor time per contender fall: compare peers at one scale, and read
// growth from requests, bytes and connections. Each contender has a transport
// of its own in any case, as separate programs do. For leases it is one
// process, whose electors are made from one configuration and share whatever
// their peer lets them share.
//
// # Limits
//
// Control plane and contenders share one machine. Where it becomes what is
// measured, Sample.Limit says so: contenders that do not settle in time, leases
// lost, requests refused, processors that are never idle (whoever uses them).
// Contenders of one process begin 5ms apart, and large crowds of standbys one
// after the other: how peers come through a stampede is not measured here.
package cost

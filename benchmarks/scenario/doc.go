// Package scenario does to a pair of contenders, in the laboratory, what
// production does to them, and measures how they come through it.
//
// A [Scenario] is a setup, a fault, and what to wait for. It runs for any peer
// of package contender and any [Timing]; a [Stage] is the part of a laboratory
// that scenarios share, and one laboratory serves any number of runs, since
// each ends with everything mended.
//
// In every run contender-1 leads, contender-2 stands by, and until the fault
// the virtual IP names one API server only, the victim: both are connected to
// it when the fault comes. The moment of the fault is random within a retry
// period, so that several runs show the whole spread.
//
// Any other program that elects through a Lease can contend in place of a peer: a
// [Program]. It says nothing of itself, so the run reads who led from the Lease and the
// processes, and what was asked for from the audit logs of the API servers, and says
// it in the same words. A peer is read in that way too where it is to be compared
// (Options.Outside).
//
// What happened is one stream of package event, and [Measure] computes every
// figure from that stream and from nothing else.
//
// A [Fleet] is for what a pair and one fault cannot show: any number of
// contenders of any peers, started and ended one after the other, as in a
// rollout, or joined to the API by a [Relay] that holds answers back.
//
// # Tests
//
// The tests of this package are the table of what the library promises on a
// real control plane, row by row, each with the figure it measured in its log.
// They need what package lab needs. The rows run with the short lease; the
// flag -long adds the long one, and more runs where one run says little:
//
//	go test ./scenario -v -args -long
//
// # Limits
//
// The observer sees a write when the watch of an API server that no fault
// touches has delivered it: a few milliseconds late. All contenders share one
// clock and two cores with the control plane, so figures below some ten
// milliseconds say more about the machine than about a peer.
package scenario

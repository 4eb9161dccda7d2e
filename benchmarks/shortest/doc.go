// Package shortest finds, for a peer of package contender, the shortest lease
// that holds: the smallest lease duration with which no leadership is lost
// while one API server after another is silent.
//
// # A trial
//
// A pair is two contenders of one peer, one that leads and one that stands by,
// in the laboratory, each on a host of its own. In a trial any number of pairs,
// of any peers and with any leases, go through the same window of faults: API
// servers go silent in turn, each for the same fixed time, while the virtual IP
// goes on naming it. It is mended, has to answer promptly again, and after a
// pause the next goes silent, so there is never more than one that is ill. A lease
// holds if its pair came to contend in time and if until the end of the window
// nobody has said that it lost it, nobody else has led and no contender has
// exited. A pair that has lost its lease is ended, so that it costs the others
// nothing.
//
// How long a server is silent does not depend on the lease: outages do not. By
// default it is longer than the slowest peer takes to give a silent connection
// up (client-go's HTTP/2 pings, 45s), so that every peer has to notice by
// itself, and none is saved by the end of the fault. With a shorter silence the
// lease found for such a peer says how long the silence was, not more.
//
// Pairs share the machine with each other and with the control plane, which
// makes a trial of many harder on the shortest leases, for all peers alike.
//
// # Durations
//
// The renew deadline is 2/3 of the lease and the retry period 2/15, as in 15s,
// 10s, 2s, to the nearest millisecond. Leases are whole seconds, which is what a
// Lease holds and what client-go's lock cuts to, and two below one, for peers
// that go below it ([Leases]); peers that refuse a duration are not tried with
// it, and what they refuse counts as too short.
//
// # Search
//
// A [Search] is a bisection for each peer, into as many parts at once as pairs of
// it are in a trial. That a lease holds is partly luck, for which server a
// connection leads to is drawn at random: the lease that was found is tried
// again before it is believed, and each trial is reported.
package shortest

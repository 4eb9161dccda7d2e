// Package matrix shows that no way to die goes unnoticed: it applies every
// [Fault] there is a name for to every [Column], that is every role in every
// mode, and holds what it measures against the bound that applies.
//
// # What it promises
//
// Each fault comes once to a stage on which all columns run side by side, each
// as a process on a host of the laboratory of its own. Until the fault the
// virtual IP names one backend only, the victim, and every column is seen to be
// connected to it. After a random part of a retry period it names all three, the
// very next connection of each host going to the victim still, and the fault
// comes. A fault that packets can express is done to a real
// kube-apiserver; one that they cannot, such as silence in the middle of an
// answer, is done by a load balancer (package front) before one.
//
// A bound is a pure function of the election's timing and of what the fault
// leaves of the network ([NetworkCondition]), with its derivation beside it. Where the
// draws of the virtual IP decide, a bound is missed once in two thousand times.
//
// # Verdict
//
// Every figure is at most its bound, and a leader keeps the lease in every cell
// in which some server can be reached within the renew deadline. A column that
// was not connected to the victim when the fault came proves nothing and is
// said to be untested, which is no pass.
//
// The same matrix with client-go for a peer, whose bounds are the same, shows
// that a cell can fail: see [Options].
//
// # Limits
//
// Those of packages lab and scenario. The virtual IP draws for each connection;
// one run of a cell is one draw.
package matrix

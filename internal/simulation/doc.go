// Package simulation is a world in which electors contend for one lease, and a
// judge who watches them.
//
// # Promise
//
// A [World] runs in a testing/synctest bubble: its time is simulated, and a
// day of it passes in seconds. It draws everything that happens from one seed:
// how fast each host's clock runs, how long each answer takes, which requests
// and answers are lost, repeated or refused, when watches die, when a process
// crashes, is cancelled or restarted, and how long guarded work takes to stop.
// The judge knows the true time and what every process was told, and notes each
// [Violation] of what an elector promises, with a timeline of what led to it.
//
// The world knows no elector. A test gives it a function that runs one, which
// is why client-go's elector can be judged by the same laws: a judge who finds
// nothing there is blind.
//
// # What is simulated
//
// The API is linearizable, as etcd is: each write has its moment, names the
// state that it is based on, and fails if that is not the current one. Between
// a process and the API lie a way there and a way back, each of which takes its
// time or loses what travels on it, so that a write may be executed though
// nobody hears of it, late, or twice. A crash takes the process, not what it
// has sent. Computation takes no time; what the judge measures is therefore
// exact.
//
// # Features
//
// What else may be in a world is a [Feature]: processes that are stopped and go
// on, clocks that are set, a Lease that is edited by hand, an API that refuses,
// locks over HTTP. A world draws up to three of [Standard] from its seed. A test
// that is about one of them asks for it, and gets it in every world:
//
//	simulation.Options{Seed: 1, Elections: 50, Run: run, Only: simulation.Suspension}
//
// Several are combined with |. From the command line, the standard test takes
// the same as a number, here Suspension|HTTP:
//
//	go test ./leaderelection -run 'TestSimulation$' -v -args -sim.only=$((1<<1|1<<19))
//
// # Limits
//
// The Lease is deleted only when every living process knows of its holder, and
// none is started for the length of a lease thereafter: a contender that knows
// of no leader cannot respect it. For the same reason a backup that is restored
// is one in which someone holds the lease, for no shorter than the present holder
// does, and which no contender knows as the newest; the fencing tokens go back with
// it. What a hand has shortened is not stripped of the annotations that tell how
// long it was. Work that loses its term stops within what the lease leaves it, (L at the
// fastest rate) - (T at the slowest): longer cannot be promised. What a stopped
// process does in the first 100 ms after it goes on is excused. Plain locks, which
// have no place for what tells whose write it is, are in no world whose Lease is
// edited by hand or by a webhook, or whose identities are not unique.
package simulation

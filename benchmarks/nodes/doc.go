// Package nodes plays the ends of leaders on real nodes: a kubelet, containerd and runc
// each (package lab/node), with leaders and standbys in Pods. It measures how long
// nobody leads, and checks that no two ever work at once and that nobody leads before
// the lease of a leader has ended whose end nobody has seen.
//
//	make nodes                                    # the tests
//	cd benchmarks && go run ./cmd/nodes -n 20     # the table
//
// The program in the Pods is ./member, and in one test examples/controller. Both write
// with the one clock of the machine, which the process that kills them reads too.
package nodes

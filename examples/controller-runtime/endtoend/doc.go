// Package endtoend holds the tests of each way on real API servers, in the
// laboratory: what happens to a manager's reconcilers when its node dies, and
// when it is told to stop. Run it with
//
//	go test -v ./endtoend
//
// and with "-args -long" for the node death of an unchanged manager too, which
// takes a minute to be noticed.
package endtoend

// Package locktest is a conformance suite for the lock of a leader election: what
// any resourcelock.Interface must do, within its bound, whatever an API server or
// the way to it does.
//
// Calls holds each call of a lock against its bound under each [Fault]. Elections
// holds an elector with the lock under test against client-go's elector with
// client-go's own lock: where that keeps a lease or takes one over, the other must
// as well.
//
//	func TestMyLock(t *testing.T) {
//		locktest.Calls(t, myLock)
//		locktest.Elections(t, locktest.ClientGo, myLock)
//	}
//
// Everything runs on loopback, over TLS, against a Lease API in memory. What takes
// packets that get lost is tested elsewhere, apart from an address that answers no SYN.
package locktest

// Package versions holds a pair of contenders, one with client-go's elector and
// one with this library's, against API servers of each minor version that the
// laboratory can build, and against two of them side by side, as while a
// control plane is upgraded. One leader after the other is killed, or told to stop,
// so that the lease goes from each kind to the other.
//
// The tests need what package lab needs. The flag -long repeats each way more often:
//
//	go test ./versions -v -args -long
package versions

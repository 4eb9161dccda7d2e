// Package onecpu gives the tests that import it one CPU under the race detector.
// Every package whose tests use testing/synctest imports it.
//
// A bubble of testing/synctest tells the race detector of all of its timers by one
// context, which one thread at a time may use. Two goroutines of a bubble that look
// at timers that are due at the same moment use it at once, and the race detector
// crashes (Go 1.26: SIGSEGV below runtime.(*timer).maybeRunChan). Goroutines that
// take turns on one CPU do not. What races is found all the same: the race detector
// goes by what is synchronized, not by what happens at once.
package onecpu

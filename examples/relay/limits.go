package main

import "time"

// reason is why a connection has ended.
type reason string

const (
	reasonDone       reason = "done"        // both sides have finished
	reasonServer     reason = "server"      // the server has reset it, or is silent (the user timeout)
	reasonClient     reason = "client"      // the program has reset it
	reasonDial       reason = "dial"        // the server could not be reached
	reasonIdle       reason = "idle"        // nothing was carried for too long
	reasonHalfClosed reason = "half_closed" // the same, after one side had finished
	reasonAnswer     reason = "answer"      // the server said nothing after something was sent
	reasonDrain      reason = "drain"       // the relay ends
)

var reasons = []reason{reasonDone, reasonServer, reasonClient, reasonDial, reasonIdle, reasonHalfClosed, reasonAnswer, reasonDrain}

// limits bound how long a connection may carry nothing.
type limits struct {
	// answer is how long the server may say nothing after something was sent; zero:
	// for ever.
	answer, idle, halfClosed time.Duration
}

// activity is what a connection has carried.
type activity struct {
	// last is when anything was carried, or a side has finished.
	last time.Time
	// asked is when something was first sent to the server that nothing came back
	// for; zero: nothing was.
	asked time.Time
	// half says that one of the sides has finished.
	half bool
	// answered says that the server has finished: no answer is due.
	answered bool
}

// due returns when a connection must end unless something is carried, and why.
func (l limits) due(a activity) (time.Time, reason) {
	at, why := a.last.Add(l.idle), reasonIdle
	if end := a.last.Add(l.halfClosed); a.half && end.Before(at) {
		at, why = end, reasonHalfClosed
	}
	if end := a.asked.Add(l.answer); l.answer > 0 && !a.asked.IsZero() && !a.answered && end.Before(at) {
		at, why = end, reasonAnswer
	}
	return at, why
}

package main

import (
	"errors"
	"time"

	"github.com/holdfast-go/holdfast/leaderelection"
)

// margin is the part of the time between the end of a term and that of its lease that
// is left when a program is killed: for the kill to be done, and for clocks of different
// rates.
const margin = 4

// killAt returns when what still runs of a program must be killed: when its grace
// is over, and in any case before another may lead.
//
// asked is when it was told to stop, taken whether nothing of the lease is left. termEnds
// is Term.End, which moves on while the lease is renewed for a program that stops;
// workStop is for how long the lease lasts beyond it.
func killAt(asked time.Time, grace time.Duration, taken bool, termEnds time.Time, workStop time.Duration) time.Time {
	if taken {
		return asked
	}
	byGrace, byLease := asked.Add(grace), termEnds.Add(workStop-workStop/margin)
	if byLease.Before(byGrace) {
		return byLease
	}
	return byGrace
}

// takenAway reports whether a term has ended so that another leads, or may at any
// moment. err is why it has ended, nil or another error while it lasts.
func takenAway(err error) bool {
	var ended *leaderelection.TermEndedError
	if !errors.As(err, &ended) {
		return false
	}
	switch ended.Reason {
	case leaderelection.ReasonReleased, leaderelection.ReasonResigned, leaderelection.ReasonCancelled, leaderelection.ReasonRenewDeadline:
		return false
	default:
		return true
	}
}

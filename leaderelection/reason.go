package leaderelection

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrNotLeader is wrapped by every error that says: this contender does not
// lead now. A *TermEndedError is one.
var ErrNotLeader = errors.New("not the leader")

// Reason says why a term ended.
type Reason string

const (
	// ReasonReleased: Run's context ended with ReleaseOnCancel, and the work returned
	// in time; the lease is released after that.
	ReasonReleased Reason = "Released"
	// ReasonCancelled: Run's context ended, and the lease runs out: without
	// ReleaseOnCancel, or because the work did not return within StopTimeout.
	ReasonCancelled Reason = "Cancelled"
	// ReasonResigned: Resign or ResignTo was called, or a contender of a higher priority
	// has asked for the lease (HandoverAfter).
	ReasonResigned Reason = "Resigned"
	// ReasonRenewDeadline: no renewal was known to have succeeded in time.
	ReasonRenewDeadline Reason = "RenewDeadline"
	// ReasonTaken: the record names another holder, or none.
	ReasonTaken Reason = "Taken"
	// ReasonLeaseDeleted: the Lease is gone.
	ReasonLeaseDeleted Reason = "LeaseDeleted"
	// ReasonSameIdentity: a write under our identity was found that this process did
	// not send.
	ReasonSameIdentity Reason = "SameIdentity"
	// ReasonInDoubt: the machine was suspended. A clock that counts that time says that
	// the term is over, and no renewal in time has shown that nobody led in between.
	ReasonInDoubt Reason = "InDoubt"
	// ReasonFenced: a fence has refused a write of the work (package fence), and no
	// renewal has shown since that this contender leads all the same.
	ReasonFenced Reason = "Fenced"
	// ReasonEndOfTerm: the API server chose another holder (Coordinated only).
	ReasonEndOfTerm Reason = "EndOfTerm"
)

// ending is what there is to know of a reason, all in one place.
type ending struct {
	reason Reason
	// sentence says what happened.
	sentence func(*TermEndedError) string
	// byContext: Run's context ended the term, and its cause is part of the error.
	// lapsed: a clock did, since calls did not suffice; what the last one failed with is.
	byContext, lapsed bool
	// mayStillHold: the record may still name the holder though the term was lost.
	mayStillHold bool
	// alarming: somebody must mend it, and the log says so as an error.
	alarming bool
}

var endings = []ending{
	{reason: ReasonReleased, byContext: true, sentence: func(e *TermEndedError) string {
		return "Run's context " + e.contextEnded() + "; the lease is being released"
	}},
	{reason: ReasonCancelled, byContext: true, sentence: func(e *TermEndedError) string { return "Run's context " + e.contextEnded() }},
	{reason: ReasonResigned, sentence: always("it resigned")},
	{reason: ReasonRenewDeadline, lapsed: true, mayStillHold: true, sentence: always("no renewal succeeded in time")},
	{reason: ReasonTaken, sentence: func(e *TermEndedError) string {
		if e.Holder == "" {
			return "the record was cleared by someone else"
		}
		return fmt.Sprintf("taken by %q", e.Holder)
	}},
	{reason: ReasonLeaseDeleted, sentence: always("the Lease was deleted")},
	{reason: ReasonSameIdentity, alarming: true, sentence: func(e *TermEndedError) string {
		return fmt.Sprintf("another process writes as %q; identities must be unique", e.Holder)
	}},
	{reason: ReasonInDoubt, lapsed: true, mayStillHold: true, sentence: always("the machine was suspended past its end and no renewal succeeded since")},
	{reason: ReasonFenced, mayStillHold: true, sentence: func(e *TermEndedError) string {
		if e.Holder == "" {
			return "a fence refused a write of its work"
		}
		return fmt.Sprintf("a fence refused a write of its work: taken by %q", e.Holder)
	}},
	{reason: ReasonEndOfTerm, mayStillHold: true, sentence: func(e *TermEndedError) string { return fmt.Sprintf("the API server prefers %q", e.Holder) }},
}

func always(sentence string) func(*TermEndedError) string {
	return func(*TermEndedError) string { return sentence }
}

// ending returns what there is to know of r: nothing but its name where it is none
// of the constants.
func (r Reason) ending() ending {
	for _, e := range endings {
		if e.reason == r {
			return e
		}
	}
	return ending{reason: r, sentence: always(string(r))}
}

// Reasons returns every Reason that a term can end for, for whoever must know them
// all, such as metrics whose series are there before they count.
func Reasons() []Reason {
	var all []Reason
	for _, e := range endings {
		all = append(all, e.reason)
	}
	return all
}

// TermEndedError is why a term ended: the cause of the work's context
// (context.Cause). errors.Is(err, ErrNotLeader) is true for it.
type TermEndedError struct {
	// Reason is one of the constants of its type.
	Reason Reason
	// Lock is the lock's description, such as namespace/name.
	Lock string
	// Holder is the new holder where one was seen; else empty.
	Holder string
	// Since is the time from the last successful renewal to the end.
	Since time.Duration
	// Calls is how many calls to the lock were made since then to renew: writes,
	// and reads that were to settle them.
	Calls int
	// Err is why the calls did not suffice, for ReasonRenewDeadline and ReasonInDoubt: what the
	// last one to fail failed with, or that none was answered. For ReasonCancelled it is
	// why the lease was not released, where that was to be, and for ReasonFenced what the
	// fence said. Else it is nil.
	Err error

	// cause is that of Run's context, where the end of that ended the term.
	cause error
}

// Error says why, and what was tried.
func (e *TermEndedError) Error() string {
	text := fmt.Sprintf("term on lease %s ended %v after its last renewal: %s", e.Lock, e.Since.Round(time.Millisecond), e.Reason.ending().sentence(e))
	if e.Calls > 0 {
		text += fmt.Sprintf(", after %d calls", e.Calls)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// contextEnded says how Run's context ended, with the cause where it says more.
func (e *TermEndedError) contextEnded() string {
	if e.cause == nil || errors.Is(e.cause, context.Canceled) {
		return "was cancelled"
	}
	return "ended (" + e.cause.Error() + ")"
}

// Unwrap gives ErrNotLeader, Err, and the cause of Run's context where the end
// of that ended the term.
func (e *TermEndedError) Unwrap() []error {
	all := []error{ErrNotLeader}
	for _, err := range []error{e.Err, e.cause} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

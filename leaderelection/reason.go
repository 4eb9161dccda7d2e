package leaderelection

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrNotLeader is wrapped by every error that says: this contender does not
// lead now. A *TermEnded is one.
var ErrNotLeader = errors.New("not the leader")

// Reason says why a term ended.
type Reason string

const (
	// Released: Run's context ended with ReleaseOnCancel, and the lease was to be
	// released.
	Released Reason = "Released"
	// Cancelled: Run's context ended without ReleaseOnCancel; the lease runs out.
	Cancelled Reason = "Cancelled"
	// Resigned: Resign was called.
	Resigned Reason = "Resigned"
	// RenewDeadline: no renewal was known to have succeeded in time.
	RenewDeadline Reason = "RenewDeadline"
	// Taken: the record names another holder, or none.
	Taken Reason = "Taken"
	// LeaseDeleted: the Lease is gone.
	LeaseDeleted Reason = "LeaseDeleted"
	// SameIdentity: a write under our identity was found that this process did
	// not send.
	SameIdentity Reason = "SameIdentity"
	// InDoubt: a clock that counts suspension says that the term is over, and no
	// renewal settled in time that nobody led in between.
	InDoubt Reason = "InDoubt"
	// EndOfTerm: the API server chose another holder (Coordinated only).
	EndOfTerm Reason = "EndOfTerm"
)

// mayStillHold reports whether the record may still name the holder after a term
// that was lost for the reason.
func (r Reason) mayStillHold() bool {
	return r == RenewDeadline || r == InDoubt || r == EndOfTerm
}

// TermEnded is why a term ended: the cause of the work's context
// (context.Cause). errors.Is(err, ErrNotLeader) is true for it.
type TermEnded struct {
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
	// Err is why the calls did not suffice, for RenewDeadline and InDoubt: what the
	// last one to fail failed with, or that none was answered. For Cancelled it is
	// why the lease was not released, where that was to be. Else it is nil.
	Err error

	// cause is that of Run's context, where the end of that ended the term.
	cause error
}

// Error says why, and what was tried.
func (e *TermEnded) Error() string {
	text := fmt.Sprintf("term on lease %s ended %v after its last renewal: %s", e.Lock, e.Since.Round(time.Millisecond), e.sentence())
	if e.Calls > 0 {
		text += fmt.Sprintf(", after %d calls", e.Calls)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *TermEnded) sentence() string {
	switch e.Reason {
	case Released:
		return "its context " + e.contextEnded() + ", to be released"
	case Cancelled:
		return "its context " + e.contextEnded()
	case Resigned:
		return "it resigned"
	case RenewDeadline:
		return "no renewal succeeded in time"
	case Taken:
		if e.Holder == "" {
			return "the record was cleared by someone else"
		}
		return fmt.Sprintf("taken by %q", e.Holder)
	case LeaseDeleted:
		return "the Lease was deleted"
	case SameIdentity:
		return fmt.Sprintf("another process writes as %q; identities must be unique", e.Holder)
	case InDoubt:
		return "the machine was suspended past its end and no renewal succeeded since"
	case EndOfTerm:
		return fmt.Sprintf("the API server prefers %q", e.Holder)
	}
	return string(e.Reason)
}

// contextEnded says how Run's context ended, with the cause where it says more.
func (e *TermEnded) contextEnded() string {
	if e.cause == nil || errors.Is(e.cause, context.Canceled) {
		return "was cancelled"
	}
	return "ended (" + e.cause.Error() + ")"
}

// Unwrap gives ErrNotLeader, Err, and the cause of Run's context where the end
// of that ended the term.
func (e *TermEnded) Unwrap() []error {
	all := []error{ErrNotLeader}
	for _, err := range []error{e.Err, e.cause} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

package leaderelection

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/klog/v2"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// logLimits logs what a lock that was not hardened cannot do, and
// that the calls of one which is slower than the lease are given up.
func logLimits(logger klog.Logger, lock rl.Interface, timing timing) {
	bound, hardened := boundOf(lock)
	switch {
	case !hardened:
		logger.Info("The lock's client was not hardened: terms end on time all the same, but a dead connection, or other traffic that uses up the client's rate limit, may cost the lease or delay a takeover. Make the lock with resourcelock.NewFromKubeconfig, or its client from a configuration changed by dialer.Harden")
	case bound >= timing.lease:
		logger.Info("A call to the lock may take as long as the lease, so the elector gives each up after RenewDeadline. A lock that was made with RenewDeadline finds dead connections sooner",
			"callBound", bound, "leaseDuration", timing.lease, "renewDeadline", timing.deadline)
	}
}

// logStoredShorter logs that others wait less for this leader than was written.
func logStoredShorter(logger klog.Logger, stored, written time.Duration) {
	logger.Error(nil, "The Lease is stored with a shorter duration than this elector writes, as by an admission webhook. The term is as much shorter, since others go by what is stored",
		"stored", stored, "written", written)
}

// logWatchEnded logs that another watch is needed. One that a read has found
// silent was spoken of there, and ends as if it was not to go on.
func logWatchEnded(logger klog.Logger, err error) {
	if !errors.Is(err, context.Canceled) {
		logger.V(2).Info("The watch of the lease ended; watching anew", "err", err)
	}
}

// logAgain is how long a candidate that fails again and again keeps to what it
// logged.
const logAgain = time.Minute

// failureLog keeps a candidate that fails at every try from logging every try: a kind
// of failure is logged when it comes, and then once in logAgain. The zero value is
// ready for use.
type failureLog struct {
	logged map[failureKind]instant
	// failures is how many there were since one was logged last.
	failures int
}

// failureKind is a kind of failure: what could not be done, and the HTTP status code
// that says why, zero where there was no answer. The reason that a server gives in
// words may be another each time; of codes there are few.
type failureKind struct {
	what string
	code int32
}

// statusCode returns the HTTP status code of an API server's refusal, zero where err
// is none.
func statusCode(err error) int32 {
	var refusal apierrors.APIStatus
	if !errors.As(err, &refusal) {
		return 0
	}
	return refusal.Status().Code
}

// due reports whether a failure is to be logged now, and how many were not logged
// since the last that was, this one included.
func (l *failureLog) due(now instant, what string, err error) (failures int, due bool) {
	l.failures++
	kind := failureKind{what, statusCode(err)}
	if at, logged := l.logged[kind]; logged && now.monoSince(at) < logAgain {
		return 0, false
	}
	if l.logged == nil {
		l.logged = map[failureKind]instant{}
	}
	l.logged[kind] = now
	failures, l.failures = l.failures, 0
	return failures, true
}

// sayUnreadable logs that the record cannot be seen.
func (l *failureLog) sayUnreadable(logger klog.Logger, now instant, err error) {
	if failures, due := l.due(now, "read", err); due {
		logger.Error(err, "Could not read the lease", "failures", failures)
	}
}

// logClaimFailure logs that the lease may be taken and could not be, though nobody
// was faster.
func (c *candidacy) logClaimFailure(err error) {
	if failures, due := c.failureLog.due(c.clock.now(), "take", err); due {
		c.logger.Error(err, "Could not take the lease", "failures", failures)
	}
}

package leaderelection

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/klog/v2"
)

// sayWhatIsLacking logs once what a lock that was not hardened cannot do, and
// that the calls of one which is slower than the lease are given up.
func (le *LeaderElector) sayWhatIsLacking(logger klog.Logger) {
	le.mu.Lock()
	said := le.said
	le.said = true
	le.mu.Unlock()
	if said {
		return
	}
	bound, hardened := boundOf(le.config.Lock)
	switch {
	case !hardened:
		logger.Info("The lock's client was not hardened: terms end on time all the same, but a dead connection, or other traffic that uses up the client's rate limit, may cost the lease or delay a takeover. Make the lock with resourcelock.NewFromKubeconfig, or its client from a configuration changed by dialer.Harden")
	case bound >= le.timing.lease:
		logger.Info("A call to the lock may take as long as the lease, so the elector gives each up after RenewDeadline. A lock that was made with RenewDeadline finds dead connections sooner",
			"callBound", bound, "leaseDuration", le.timing.lease, "renewDeadline", le.timing.deadline)
	}
}

// sayStoredShorter logs that others wait less for this leader than was written.
func sayStoredShorter(logger klog.Logger, stored, written time.Duration) {
	logger.Error(nil, "The Lease is stored with a shorter duration than this elector writes, as by an admission webhook. The term is as much shorter, since others go by what is stored",
		"stored", stored, "written", written)
}

// sayWatchEnded logs that another watch is needed. One that a read has found
// silent was spoken of there, and ends as if it was not to go on.
func sayWatchEnded(logger klog.Logger, err error) {
	if !errors.Is(err, context.Canceled) {
		logger.V(2).Info("The watch of the lease ended; watching anew", "err", err)
	}
}

// sayAgain is how long a candidate that fails again and again keeps to what it
// has said.
const sayAgain = time.Minute

// complaints keep a candidate that fails at every try from saying so at every
// try: a kind of failure is said when it comes, and then once in sayAgain. The
// zero value is ready for use.
type complaints struct {
	said map[complaint]instant
	// failures is how many there were since one was said last.
	failures int
}

// complaint is a kind of failure: what could not be done, and the HTTP status code
// that says why, zero where there was no answer. The reason that a server gives in
// words may be another each time; of codes there are few.
type complaint struct {
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

// due reports whether a failure is to be said now, and how many were not said
// since the last that was, this one included.
func (c *complaints) due(now instant, what string, err error) (failures int, due bool) {
	c.failures++
	kind := complaint{what, statusCode(err)}
	if at, said := c.said[kind]; said && now.steady(at) < sayAgain {
		return 0, false
	}
	if c.said == nil {
		c.said = map[complaint]instant{}
	}
	c.said[kind] = now
	failures, c.failures = c.failures, 0
	return failures, true
}

// sayUnreadable logs that the record cannot be seen.
func (c *complaints) sayUnreadable(logger klog.Logger, now instant, err error) {
	if failures, due := c.due(now, "read", err); due {
		logger.Error(err, "Could not read the lease", "failures", failures)
	}
}

// sayUntakeable logs that the lease may be taken and could not be, though nobody
// was faster.
func (c *candidacy) sayUntakeable(err error) {
	if failures, due := c.complaints.due(c.clock.now(), "take", err); due {
		c.logger.Error(err, "Could not take the lease", "failures", failures)
	}
}

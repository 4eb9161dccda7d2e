package leaderelection

import (
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// backoff says when what has failed may be tried again. The zero value has seen no
// failure.
type backoff struct {
	failures int
	failed   instant
	wait     time.Duration
}

// fail notes another failure, after which to wait.
func (b *backoff) fail(now instant, t timing, random float64, err error) {
	b.failures++
	b.failed, b.wait = now, t.backoff(b.failures, random, retryAfter(err))
}

// due returns how long to wait until the next try. It is not positive when one
// may be made.
func (b *backoff) due(now instant) time.Duration {
	if b.failures == 0 {
		return 0
	}
	return b.wait - now.monoSince(b.failed)
}

// retryAfter returns what the server asked to wait (429, 503 with Retry-After).
func retryAfter(err error) time.Duration {
	if seconds, asked := apierrors.SuggestsClientDelay(err); asked {
		return time.Duration(seconds) * time.Second
	}
	return 0
}

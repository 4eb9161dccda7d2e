package leaderelection

import (
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/internal/redirect"
)

// allowance bounds how many calls to the lock an elector makes where calls fail
// now and then: a bucket of calls that time refills, so that a failure is followed
// up at once, and many of them at a pace that the API server does not notice. A
// failure that lasts is slowed down further by the pauses of its own (timing.backoff).
// The zero value is full, and a nil one allows everything. It is safe for
// concurrent use.
type allowance struct {
	mu sync.Mutex
	// debt is how long it takes until the bucket is full again, as of at.
	debt time.Duration
	at   instant
}

// burst is how many calls may follow each other without a pause.
const burst = 20

// pace returns how long one call takes to be refilled: such that no minute holds
// more than 100, the bucket and the redirects of one call included. That makes no more than two requests a second,
// since the dialer may add a tenth to them, and ten. A retry period below a second
// asks for more, nearly two calls in each.
func (t timing) pace() time.Duration {
	perMinute := max(100, 100*float64(time.Second)/float64(t.retry)) - float64(burst+redirect.Most)
	return time.Duration(float64(time.Minute) / perMinute)
}

// spend takes a call from the bucket, or a redirect. One that cannot wait may overdraw
// it, but no further than what one more call takes to refill, with its redirects.
func (a *allowance) spend(now instant, t timing) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.debt = min(a.left(now)+t.pace(), (burst+1+redirect.Most)*t.pace())
	a.at = now
}

// due returns how long a call that can wait is to wait.
func (a *allowance) due(now instant, t timing) time.Duration {
	if a == nil {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return max(0, a.left(now)-(burst-1)*t.pace())
}

// left returns what is left of the debt; the mutex is held.
func (a *allowance) left(now instant) time.Duration {
	return max(0, a.debt-now.monoSince(a.at))
}

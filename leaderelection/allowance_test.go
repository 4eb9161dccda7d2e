package leaderelection

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// erratic is a lock whose calls fail now and then.
type erratic struct {
	*memoryLock
	verbs string // the first letters of those that fail
	share float64
	err   error

	mu     sync.Mutex
	random *rand.Rand
	calls  []time.Time
}

// fails counts a call, and reports whether it fails.
func (l *erratic) fails(verb byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, time.Now())
	for i := range l.verbs {
		if l.verbs[i] == verb {
			return l.random.Float64() < l.share
		}
	}
	return false
}

func (l *erratic) Read(ctx context.Context) (rl.Snapshot, error) {
	if l.fails('r') {
		return rl.Snapshot{}, l.err
	}
	return l.memoryLock.Read(ctx)
}

func (l *erratic) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	if l.fails('w') {
		return rl.Snapshot{}, l.err
	}
	return l.memoryLock.Write(ctx, base, next)
}

func (l *erratic) Watch(ctx context.Context, from rl.Snapshot, seen func(rl.Snapshot)) error {
	if l.fails('o') {
		return l.err
	}
	// It ends now and then, as where a proxy closes what lasts.
	l.mu.Lock()
	lasts := time.Duration(l.random.Float64() * float64(3*s))
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, lasts)
	defer cancel()
	return l.memoryLock.Watch(ctx, from, seen)
}

func (l *erratic) most() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fullestMinute(l.calls)
}

// fullestMinute returns how many calls the fullest minute holds.
func fullestMinute(calls []time.Time) (most int) {
	for first, last := 0, 0; last < len(calls); last++ {
		for calls[last].Sub(calls[first]) >= time.Minute {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

// What fails always is slowed down by its pauses; what fails now and then, by the
// allowance.
func TestNoMoreThanTwoRequestsASecondAreMadeWhateverFailsNowAndThen(t *testing.T) {
	failures := map[string]error{
		"no answer": errors.New("the connection was reset"),
		"refused":   apierrors.NewInternalError(errors.New("database is locked")),
		"conflict":  apierrors.NewConflict(leases, "it", errors.New("changed")),
		"forbidden": apierrors.NewForbidden(leases, "it", errors.New("not you")),
	}
	for name, err := range failures {
		for _, verbs := range []string{"w", "r", "o", "rw", "ro", "rwo"} {
			for _, share := range []float64{0.3, 0.75} {
				for _, retry := range []time.Duration{s, 2 * s} {
					for _, leads := range []bool{true, false} {
						t.Run(fmt.Sprintf("%s of %s, %v, at %v, leads %v", name, verbs, share, retry, leads), func(t *testing.T) {
							t.Parallel()
							within(t, func(t *testing.T) {
								m := newMemory()
								if !leads {
									contend(t, m.lock("x"), func(c *LeaderElectionConfig) {
										c.LeaseDuration, c.RenewDeadline, c.RetryPeriod = 8*retry, 5*retry, retry
									})
									sleep(s)
								}
								lock := &erratic{memoryLock: m.lock("a"), verbs: verbs, share: share, err: err, random: rand.New(rand.NewPCG(1, 2))}
								contend(t, lock, func(c *LeaderElectionConfig) {
									c.LeaseDuration, c.RenewDeadline, c.RetryPeriod = 8*retry, 5*retry, retry
									c.ContendAgain = true
								})
								sleep(5 * time.Minute)
								assert.LessOrEqual(t, lock.most(), 100, "the dialer may add a tenth to them, and ten")
							})
						})
					}
				}
			}
		}
	}
}

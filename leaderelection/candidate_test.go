package leaderelection

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// counting counts every call to a lock.
type counting struct {
	*memoryLock
	fails map[string]error
	calls atomic.Int32
}

func (l *counting) Read(ctx context.Context) (rl.Snapshot, error) {
	l.calls.Add(1)
	if err := l.fails["read"]; err != nil {
		return rl.Snapshot{}, err
	}
	return l.memoryLock.Read(ctx)
}

func (l *counting) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	l.calls.Add(1)
	if err := l.fails["write"]; err != nil {
		return rl.Snapshot{}, err
	}
	return l.memoryLock.Write(ctx, base, next)
}

func (l *counting) Watch(ctx context.Context, from rl.Snapshot, seen func(rl.Snapshot)) error {
	l.calls.Add(1)
	if err := l.fails["watch"]; err != nil {
		return err
	}
	return l.memoryLock.Watch(ctx, from, seen)
}

func TestACandidateMakesNoMoreThanTwoRequestsASecondWhateverFails(t *testing.T) {
	refusals := map[string]error{
		"no reason":           errors.New("mvcc: database space exceeded"),
		"database is locked":  apierrors.NewInternalError(errors.New("database is locked")),
		"forbidden":           apierrors.NewForbidden(leases, "it", errors.New("not you")),
		"conflict":            apierrors.NewConflict(leases, "it", errors.New("changed")),
		"too many":            apierrors.NewTooManyRequests("slow down", 0),
		"gone":                apierrors.NewResourceExpired("too old"),
		"a webhook's refusal": &apierrors.StatusError{ErrStatus: metav1.Status{Status: "Failure", Code: 400}},
	}
	verbs := [][]string{{"read"}, {"write"}, {"watch"}, {"write", "watch"}, {"read", "watch"}, {"read", "write", "watch"}}
	for name, refusal := range refusals {
		for _, verbs := range verbs {
			for _, of := range []timing{{15 * s, 10 * s, 2 * s}, {s, 700 * ms, 200 * ms}, {500 * ms, 350 * ms, 100 * ms}} {
				if of.retry < s && verbs[0] == "watch" {
					continue // it polls every retry period, as it was told to
				}
				t.Run(fmt.Sprintf("%s of %v at %v", name, verbs, of.lease), func(t *testing.T) {
					within(t, func(t *testing.T) {
						m := newMemory()
						held := held("x", "", 0, 1000*time.Hour)
						if verbs[0] == "write" {
							held.Record.HolderIdentity, held.Record.LeaseDurationSeconds = "", 1
						}
						m.edit(func(s *rl.Snapshot) { *s = held })
						lock := &counting{memoryLock: m.lock("a"), fails: map[string]error{}}
						for _, verb := range verbs {
							lock.fails[verb] = refusal
						}
						a := contend(t, lock, func(c *LeaderElectionConfig) {
							c.LeaseDuration, c.RenewDeadline, c.RetryPeriod = of.lease, of.deadline, of.retry
						})
						for range 3 {
							before := lock.calls.Load()
							sleep(time.Minute)
							assert.LessOrEqual(t, lock.calls.Load()-before, int32(120))
						}
						assert.LessOrEqual(t, len(a.LeaderElector.writes.writes), mostRemembered)
					})
				})
			}
		}
	}
}

func TestWhatIsRememberedDoesNotGrowWithRefusals(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		m.edit(func(s *rl.Snapshot) { *s = held("", "", 0, time.Second) })
		lock := &readOnlyLock{memoryLock: m.lock("a")}
		a := contend(t, lock)
		sleep(2 * time.Hour)
		assert.Greater(t, lock.writes.Load(), int32(2000))
		assert.LessOrEqual(t, len(a.LeaderElector.writes.writes), 1000)
	})
}

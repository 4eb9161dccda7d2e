package locktest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/resourcelock"
)

// Make makes the lock under test on the Lease default/it, which config shows the
// way to. Each call to it must return within bound.
type Make func(config *rest.Config, identity string, bound time.Duration) (resourcelock.Interface, error)

const (
	// callBound is the bound of the locks that Calls makes.
	callBound = time.Second
	// slack is how much later a call may return on a machine that does other
	// things too.
	slack = time.Second
)

// Calls tests that each call of the lock returns within its bound under each
// fault, though its caller sets none, with an error unless the fault leaves it
// alone, and that the lock can be used when the fault is over.
func Calls(t *testing.T, newLock Make) {
	for _, fault := range Faults() {
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, fault)
			lock, err := newLock(s.config, "me", callBound)
			require.NoError(t, err)
			require.NoError(t, lock.Create(t.Context(), record("me", time.Second)))
			_, _, err = lock.Get(t.Context())
			require.NoError(t, err)
			s.strike(fault.throughout())
			var all sync.WaitGroup
			for name, call := range callsOf(lock) {
				if name == "Watch" && fault.borne(name) {
					continue // it is open, and may be for ever
				}
				all.Go(func() {
					start := time.Now()
					err := call(context.Background())
					took := time.Since(start)
					switch {
					case !fault.borne(name):
						assert.Error(t, err, name)
					case reads(name):
						assert.NoError(t, err, name)
					}
					assert.LessOrEqual(t, took, callBound+slack, "%s: %v", name, err)
				})
			}
			all.Wait()
			s.mend()
			require.Eventually(t, func() bool {
				_, _, err := lock.Get(context.Background())
				return err == nil
			}, callBound+slack, trickle, "the lock can be used again")
		})
	}
}

// callsOf returns the calls of a lock that go to the API.
func callsOf(lock resourcelock.Interface) map[string]func(context.Context) error {
	calls := map[string]func(context.Context) error{
		"Get":    func(ctx context.Context) error { _, _, err := lock.Get(ctx); return err },
		"Create": func(ctx context.Context) error { return lock.Create(ctx, record("me", time.Second)) },
		"Update": func(ctx context.Context) error { return lock.Update(ctx, record("me", time.Second)) },
	}
	if versioned, ok := lock.(resourcelock.Versioned); ok {
		calls["Read"] = func(ctx context.Context) error { _, err := versioned.Read(ctx); return err }
		calls["Write"] = func(ctx context.Context) error {
			_, err := versioned.Write(ctx, resourcelock.Snapshot{}, resourcelock.Entry{Record: record("me", time.Second), Duration: time.Second})
			return err
		}
		calls["Watch"] = func(ctx context.Context) error {
			return versioned.Watch(ctx, resourcelock.Snapshot{}, func(resourcelock.Snapshot) {})
		}
	}
	return calls
}

// reads reports whether nothing but a fault can make the call fail. A write can fail
// since another call has written.
func reads(call string) bool { return call == "Get" || call == "Read" }

func record(holder string, lease time.Duration) resourcelock.LeaderElectionRecord {
	now := metav1.NewTime(time.Now())
	return resourcelock.LeaderElectionRecord{
		HolderIdentity: holder, LeaseDurationSeconds: resourcelock.WholeSeconds(lease), AcquireTime: now, RenewTime: now,
	}
}

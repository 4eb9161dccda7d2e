package locktest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

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
	slack = 2 * time.Second
)

// Calls tests that each call of the lock returns within its bound under each
// fault, though its caller sets none, with an error unless the fault leaves it
// alone, and that the lock can be used when the fault is over. What a machine that
// pauses spoils is played again, and must hold in one of the rounds.
func Calls(t *testing.T, newLock Make) {
	for _, fault := range Faults() {
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			var err error
			for range rounds {
				if err = fault.play(t, newLock); err == nil {
					return
				}
				t.Logf("a round: %v", err)
			}
			require.NoError(t, err)
		})
	}
}

// play makes each call of a new lock under the fault. Its error says what did not go well.
func (f Fault) play(t *testing.T, newLock Make) error {
	s := newStage(t, f)
	lock, err := newLock(s.config, "me", callBound)
	require.NoError(t, err)
	if err := lock.Create(t.Context(), record("me", time.Second)); err != nil {
		return fmt.Errorf("before the fault: %w", err)
	}
	if _, _, err := lock.Get(t.Context()); err != nil {
		return fmt.Errorf("before the fault: %w", err)
	}
	s.strike(f.throughout())
	defer s.mend()
	calls := callsOf(lock)
	failed := make(chan error, len(calls))
	var all sync.WaitGroup
	for name, call := range calls {
		if name == "Watch" && f.borne(name) {
			continue // it is open, and may be for ever
		}
		all.Go(func() {
			start := time.Now()
			err := call(context.Background())
			took := time.Since(start)
			switch {
			case took > callBound+slack:
				failed <- fmt.Errorf("%s took %v, its bound is %v: %v", name, took, callBound, err)
			case !f.borne(name) && err == nil:
				failed <- fmt.Errorf("%s returned no error", name)
			case f.borne(name) && reads(name) && err != nil:
				failed <- fmt.Errorf("%s: %w", name, err)
			}
		})
	}
	all.Wait()
	close(failed)
	s.mend()
	var errs []error
	for err := range failed {
		errs = append(errs, err)
	}
	return errors.Join(append(errs, usable(lock))...)
}

// usable returns nil once the lock can be used again.
func usable(lock resourcelock.Interface) error {
	ctx, cancel := context.WithTimeout(context.Background(), callBound+slack)
	defer cancel()
	for {
		_, _, err := lock.Get(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("after the fault: %w", err)
		}
		time.Sleep(trickle)
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

package leaderelection

import (
	"context"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/leaderelection/witness"
)

// testifying has the witnesses leave the testimony of this process, in the
// background.
type testifying struct {
	group *witness.Group // nil for none
	clock timepiece

	mu sync.Mutex
	// left is closed when the call that is under way has returned, nil without one.
	left chan struct{}
	// logged is the last failure that was logged.
	logged string
}

// leavePatience is how long the first claim of a campaign waits for the testimony.
// What comes later goes with the renewals.
func (t timing) leavePatience() time.Duration { return min(t.retry/8, 100*time.Millisecond) }

// leave has the testimony left, hands it to keep, and returns what is closed then;
// nil where there is nothing to wait for. It gives up after bound and when ctx ends.
func (t *testifying) leave(ctx context.Context, bound time.Duration, keep func(testimony string)) <-chan struct{} {
	if t.group == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.left != nil {
		return t.left
	}
	left := make(chan struct{})
	t.left = left
	go func() {
		bounded, cancel := t.clock.within(ctx, bound)
		defer cancel()
		testimony, err := t.group.Leave(bounded)
		if testimony != "" {
			keep(testimony)
		}
		if err != nil && ctx.Err() == nil {
			t.log(ctx, err)
		}
		t.mu.Lock()
		t.left = nil
		t.mu.Unlock()
		close(left)
	}()
	return left
}

// log logs a failure that was not logged before.
func (t *testifying) log(ctx context.Context, err error) {
	t.mu.Lock()
	again := t.logged == err.Error()
	t.logged = err.Error()
	t.mu.Unlock()
	if !again {
		klog.FromContext(ctx).Info("A witness cannot speak for this process: after its death others wait for the lease, unless another witness can", "err", err)
	}
}

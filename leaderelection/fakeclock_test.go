package leaderelection

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	clocktesting "k8s.io/utils/clock/testing"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// stepping lets a fake clock run in steps of a tenth of the retry period, each
// once the one before has been worked off, until done says so.
func stepping(t *testing.T, clk *clocktesting.FakeClock, d time.Duration, done func() bool) {
	t.Helper()
	for end := clk.Now().Add(d); clk.Now().Before(end) && !done(); sleep(0) {
		clk.Step(200 * ms)
	}
	require.True(t, done(), "within %v", d)
}

func TestAFakeClockThatATestStepsDrivesTheElector(t *testing.T) {
	within(t, func(t *testing.T) {
		client := fake.NewClientset()
		clk := clocktesting.NewFakeClock(epoch)
		lock := func(identity string) rl.Interface {
			return &rl.LeaseLock{LeaseMeta: metav1.ObjectMeta{Namespace: "default", Name: "it"}, Client: client.CoordinationV1(), LockConfig: rl.ResourceLockConfig{Identity: identity}}
		}
		start := func(identity string, release bool) *contender {
			return contend(t, lock(identity), func(c *LeaderElectionConfig) { c.Clock, c.ReleaseOnCancel = clk, release })
		}
		a := start("a", true)
		sleep(0)
		stepping(t, clk, s, a.IsLeader)
		b := start("b", false)
		sleep(0)
		led := clk.Now()
		stepping(t, clk, 5*time.Minute, func() bool { return clk.Since(led) > 4*time.Minute })
		require.True(t, a.IsLeader(), "it renews")
		assert.Len(t, a.runs(), 1)
		a.cancel()
		stepping(t, clk, s, b.IsLeader)
		b.cancel()
		sleep(0)
		c := start("c", true)
		sleep(0)
		stepping(t, clk, 16*s, c.IsLeader)

		clk.Step(time.Hour) // as a machine that was suspended
		sleep(0)
		stepping(t, clk, 30*s, func() bool { return !c.IsLeader() || clk.Since(c.Term().End()) < 0 })
		c.cancel()
		stepping(t, clk, 30*s, func() bool { return !c.stoppedAt().IsZero() })
	})
}

func TestWhatAFakeClockCallsMayUseTheClock(t *testing.T) {
	within(t, func(t *testing.T) {
		fake := clocktesting.NewFakeClock(epoch)
		clk := timepiece{fake}
		timer := clk.NewTimer(time.Minute)
		stopped := make(chan struct{})
		clk.AfterFunc(s, func() { timer.Stop(); close(stopped) })
		fake.Step(2 * s)
		<-stopped
	})
}

func TestStepsOfAFakeClockThatNobodyWaitsForDoNotLockIt(t *testing.T) {
	within(t, func(t *testing.T) {
		clk := timepiece{clocktesting.NewFakeClock(epoch)}
		timer := clk.NewTimer(s)
		for range 3 { // it fires, and is set anew before anyone has looked
			clk.WithDelayedExecution.(*clocktesting.FakeClock).Step(s)
			timer.Reset(s)
		}
		select {
		case <-timer.C():
			t.Error("a timer that was set anew tells of no earlier time")
		default:
		}
		ctx, cancel := clk.within(context.Background(), s)
		defer cancel()
		clk.WithDelayedExecution.(*clocktesting.FakeClock).Step(s)
		<-ctx.Done()
	})
}

package leaderelection

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"
)

type valueKey struct{}

// workOf runs an elector with ctx and returns the context of its work and, once
// Run has returned, why that ended.
func workOf(t *testing.T, ctx context.Context, release bool, d time.Duration, end func()) context.Context {
	t.Helper()
	works := make(chan context.Context, 1)
	work := func(ctx context.Context) { works <- ctx; <-ctx.Done() }
	_, ended := start(t, ctx, newMemory().lock("a"), work, func(c *LeaderElectionConfig) { c.ReleaseOnCancel = release })
	sleep(d)
	end()
	<-ended
	return <-works
}

func TestTheWorksContextIsRunsButForItsEnd(t *testing.T) {
	why := errors.New("the pod is drained")
	for _, release := range []bool{false, true} {
		within(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), valueKey{}, "kept"))
			work := workOf(t, ctx, release, 5*s, func() { cancel(why) })
			assert.Equal(t, "kept", work.Value(valueKey{}))
			_, bounded := work.Deadline()
			assert.False(t, bounded)
			var ended *TermEndedError
			require.ErrorAs(t, context.Cause(work), &ended, "it says why the term ended")
			assert.ErrorIs(t, ended, why, "and why Run's context did")
			assert.ErrorContains(t, ended, why.Error())
			assert.ErrorIs(t, ended, ErrNotLeader)
		})
		within(t, func(t *testing.T) {
			end := time.Now().Add(5 * s)
			ctx, cancel := context.WithDeadline(t.Context(), end)
			defer cancel()
			work := workOf(t, ctx, release, s, func() {})
			deadline, bounded := work.Deadline()
			assert.True(t, bounded)
			assert.Equal(t, end, deadline)
			assert.ErrorIs(t, context.Cause(work), context.DeadlineExceeded)
		})
	}
}

func TestTheWorkLogsAsItsCallerDoes(t *testing.T) {
	within(t, func(t *testing.T) {
		logger := ktesting.NewLogger(ktesting.NopTL{}, ktesting.NewConfig(ktesting.BufferLogs(true)))
		logger = klog.LoggerWithValues(logger, "controller", "mine")
		ctx, cancel := context.WithCancel(klog.NewContext(t.Context(), logger))
		work := workOf(t, ctx, true, s, cancel)
		assert.Equal(t, logger, klog.FromContext(work), "no keys of the election's")
		said := logger.GetSink().(ktesting.Underlier).GetBuffer().String()
		assert.Contains(t, said, `controller="mine" lock="test/it" identity="a" term="101"`, "the election's own lines have them")
	})
	within(t, func(t *testing.T) { // without one, it has none
		ctx, cancel := context.WithCancel(t.Context())
		work := workOf(t, ctx, true, s, cancel)
		assert.Equal(t, klog.Background(), klog.FromContext(work))
	})
}

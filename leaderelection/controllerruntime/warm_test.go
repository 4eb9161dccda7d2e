package holdfastctrl_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/holdfast-go/holdfast/leaderelection"
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// watched is a source that queues one item as soon as it is started.
func watched(started chan<- struct{}, err error) source.Source {
	return source.Func(func(_ context.Context, q queue) error {
		q.Add(reconcile.Request{NamespacedName: types.NamespacedName{Name: "one"}})
		close(started)
		return err
	})
}

// control builds a controller as operators do.
func control(t *testing.T, r *replica, src source.Source) (reconciled chan context.Context) {
	t.Helper()
	reconciled = make(chan context.Context, 1)
	require.NoError(t, builder.ControllerManagedBy(r.Manager).Named("work").WatchesRawSource(src).
		Complete(reconcile.Func(func(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
			reconciled <- ctx
			return reconcile.Result{}, nil
		})))
	return reconciled
}

func TestAStandbyWarmsItsControllersAndReconcilesNothing(t *testing.T) {
	s := newStage(t)
	a, b := s.replica(t, "a", lasting, nil), s.replica(t, "b", lasting, nil)
	startedA, startedB := make(chan struct{}), make(chan struct{})
	reconciledA := control(t, a, watched(startedA, nil))
	reconciledB := control(t, b, watched(startedB, nil))

	a.start(t)
	within(t, reconciledA, "a to reconcile")
	b.start(t)
	within(t, startedB, "the source of b to start")
	require.Eventually(t, func() bool { return b.Elector().GetLeader() != "" }, patience, time.Millisecond, "b contends")
	open(t, reconciledB, "b reconciled without leading")
	a.stop()
	ctx := within(t, reconciledB, "b to reconcile what it had queued before it led")
	term, ok := leaderelection.TermFromContext(ctx)
	require.True(t, ok, "the context of Reconcile tells its term")
	assert.Equal(t, b.Elector().Term(), term)
	// The workers of both wait for a queue that their warm-up has opened: they
	// return when the term ends, not when the manager does.
	assert.NoError(t, within(t, a.ended, "the end of a"))
}

func TestAControllerWhoseSourceFailsNeverContends(t *testing.T) {
	s := newStage(t)
	a := s.replica(t, "a", lasting, nil)
	broken := errors.New("no such kind")
	started := make(chan struct{})
	reconciled := control(t, a, watched(started, broken))
	a.start(t)
	assert.ErrorIs(t, within(t, a.ended, "the end of a"), broken)
	assert.Nil(t, a.Elector().Term(), "it led")
	open(t, reconciled, "it reconciled")
}

func TestARunnableAddedToAStandbyIsWarmedUp(t *testing.T) {
	s := newStage(t)
	a, b := s.replica(t, "a", lasting, nil), s.replica(t, "b", lasting, nil)
	work := newTask()
	require.NoError(t, a.Add(work))
	a.start(t)
	within(t, work.started, "the work of a")
	b.start(t)
	require.Eventually(t, func() bool { return b.Elector().GetLeader() != "" }, patience, time.Millisecond, "b contends")
	started := make(chan struct{})
	reconciled := control(t, b, watched(started, nil))
	within(t, started, "the source to start on the standby")
	open(t, reconciled, "b reconciled without leading")
	a.stop()
	within(t, reconciled, "b to reconcile")
}

func TestControllersWarmUpUnlessToldOtherwise(t *testing.T) {
	s := newStage(t)
	a := s.replica(t, "a", lasting, nil)
	assert.Equal(t, ptr.To(true), a.GetControllerOptions().EnableWarmup)
	b := s.replica(t, "b", lasting, func(o *manager.Options) { o.Controller.EnableWarmup = ptr.To(false) })
	assert.Equal(t, ptr.To(false), b.GetControllerOptions().EnableWarmup)
	assert.Equal(t, ptr.To(true), b.GetControllerOptions().SkipNameValidation, "the rest is the inner manager's")
}

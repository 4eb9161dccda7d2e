package holdfastctrl_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/holdfast-go/holdfast/leaderelection"
)

func TestTheLeaseIsReleasedOnlyWhenElectedRunnablesHaveReturned(t *testing.T) {
	s := newStage(t)
	a, b := s.replica(t, "a", lasting, nil), s.replica(t, "b", lasting, nil)
	linger := make(chan struct{})
	workA, workB, alwaysB := newTask(), newTask(), always{newTask()}
	workA.linger = linger
	require.NoError(t, a.Add(workA))
	require.NoError(t, b.Add(workB))
	require.NoError(t, b.Add(alwaysB))

	a.start(t)
	ctx := within(t, workA.started, "the work of a")
	within(t, a.Elected(), "Elected of a")
	term, ok := leaderelection.TermFromContext(ctx)
	require.True(t, ok, "the context of a Runnable tells its term")
	assert.NotEmpty(t, term.FencingToken())
	b.start(t)
	within(t, alwaysB.started, "what always runs, on the standby")
	require.Eventually(t, func() bool { return b.Elector().GetLeader() == a.Elector().Term().Holder() }, patience, time.Millisecond)

	a.stop()
	<-ctx.Done()
	// While a lingers, b sees renewals and nothing else.
	first := term.End()
	require.Eventually(t, func() bool { return term.End().After(first) }, patience, time.Millisecond, "a goes on renewing while its work stops")
	open(t, workB.started, "b worked while a did")
	open(t, b.Elected(), "b was elected while a worked")
	close(linger)
	within(t, workB.started, "the work of b")
	within(t, workA.stopped, "the end of a's work")
	assert.NoError(t, within(t, a.ended, "the end of a"))
	var ended *leaderelection.TermEndedError
	require.ErrorAs(t, context.Cause(ctx), &ended)
	assert.Equal(t, leaderelection.ReasonReleased, ended.Reason)
	assert.Error(t, a.Add(newTask()), "the term of a is over")
	assert.ErrorContains(t, a.Start(t.Context()), "started once")
}

func TestALostTermEndsStartWithTheReason(t *testing.T) {
	s := newStage(t)
	a := s.replica(t, "a", brief, nil)
	work := newTask()
	require.NoError(t, a.Add(work))
	a.start(t)
	ctx := within(t, work.started, "the work")
	a.host.Silence()
	err := within(t, a.ended, "the end of Start")
	var ended *leaderelection.TermEndedError
	require.ErrorAs(t, err, &ended)
	assert.Equal(t, leaderelection.ReasonRenewDeadline, ended.Reason)
	assert.ErrorIs(t, err, leaderelection.ErrNotLeader)
	assert.ErrorContains(t, err, "leader election lost")
	assert.Same(t, ended, context.Cause(ctx))
	within(t, work.stopped, "the end of the work")
}

func TestStartDoesNotWaitForWorkThatOutlivesItsLease(t *testing.T) {
	s := newStage(t)
	a := s.replica(t, "a", brief, func(o *manager.Options) { o.GracefulShutdownTimeout = ptr.To(time.Duration(-1)) })
	linger := make(chan struct{})
	work, slow := newTask(), always{newTask()}
	work.linger, slow.linger = linger, linger // the manager waits for slow without end
	require.NoError(t, a.Add(work))
	require.NoError(t, a.Add(slow))
	a.start(t)
	within(t, work.started, "the work")
	within(t, slow.started, "what always runs")
	a.host.Silence()
	err := within(t, a.ended, "the end of Start")
	assert.ErrorContains(t, err, "still run")
	assert.ErrorContains(t, err, "*holdfastctrl_test.task", "it is named")
	assert.ErrorIs(t, err, leaderelection.ErrNotLeader)
	open(t, work.stopped, "the work was to outlive its lease")
	close(linger)
	within(t, work.stopped, "the end of the work")
	within(t, slow.stopped, "the end of what always runs")
}

// A Lease that was deleted leaves nothing of itself: whoever returns at once must
// be given the moment to.
func TestALeaseThatIsGoneEndsStartWithWhatBecameOfIt(t *testing.T) {
	s := newStage(t)
	a := s.replica(t, "a", timing{10 * time.Second, 5 * time.Second, 200 * time.Millisecond}, func(o *manager.Options) { o.LeaderElectionReleaseOnCancel = false })
	work := newTask()
	require.NoError(t, a.Add(work))
	reconciled := control(t, a, watched(make(chan struct{}), nil))
	a.start(t)
	within(t, work.started, "the work")
	within(t, reconciled, "a to reconcile")
	leases, err := coordinationv1.NewForConfig(a.host.Config())
	require.NoError(t, err)
	require.NoError(t, leases.Leases("default").Delete(t.Context(), "work", metav1.DeleteOptions{}))
	err = within(t, a.ended, "the end of Start")
	var ended *leaderelection.TermEndedError
	require.ErrorAs(t, err, &ended)
	assert.Equal(t, leaderelection.ReasonLeaseDeleted, ended.Reason)
	assert.ErrorContains(t, err, "leader election lost")
	assert.NotContains(t, err.Error(), "still run", "none does")
}

func TestALostTermStopsControllersThatWaitForWork(t *testing.T) {
	s := newStage(t)
	// Time enough between the end of the term and that of the lease.
	a := s.replica(t, "a", timing{4 * time.Second, time.Second, 150 * time.Millisecond}, nil)
	reconciled := control(t, a, watched(make(chan struct{}), nil))
	a.start(t)
	within(t, reconciled, "a to reconcile")
	a.host.Silence()
	err := within(t, a.ended, "the end of Start")
	assert.ErrorContains(t, err, "leader election lost", "its workers wait for their queue, which the warm-up keeps open")
}

func TestARunnableThatFailsEndsTheManagerAndHandsOver(t *testing.T) {
	s := newStage(t)
	a, b := s.replica(t, "a", lasting, nil), s.replica(t, "b", lasting, nil)
	broken := errors.New("broken")
	fails, goesOn, workB := newTask(), newTask(), newTask()
	fails.err = broken
	require.NoError(t, a.Add(goesOn))
	require.NoError(t, b.Add(workB))
	a.start(t)
	within(t, goesOn.started, "the work of a")
	b.start(t)
	require.NoError(t, a.Add(fails), "a Runnable may be added while leading")
	assert.ErrorIs(t, within(t, a.ended, "the end of a"), broken)
	within(t, goesOn.stopped, "the end of the other Runnable")
	within(t, workB.started, "the work of b: the lease was released")
}

// What fails as it is told to stop is no reason for the end, but is not lost.
func TestARunnableThatFailsAsItStopsIsLogged(t *testing.T) {
	s := newStage(t)
	var mu sync.Mutex
	var said []string
	a := s.replica(t, "a", lasting, func(o *manager.Options) {
		o.Logger = funcr.New(func(_, line string) { mu.Lock(); defer mu.Unlock(); said = append(said, line) }, funcr.Options{})
	})
	var started []chan struct{}
	for i := range 3 {
		runs := make(chan struct{})
		started = append(started, runs)
		require.NoError(t, a.Add(manager.RunnableFunc(func(ctx context.Context) error {
			close(runs)
			<-ctx.Done()
			return fmt.Errorf("could not flush %d", i)
		})))
	}
	a.start(t)
	for _, runs := range started {
		within(t, runs, "the work of a")
	}
	a.stop()
	assert.NoError(t, within(t, a.ended, "the end of a"))
	mu.Lock()
	defer mu.Unlock()
	for i := range 3 {
		assert.Contains(t, strings.Join(said, "\n"), fmt.Sprintf("could not flush %d", i))
	}
}

func TestResignationHandsOverAndEndsStart(t *testing.T) {
	for name, releases := range map[string]bool{"with ReleaseOnCancel": true, "as it is by default": false} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			release := func(o *manager.Options) { o.LeaderElectionReleaseOnCancel = releases }
			a, b := s.replica(t, "a", lasting, release), s.replica(t, "b", lasting, release)
			workA, workB := newTask(), newTask()
			require.NoError(t, a.Add(workA))
			require.NoError(t, b.Add(workB))
			a.start(t)
			within(t, workA.started, "the work of a")
			b.start(t)
			require.NoError(t, a.Elector().Resign(t.Context()), "the lease was released")
			within(t, workB.started, "the work of b")
			var ended *leaderelection.TermEndedError
			require.ErrorAs(t, within(t, a.ended, "the end of a"), &ended)
			assert.Equal(t, leaderelection.ReasonResigned, ended.Reason)
		})
	}
}

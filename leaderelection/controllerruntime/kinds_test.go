package holdfastctrl

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/holdfast-go/holdfast/leaderelection"
)

// says is a Runnable that says whether it needs leader election.
type says struct {
	manager.Runnable
	needs bool
}

func (s says) NeedLeaderElection() bool { return s.needs }

// needy is a webhook server that says it needs leader election.
type needy struct{ webhook.Server }

func (needy) NeedLeaderElection() bool { return true }

// The rules are those by which controller-runtime's runnables.Add sorts.
func TestRunnablesAreSortedAsControllerRuntimeDoes(t *testing.T) {
	plain := manager.RunnableFunc(func(context.Context) error { return nil })
	for name, c := range map[string]struct {
		runnable manager.Runnable
		elected  bool
	}{
		"says nothing":                   {plain, true},
		"needs it":                       {says{plain, true}, true},
		"needs none":                     {says{plain, false}, false},
		"a server":                       {&manager.Server{}, false},
		"a server of the leader":         {&manager.Server{OnlyServeWhenLeader: true}, true},
		"a cluster, and so its cache":    {struct{ cluster.Cluster }{}, false},
		"a webhook server":               {&webhook.DefaultServer{}, false},
		"a webhook server that needs it": {needy{}, false},
		"the election":                   {campaign{}, false},
		"a manager that another manages": {struct{ manager.Manager }{}, false},
	} {
		assert.Equal(t, c.elected, needsLeaderElection(c.runnable), name)
	}
}

func TestWhatIsLeftOfALeaseDependsOnWhyTheTermEnded(t *testing.T) {
	const lease = 15 * time.Second
	for reason, left := range map[leaderelection.Reason]time.Duration{
		leaderelection.ReasonRenewDeadline: 3 * time.Second,
		leaderelection.ReasonCancelled:     3 * time.Second,
		leaderelection.ReasonTaken:         0,
		leaderelection.ReasonLeaseDeleted:  0,
		leaderelection.ReasonSameIdentity:  0,
		leaderelection.ReasonInDoubt:       0,
	} {
		assert.Equal(t, left, leftOfLease(&leaderelection.TermEndedError{Reason: reason, Since: 12 * time.Second}, lease), reason)
	}
	assert.Zero(t, leftOfLease(&leaderelection.TermEndedError{Reason: leaderelection.ReasonRenewDeadline, Since: time.Minute}, lease))
}

func TestRunnablesGetAMomentToReturnWhateverIsLeftOfTheLease(t *testing.T) {
	assert.Equal(t, 750*time.Millisecond, atOnce(leaderelection.LeaderElectionConfig{
		LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
	}))
}

func TestTheElectorWaitsForRunnablesAsLongAsTheManagerDoes(t *testing.T) {
	assert.Equal(t, 30*time.Second, stopTimeout(nil))
	assert.Equal(t, time.Minute, stopTimeout(ptr.To(time.Minute)))
	assert.Equal(t, time.Duration(math.MaxInt64), stopTimeout(ptr.To(-time.Second)))
	assert.Zero(t, stopTimeout(ptr.To(time.Duration(0))), "zero leaves it to the elector")
}

func TestATermThatIsOverBeforeItBeganRunsNothing(t *testing.T) {
	g := newGroup()
	require.NoError(t, g.add(manager.RunnableFunc(func(context.Context) error {
		t.Error("it ran")
		return nil
	})))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, g.warmUp(t.Context()))
	g.lead(ctx, func() { t.Error("it began") })
	select {
	case <-g.returned():
	default:
		t.Error("something is said to run")
	}
	g.end()
	assert.ErrorIs(t, g.add(manager.RunnableFunc(nil)), errOver)
}

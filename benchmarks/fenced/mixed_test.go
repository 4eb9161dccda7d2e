package fenced

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	upstream "k8s.io/client-go/tools/leaderelection"
	upstreamlock "k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// member contends in a mixed fleet until its context ends, and closes began when it
// leads.
type member func(ctx context.Context, began chan<- struct{})

// clientGo is a contender of client-go's.
func (s *stage) clientGo(pod contender, lease time.Duration, release bool) member {
	return func(ctx context.Context, began chan<- struct{}) {
		upstream.RunOrDie(ctx, upstream.LeaderElectionConfig{
			Lock: &upstreamlock.LeaseLock{
				LeaseMeta: metav1.ObjectMeta{Namespace: s.lease.Namespace, Name: s.lease.Name},
				Client:    pod.clients[0].CoordinationV1(),
				// as its documents advise: the host name, which is the Pod's, and a random word
				LockConfig: upstreamlock.ResourceLockConfig{Identity: pod.name + "_" + string(uuid.NewUUID())},
			},
			LeaseDuration: lease, RenewDeadline: lease * 2 / 3, RetryPeriod: lease / 15, ReleaseOnCancel: release,
			Callbacks: upstream.LeaderCallbacks{OnStartedLeading: func(ctx context.Context) { close(began); <-ctx.Done() }, OnStoppedLeading: func() {}},
		})
	}
}

// holdfast is a contender of ours.
func (s *stage) holdfast(t *testing.T, pod contender, lease time.Duration, release bool) member {
	t.Helper()
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, s.lease.Namespace, s.lease.Name,
		resourcelock.ResourceLockConfig{Identity: pod.identity}, pod.configs[1], lease*2/3)
	require.NoError(t, err)
	return func(ctx context.Context, began chan<- struct{}) {
		leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
			Lock:          lock,
			LeaseDuration: lease, RenewDeadline: lease * 2 / 3, RetryPeriod: lease / 15, ReleaseOnCancel: release,
			Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(ctx context.Context) { close(began); <-ctx.Done() }, OnStoppedLeading: func() {}},
		})
	}
}

// lead has a contender lead; stop ends it.
func lead(t *testing.T, run member) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	began, ended := make(chan struct{}), make(chan struct{})
	go func() { defer close(ended); run(ctx, began) }()
	select {
	case <-began:
	case <-time.After(time.Minute):
		require.Fail(t, "nobody leads")
	}
	return func() { cancel(); <-ended }
}

// writers says who can write, through every API server, and who cannot.
func (s *stage) writers(t *testing.T, can, cannot []contender) {
	t.Helper()
	for i := range s.admin {
		for _, pod := range can {
			s.accepts(t, pod.clients[i])
		}
		for _, pod := range cannot {
			s.refuses(t, pod.clients[i])
		}
	}
}

// A contender of client-go's and one of ours contend under a fence by name.
func TestAMixedFleet(t *testing.T) {
	s := newStage(t, "", "")
	s.objects(t)
	f := s.fence(t, "configmaps")
	f.ByName = true
	s.holds(t, s.pods[0].identity, 0)
	s.install(t, f)
	s.gives(t)
	t.Run("handovers", s.mixedHandovers)
	t.Run("holders that die", s.mixedDeaths)
}

// mixedHandovers: they hand the lease to each other, and each writes while it holds it
// and not otherwise.
func (s *stage) mixedHandovers(t *testing.T) {
	theirs, ours := s.pods[0], s.pods[1]
	for range 5 {
		release := lead(t, s.clientGo(theirs, leaseFor, true))
		s.writers(t, []contender{theirs}, []contender{ours})
		release()
		release = lead(t, s.holdfast(t, ours, leaseFor, true))
		s.writers(t, []contender{ours}, []contender{theirs})
		release()
		s.writers(t, nil, []contender{ours, theirs}) // after a release nobody writes
	}
}

// mixedDeaths: a holder of one kind dies. What its Pod sends is accepted until its lease has expired,
// and refused then, though nobody has taken the lease. A contender of the other kind
// writes when it has.
func (s *stage) mixedDeaths(t *testing.T) {
	const lease = 3 * time.Second
	theirs, ours := s.pods[0], s.pods[1]
	for _, c := range []struct {
		dies          string
		dead, next    contender
		holder, taker member
	}{
		{"client-go's", theirs, ours, s.clientGo(theirs, lease, false), s.holdfast(t, ours, lease, true)},
		{"Holdfast's", ours, theirs, s.holdfast(t, ours, lease, false), s.clientGo(theirs, lease, true)},
	} {
		dies := lead(t, c.holder)
		s.writers(t, []contender{c.dead}, []contender{c.next})
		var stops []func() outcomes
		for i := range s.admin {
			stops = append(stops, s.persist(t, c.dead.clients[i]))
		}
		dies()
		it, err := s.admin[0].CoordinationV1().Leases(namespace).Get(t.Context(), s.lease.Name, metav1.GetOptions{})
		require.NoError(t, err)
		require.NotEmpty(t, *it.Spec.HolderIdentity, "it has not released")
		s.writers(t, nil, []contender{c.dead, c.next})
		for _, stop := range stops {
			o := stop()
			after := o.last.Sub(it.Spec.RenewTime.Time).Round(time.Millisecond)
			t.Logf("figure: fence: a holder of %s died: the last write of its Pod that was accepted was sent %v after its last renewal, of a lease of %v", c.dies, after, lease)
			assert.Greater(t, after, lease/2, "until its lease ends it is the holder")
			assert.LessOrEqual(t, after, lease+time.Second, "times are stamped in whole seconds")
			assert.Zero(t, o.unserved)
		}
		now, err := s.admin[0].CoordinationV1().Leases(namespace).Get(t.Context(), s.lease.Name, metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, it.Spec, now.Spec, "nobody has taken it")

		release := lead(t, c.taker)
		s.writers(t, []contender{c.next}, []contender{c.dead})
		release()
	}
}

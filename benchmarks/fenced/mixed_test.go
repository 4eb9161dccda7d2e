package fenced

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	upstream "k8s.io/client-go/tools/leaderelection"
	upstreamlock "k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// A contender of client-go's and one of ours hand the lease to each other, under a
// fence by name: each writes while it holds the lease, and the other does not.
func TestAMixedFleet(t *testing.T) {
	s := newStage(t, "", "")
	s.objects(t)
	f := s.fence(t, "configmaps")
	f.ByName = true
	s.holds(t, s.pods[0].identity, 0)
	s.install(t, f)
	s.gives(t)
	theirs, ours := s.pods[0], s.pods[1]

	lead := func(run func(ctx context.Context, began chan<- struct{})) (release func()) {
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
	clientGo := func(ctx context.Context, began chan<- struct{}) {
		upstream.RunOrDie(ctx, upstream.LeaderElectionConfig{
			Lock: &upstreamlock.LeaseLock{
				LeaseMeta: metav1.ObjectMeta{Namespace: s.lease.Namespace, Name: s.lease.Name},
				Client:    theirs.clients[0].CoordinationV1(),
				// as its documents advise: the host name, which is the Pod's, and a random word
				LockConfig: upstreamlock.ResourceLockConfig{Identity: "controller-0_" + string(uuid.NewUUID())},
			},
			LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: time.Second, ReleaseOnCancel: true,
			Callbacks: upstream.LeaderCallbacks{OnStartedLeading: func(ctx context.Context) { close(began); <-ctx.Done() }, OnStoppedLeading: func() {}},
		})
	}
	holdfast := func(ctx context.Context, began chan<- struct{}) {
		lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, s.lease.Namespace, s.lease.Name,
			resourcelock.ResourceLockConfig{Identity: ours.identity}, ours.configs[1], 10*time.Second)
		if err != nil {
			t.Error(err)
			return
		}
		leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
			Lock:          lock,
			LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: time.Second, ReleaseOnCancel: true,
			Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(ctx context.Context) { close(began); <-ctx.Done() }, OnStoppedLeading: func() {}},
		})
	}
	onlyOne := func(leader, other contender) {
		for i := range s.admin {
			s.accepts(t, leader.clients[i])
			s.refuses(t, other.clients[i])
		}
	}
	for range 5 {
		release := lead(clientGo)
		onlyOne(theirs, ours)
		release()
		release = lead(holdfast)
		onlyOne(ours, theirs)
		release()
		for i := range s.admin { // after a release nobody writes
			s.refuses(t, ours.clients[i])
			s.refuses(t, theirs.clients[i])
		}
	}
}

package main

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// clientLock is a lock of one's own around controller-runtime's client.
type clientLock struct {
	client   client.Client
	identity string

	mu   sync.Mutex
	last coordinationv1.Lease
}

func (l *clientLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	var lease coordinationv1.Lease
	if err := l.client.Get(ctx, client.ObjectKey{Namespace: "default", Name: "it"}, &lease); err != nil {
		return nil, nil, err
	}
	l.remember(lease)
	record := resourcelock.LeaseSpecToLeaderElectionRecord(&lease.Spec)
	raw, err := json.Marshal(record)
	return record, raw, err
}

func (l *clientLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	lease := coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "it"}, Spec: resourcelock.LeaderElectionRecordToLeaseSpec(&record)}
	err := l.client.Create(ctx, &lease)
	if err == nil {
		l.remember(lease)
	}
	return err
}

func (l *clientLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	l.mu.Lock()
	lease := *l.last.DeepCopy()
	l.mu.Unlock()
	lease.Spec = resourcelock.LeaderElectionRecordToLeaseSpec(&record)
	err := l.client.Update(ctx, &lease)
	if err == nil {
		l.remember(lease)
	}
	return err
}

func (l *clientLock) remember(lease coordinationv1.Lease) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = lease
}

func (l *clientLock) RecordEvent(string) {}
func (l *clientLock) Identity() string   { return l.identity }
func (l *clientLock) Describe() string   { return "default/it" }

func TestALockOfOnesOwnAroundTheFakeClientElectsAndHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := fake.NewClientBuilder().Build()
		start := func(identity string) (*leaderelection.LeaderElector, context.CancelFunc) {
			elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
				Lock:          &clientLock{client: api, identity: identity},
				LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
				ReleaseOnCancel: true,
				Callbacks: leaderelection.LeaderCallbacks{
					OnStartedLeading: func(ctx context.Context) { <-ctx.Done() },
					OnStoppedLeading: func() {},
				},
			})
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			go elector.Run(ctx)
			time.Sleep(time.Second) // virtual
			return elector, cancel
		}
		first, stop := start("pod-1")
		require.True(t, first.IsLeader())
		term := first.Term()
		second, stopSecond := start("pod-2")
		defer stopSecond()
		time.Sleep(10 * time.Minute)
		require.True(t, first.IsLeader())
		assert.Same(t, term, first.Term(), "it has renewed all the time")
		assert.False(t, second.IsLeader())
		stop()
		time.Sleep(5 * time.Second) // a standby that polls comes up to a poll later
		assert.True(t, second.IsLeader())
	})
}

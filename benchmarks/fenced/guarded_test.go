package fenced

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// guardedWork writes through every API server for as long as it leads.
type guardedWork struct {
	clients []kubernetes.Interface

	mu sync.Mutex
	// written counts what was written in this term, failed is what failed in any
	// while it lasted.
	written []int
	failed  []error
	ended   chan time.Time
}

func (w *guardedWork) run(ctx context.Context) {
	w.mu.Lock()
	w.written = make([]int, len(w.clients))
	w.mu.Unlock()
	var all sync.WaitGroup
	for i, client := range w.clients {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				_, err := client.CoreV1().ConfigMaps(namespace).Patch(ctx, fmt.Sprintf("it-%d", i), types.MergePatchType, fmt.Appendf(nil, `{"data":{"n":"%d"}}`, n), metav1.PatchOptions{})
				w.mu.Lock()
				if err == nil {
					w.written[i]++
				} else if ctx.Err() == nil {
					w.failed = append(w.failed, err)
				}
				w.mu.Unlock()
			}
		})
	}
	<-ctx.Done()
	ended := time.Now()
	all.Wait()
	w.ended <- ended
}

// everywhere reports whether each API server has taken in a write of this term.
func (w *guardedWork) everywhere() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.written) > 0 && !slices.Contains(w.written, 0)
}

// gives writes the lease as one that its holder has given up.
func (s *stage) gives(t *testing.T) {
	t.Helper()
	leases := s.admin[0].CoordinationV1().Leases(namespace)
	lease, err := leases.Get(t.Context(), s.lease.Name, metav1.GetOptions{})
	require.NoError(t, err)
	lease.Annotations = nil
	lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds = ptr.To(""), ptr.To(int32(1))
	lease.Spec.RenewTime = ptr.To(metav1.NewMicroTime(time.Now()))
	lease.Spec.AcquireTime = lease.Spec.RenewTime
	_, err = leases.Update(t.Context(), lease, metav1.UpdateOptions{})
	require.NoError(t, err)
}

// fencedAndFree makes an object for the writes through each API server, it-0 and so on,
// and installs the fence. Nobody holds the lease then.
func (s *stage) fencedAndFree(t *testing.T) {
	t.Helper()
	for i := range s.admin {
		it := configMap(fmt.Sprintf("it-%d", i))
		it.Data = map[string]string{"n": ""}
		_, err := s.admin[0].CoreV1().ConfigMaps(namespace).Create(t.Context(), it, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	s.holds(t, s.pods[1].identity, 0)
	s.install(t, s.fence(t, "configmaps"))
	s.gives(t)
}

// An elector loses the lease and wins it again, while its work writes through every
// API server by the transport of its Guard: the refusals of the fence end its term,
// and the work of a new term does not notice those that it meets.
func TestAGuardAndItsFence(t *testing.T) {
	s := newStage(t, "", "", "")
	pod := s.pods[0]
	s.fencedAndFree(t)

	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, s.lease.Namespace, s.lease.Name,
		resourcelock.ResourceLockConfig{Identity: pod.identity}, pod.configs[0], 10*time.Second)
	require.NoError(t, err)
	work := &guardedWork{ended: make(chan time.Time, 1)}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: leaseFor, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second, ContendAgain: true,
		Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: work.run, OnStoppedLeading: func() {}},
	})
	require.NoError(t, err)
	for _, config := range pod.configs {
		client, err := kubernetes.NewForConfig(elector.Guard(config))
		require.NoError(t, err)
		work.clients = append(work.clients, client)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { elector.Run(ctx) })
	defer running.Wait()
	defer cancel()

	var after []time.Duration
	fenced := 0
	for range *handovers {
		s.until(t, "the work's writes", func(context.Context) error {
			if elector.IsLeader() && work.everywhere() {
				return nil
			}
			return assert.AnError
		})
		term := elector.Term()
		s.holds(t, s.pods[1].identity, 0)
		taken := time.Now()
		select {
		case ended := <-work.ended:
			after = append(after, max(0, ended.Sub(taken)))
		case <-time.After(leaseFor):
			require.Fail(t, "the work of a deposed leader goes on")
		}
		var why *leaderelection.TermEndedError
		require.ErrorAs(t, term.Err(), &why)
		require.Contains(t, []leaderelection.Reason{leaderelection.ReasonFenced, leaderelection.ReasonTaken}, why.Reason)
		if why.Reason == leaderelection.ReasonFenced {
			fenced++
		}
		s.gives(t)
	}
	cancel()
	running.Wait()
	assert.Empty(t, work.failed, "of a leader, while it led")
	slices.Sort(after)
	t.Logf("figure: fence: of %d terms that another ended, %d ended by the fence's refusal; the work was told %v (median), %v (max) after the takeover was acknowledged; no write of a leader failed, old or new",
		*handovers, fenced, after[len(after)/2].Round(time.Millisecond), after[len(after)-1].Round(time.Millisecond))
	assert.GreaterOrEqual(t, fenced, *handovers*8/10, "now and then a renewal is the first to know")
	assert.Less(t, after[len(after)/2], 500*time.Millisecond)
}

package fenced

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// line is a way to the API server that can be cut: then nothing is answered.
type line struct {
	next http.RoundTripper
	cut  *atomic.Bool
}

func (l line) RoundTrip(req *http.Request) (*http.Response, error) {
	if l.cut.Load() {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	return l.next.RoundTrip(req)
}

// replica is a Pod with an elector, whose work is deaf: when its context ends, it
// writes on without the elector's Guard until it is told to stop.
type replica struct {
	elector        *leaderelection.LeaderElector
	cut            atomic.Bool
	guarded, plain []kubernetes.Interface // one for each API server

	began chan time.Time
	stop  chan struct{}
	terms chan writtenTerm
}

// writtenTerm is what the work of one term has written through each API server.
type writtenTerm struct {
	began time.Time
	tries [][]termTry
}

// termTry is one write; led is that its term lasted when it was answered.
type termTry struct {
	tried
	led bool
}

func (s *stage) newReplica(t *testing.T, pod contender) *replica {
	t.Helper()
	r := &replica{plain: pod.clients, began: make(chan time.Time, 1), stop: make(chan struct{}), terms: make(chan writtenTerm, 1)}
	config := rest.CopyConfig(pod.configs[0])
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return line{next, &r.cut} })
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, s.lease.Namespace, s.lease.Name,
		resourcelock.ResourceLockConfig{Identity: pod.identity}, config, time.Second)
	require.NoError(t, err)
	r.elector, err = leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: shortLease, RenewDeadline: time.Second, RetryPeriod: 250 * time.Millisecond, ContendAgain: true,
		Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: r.work, OnStoppedLeading: func() {}},
	})
	require.NoError(t, err)
	for _, config := range pod.configs {
		client, err := kubernetes.NewForConfig(r.elector.Guard(config))
		require.NoError(t, err)
		r.guarded = append(r.guarded, client)
	}
	return r
}

const shortLease = 1500 * time.Millisecond

func (r *replica) work(ctx context.Context) {
	current, _ := leaderelection.TermFromContext(ctx)
	term := writtenTerm{began: time.Now(), tries: make([][]termTry, len(r.guarded))}
	r.began <- term.began
	var all sync.WaitGroup
	over, end := context.WithCancel(context.Background())
	for i := range r.guarded {
		all.Go(func() {
			for n := 0; over.Err() == nil; n++ {
				client := r.guarded[i]
				if current.Err() != nil {
					client = r.plain[i]
				}
				one := termTry{tried: tried{sent: time.Now()}}
				_, one.err = client.CoreV1().ConfigMaps(namespace).Patch(context.WithoutCancel(ctx), fmt.Sprintf("it-%d", i), types.MergePatchType, fmt.Appendf(nil, `{"data":{"n":"%d"}}`, n), metav1.PatchOptions{})
				one.answered, one.led = time.Now(), current.Err() == nil
				term.tries[i] = append(term.tries[i], one)
			}
		})
	}
	<-r.stop
	end()
	all.Wait()
	r.terms <- term
}

// stopped tells the work to stop, and returns what it has written.
func (r *replica) stopped() writtenTerm {
	r.stop <- struct{}{}
	return <-r.terms
}

// A leader is cut off from the API by its lock's connections, and its work writes
// on: the standby takes over when the lease has ended, through three API servers.
func TestTakeovers(t *testing.T) {
	s := newStage(t, "", "", "")
	s.fencedAndFree(t)
	leader, standby := s.newReplica(t, s.pods[0]), s.newReplica(t, s.pods[1])
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { leader.elector.Run(ctx) })
	began := <-leader.began
	running.Go(func() { standby.elector.Run(ctx) })

	var lastOld, firstNew []time.Duration
	written, unanswered, failed := 0, 0, []error{}
	judge := func(term writtenTerm, next time.Time) {
		for _, tries := range term.tries {
			first, last := time.Duration(-1), time.Duration(0)
			for _, one := range tries {
				switch {
				case one.err == nil && first < 0:
					first = one.answered.Sub(term.began)
				case one.err != nil && one.led && errors.Is(one.err, context.Canceled):
					unanswered++ // for as long as the term lasted when it was sent, which is all that the Guard gives it
				case one.err != nil && one.led:
					failed = append(failed, one.err)
				}
				if one.err == nil {
					written++
					last = max(last, one.sent.Sub(next))
				}
			}
			firstNew, lastOld = append(firstNew, first), append(lastOld, last)
		}
	}
	for range *handovers {
		s.until(t, "the standby, which has seen a renewal", func(context.Context) error {
			if standby.elector.GetLeader() == leader.elector.Term().Holder() && time.Since(began) > 2*shortLease/3 {
				return nil
			}
			return assert.AnError
		})
		leader.cut.Store(true)
		select {
		case began = <-standby.began:
		case <-time.After(30 * time.Second):
			require.Fail(t, "nobody takes over")
		}
		time.Sleep(300 * time.Millisecond) // both write
		judge(leader.stopped(), began)
		leader.cut.Store(false)
		leader, standby = standby, leader
	}
	cancel()
	leader.stopped()
	running.Wait()
	slices.Sort(lastOld)
	slices.Sort(firstNew)
	n := len(lastOld)
	t.Logf("figure: fence: %d takeovers through %d API servers, the old leader cut off and its work deaf: its last accepted write was sent %v (median), %v (max) after the new leader's work had begun; the new leader's first was answered %v (median), %v (max) after that; %d writes were accepted, %d of a leader were not answered within the rest of the term, and %d failed",
		*handovers, len(s.admin), lastOld[n/2].Round(time.Millisecond), lastOld[n-1].Round(time.Millisecond), firstNew[n/2].Round(time.Millisecond), firstNew[n-1].Round(time.Millisecond), written, unanswered, len(failed))
	assert.Empty(t, failed, "the fence refuses no leader for longer than its Guard bears")
	assert.LessOrEqual(t, unanswered*1000, written)
	assert.GreaterOrEqual(t, firstNew[0], time.Duration(0), "every leader has written through every API server")
	assert.Less(t, lastOld[n-1], time.Second)
}

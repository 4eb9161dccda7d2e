package leaderelection

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
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// What adopters' unit tests run against: client-go's fake clientsets, which keep
// no resource versions.
var fakeClientsets = map[string]func() kubernetes.Interface{
	"NewClientset": func() kubernetes.Interface { return fake.NewClientset() },
	//nolint:staticcheck // deprecated: most tests still use it
	"NewSimpleClientset": func() kubernetes.Interface { return fake.NewSimpleClientset() },
}

// withFakes runs a test in virtual time around each fake clientset.
func withFakes(t *testing.T, test func(t *testing.T, lock func(identity string) rl.Interface)) {
	for name, clientset := range fakeClientsets {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				client := clientset()
				test(t, func(identity string) rl.Interface {
					return &rl.LeaseLock{
						LeaseMeta:  metav1.ObjectMeta{Namespace: "default", Name: "it"},
						Client:     client.CoordinationV1(),
						LockConfig: rl.ResourceLockConfig{Identity: identity},
					}
				})
			})
		})
	}
}

func givesUp(c *LeaderElectionConfig) { c.ReleaseOnCancel = true }

func TestAFakeClientsetElectsRenewsAndHandsOver(t *testing.T) {
	withFakes(t, func(t *testing.T, lock func(string) rl.Interface) {
		a := contend(t, lock("a"), givesUp)
		sleep(soon)
		require.True(t, a.IsLeader(), "at once")
		b := contend(t, lock("b"), givesUp)
		sleep(5 * time.Minute)
		require.True(t, a.IsLeader())
		assert.Len(t, a.runs(), 1, "it never lost its term")
		assert.Empty(t, b.runs())
		assert.Equal(t, "a", b.GetLeader())

		a.cancel()
		sleep(soon)
		assert.False(t, a.stoppedAt().IsZero(), "Run has returned")
		assert.True(t, b.IsLeader(), "at once")
		b.cancel()
		sleep(soon)
		c := contend(t, lock("c"))
		sleep(soon)
		assert.True(t, c.IsLeader(), "nobody holds the lease any more")
	})
}

func TestAFakeClientsetIsHandedToWhoeverIsPreferred(t *testing.T) {
	withFakes(t, func(t *testing.T, lock func(string) rl.Interface) {
		a := contend(t, lock("a"), withPriority(of(1)), asksAfter(20*s))
		sleep(s)
		b := contend(t, lock("b"), withPriority(of(9)), asksAfter(20*s))
		sleep(15 * s)
		require.True(t, a.IsLeader())
		sleep(20 * s)
		assert.True(t, b.IsLeader())
		assert.Equal(t, ReasonResigned, a.why(t).Reason)
		apart(t, append(a.runs(), b.runs()...))
		sleep(time.Minute)
		assert.Len(t, b.runs(), 1)
	})
}

func TestAFakeClientsetIsTakenOverWhenTheLeaseHasRunOut(t *testing.T) {
	withFakes(t, func(t *testing.T, lock func(string) rl.Interface) {
		a := contend(t, lock("a"))
		sleep(s)
		b := contend(t, lock("b"))
		sleep(10 * s)
		a.cancel() // without a release
		sleep(30 * s)
		require.True(t, b.IsLeader())
		assert.WithinRange(t, b.runs()[0].from, a.runs()[0].cancelled.Add(13*s), a.runs()[0].cancelled.Add(15*s+soon), "a renewed at most 2s before")
	})
}

// outrunLease is a lock that another is faster than at its first write.
type outrunLease struct {
	*rl.LeaseLock
	outrun *sync.Once
	faster *rl.LeaseLock
}

func (l outrunLease) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	l.outrun.Do(func() {
		_, _ = l.faster.Write(ctx, base, rl.Entry{Record: claim("faster", base, 15*s, time.Now(), 0), Duration: 15 * s, Mark: fmt.Sprint("faster.", time.Now().Unix())})
	})
	return l.LeaseLock.Write(ctx, base, next)
}

func TestWhoeverWasSlowerWithAFakeClientsetDoesNotComplain(t *testing.T) {
	withFakes(t, func(t *testing.T, lock func(string) rl.Interface) {
		slower := outrunLease{lock("slower").(*rl.LeaseLock), new(sync.Once), lock("faster").(*rl.LeaseLock)}
		said, le := listen(t, slower, 10*s)
		assert.Nil(t, le.Term())
		assert.Equal(t, "faster", le.GetLeader())
		assert.NotContains(t, said, "Could not")

		slower.outrun = new(sync.Once)
		said, le = listen(t, slower, 20*s) // faster has died
		assert.Nil(t, le.Term())
		assert.NotContains(t, said, "Could not")
	})
}

func TestAFakeClientsetIsNotLedByTwo(t *testing.T) {
	withFakes(t, func(t *testing.T, lock func(string) rl.Interface) {
		var all []*contender
		for i := range 20 {
			all = append(all, contend(t, lock(fmt.Sprint(i)), givesUp, func(c *LeaderElectionConfig) { c.ContendAgain = true }))
		}
		for i := range 30 {
			sleep(10 * s)
			leading := slices.IndexFunc(all, func(c *contender) bool { return c.IsLeader() })
			require.NotEqual(t, -1, leading, "round %d", i)
			go func() { _ = all[leading].Resign(t.Context()) }() // the next round says whether it did
		}
		sleep(10 * s)
		var runs []interval
		for _, c := range all {
			runs = append(runs, c.runs()...)
		}
		slices.SortFunc(runs, func(a, b interval) int { return a.from.Compare(b.from) })
		for i := range runs[1:] {
			assert.False(t, runs[i+1].from.Before(runs[i].to), "run %d begins %v before the one before has ended", i+1, runs[i].to.Sub(runs[i+1].from))
		}
		assert.Len(t, runs, 31, "each resignation was followed by another term")
	})
}

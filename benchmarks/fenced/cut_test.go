package fenced

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/leaderelection/fence"
)

// requestTimeout is how long an API server works on a write (its --request-timeout
// is a minute, of which a write gets 34 s).
const requestTimeout = 34 * time.Second

// late is one write to an object of its own: when it was sent and answered, and the
// revision of etcd that it made, 0 if none.
type late struct {
	sent, answered time.Time
	revision       int64
	err            error
}

// flood has a contender create an object through one API server every 100 ms, whatever
// becomes of those before, until stop is called, which waits for all answers.
func (s *stage) flood(t *testing.T, client kubernetes.Interface, prefix string) (stop func() []late) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan []late, 1)
	go func() {
		var mu sync.Mutex
		var all []late
		var open sync.WaitGroup
		for tick := time.NewTicker(100 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			open.Go(func() {
				one := late{sent: time.Now()}
				within, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				made, err := client.CoreV1().ConfigMaps(namespace).Create(within, configMap(fmt.Sprintf("%s-%d", prefix, one.sent.UnixNano())), metav1.CreateOptions{})
				one.answered, one.err = time.Now(), err
				if err == nil {
					one.revision, _ = strconv.ParseInt(made.ResourceVersion, 10, 64)
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, one)
			})
		}
		open.Wait()
		done <- all
	}()
	return func() []late { cancel(); return <-done }
}

// An API server is cut from etcd, another contender takes over through a server that
// is not, and the old holder writes on through the one that is cut: what it sends
// before its lease ends may be committed when the cut has healed, and nothing later.
func TestAServerThatIsCutFromItsStorage(t *testing.T) {
	s := newStage(t, "", "")
	old, next := s.pods[0], s.pods[1]
	s.holds(t, old.identity, 0)
	s.objects(t)
	s.install(t, s.fence(t, "configmaps"))
	for _, cut := range []time.Duration{10 * time.Second, 25 * time.Second} {
		t.Run(cut.String(), func(t *testing.T) {
			s.holds(t, old.identity, 0)
			renewed := time.Now()
			for _, client := range old.clients {
				s.accepts(t, client)
			}
			stop := s.flood(t, old.clients[0], fmt.Sprintf("cut-%.0f", cut.Seconds()))
			time.Sleep(500 * time.Millisecond)
			server, etcd := s.lab.APIServers()[0].Host().Addr(), s.lab.Etcd().Host().Addr()
			begun := time.Now()
			require.NoError(t, s.lab.Lose(lab.Loss{From: server, To: etcd}, lab.Loss{From: etcd, To: server}))
			s.holdsThrough(t, 1, next.identity)
			taken := time.Now()
			lease, err := s.admin[1].CoordinationV1().Leases(namespace).Get(t.Context(), s.lease.Name, metav1.GetOptions{})
			require.NoError(t, err)
			takeover, err := strconv.ParseInt(lease.ResourceVersion, 10, 64)
			require.NoError(t, err)
			s.refuses(t, old.clients[1])
			for time.Since(begun) < cut {
				s.holdsThrough(t, 1, next.identity) // it renews
				time.Sleep(time.Second)
			}
			require.NoError(t, s.lab.LoseNothing())
			healed := time.Now()
			s.until(t, "the new holder's writes, where the cut was", func(ctx context.Context) error {
				s.holdsThrough(t, 1, next.identity)
				within, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				return writes["update"](within, next.clients[0])
			})
			back := time.Now()
			s.refuses(t, old.clients[0])

			var sent, refused, through, unserved int
			var lastSent, lastAnswered time.Time
			for _, one := range stop() {
				if one.sent.Before(taken) {
					continue
				}
				sent++
				switch {
				case one.err == nil:
					require.Greater(t, one.revision, takeover, "it was sent after the takeover")
					through++
					if one.sent.After(lastSent) {
						lastSent = one.sent
					}
					if one.answered.After(lastAnswered) {
						lastAnswered = one.answered
					}
				case fence.Refused(one.err, s.lease):
					refused++
				default:
					assert.False(t, apierrors.IsForbidden(one.err), "%v", one.err)
					unserved++
				}
			}
			t.Logf("figure: fence: API server cut from etcd for %v: of %d writes that the old holder sent to it after the takeover, %d were committed, %d refused and %d not served; the last that was committed was sent %v after the last renewal, of a lease of %v, and answered %v after the takeover, %v after the cut had healed; the new holder could write there again %v after the cut had healed",
				cut, sent, through, refused, unserved, since(renewed, lastSent), leaseFor, since(taken, lastAnswered), since(healed, lastAnswered), since(healed, back))
			assert.Less(t, lastSent.Sub(renewed), leaseFor+time.Second, "times are stamped in whole seconds")
			assert.Less(t, lastAnswered.Sub(renewed), leaseFor+requestTimeout)
			if cut > leaseFor {
				assert.Positive(t, refused, "after the end of the lease")
			}
		})
	}
}

// since is the time between two moments, 0 where the second does not exist.
func since(from, to time.Time) time.Duration { return max(0, to.Sub(from)).Round(time.Millisecond) }

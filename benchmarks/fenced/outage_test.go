package fenced

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/holdfast-go/holdfast/leaderelection/fence"
)

// outcomes are what became of the writes that a contender has sent.
type outcomes struct {
	// last is when the last write was sent that was accepted, first when the first one
	// was refused; zero where none was.
	last, first                 time.Time
	accepted, refused, unserved int
}

// persist has a contender write through one API server every 20 ms until stop is
// called, which returns what became of that. A write that is not answered is given
// up after a while, as an operator's would be.
func (s *stage) persist(t *testing.T, client kubernetes.Interface) (stop func() outcomes) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan outcomes, 1)
	go func() {
		var o outcomes
		for tick := time.NewTicker(20 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			sent := time.Now()
			within, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			err := writes["update"](within, client)
			cancel()
			switch {
			case err == nil:
				o.accepted++
				o.last = sent
			case fence.Refused(err, s.lease):
				o.refused++
				if o.first.IsZero() {
					o.first = sent
				}
			default:
				o.unserved++
			}
		}
		done <- o
	}()
	return func() outcomes { cancel(); return <-done }
}

// accepts and refuses wait until an API server answers a contender's write so.
func (s *stage) accepts(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	s.until(t, "a write that is accepted", func(ctx context.Context) error { return writes["update"](ctx, client) })
}

func (s *stage) refuses(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	s.until(t, "a refusal", func(ctx context.Context) error { return notRefused(s, writes["update"](ctx, client)) })
}

// What a deposed leader can write while something that the fence rests on is
// missing, and for how long after that is back.
func TestWhatGetsThroughAnOutage(t *testing.T) {
	s := newStage(t, "", "")
	s.objects(t)
	old, next := s.pods[0], s.pods[1]
	f := s.fence(t, "configmaps")
	s.holds(t, old.identity, 0)
	s.install(t, f)
	policies, bindings := s.admin[1].AdmissionregistrationV1().ValidatingAdmissionPolicies(), s.admin[1].AdmissionregistrationV1().ValidatingAdmissionPolicyBindings()
	row := func(what, format string, values ...any) {
		t.Logf("figure: fence: %s: %s", what, fmt.Sprintf(format, values...))
	}
	// led makes the old contender the holder, as far as both servers know.
	led := func(t *testing.T) {
		t.Helper()
		s.holds(t, old.identity, 0)
		for _, client := range old.clients {
			s.accepts(t, client)
		}
	}
	soon := func(from, to time.Time) time.Duration { return max(0, to.Sub(from)).Round(time.Millisecond) }

	t.Run("etcd stopped", func(t *testing.T) {
		led(t)
		stop := s.persist(t, old.clients[0])
		time.Sleep(200 * time.Millisecond)
		require.NoError(t, s.lab.Etcd().Freeze())
		time.Sleep(3 * time.Second)
		require.NoError(t, s.lab.Etcd().Thaw())
		s.until(t, "a takeover", func(ctx context.Context) error {
			lease, err := s.admin[1].CoordinationV1().Leases(namespace).Get(ctx, s.lease.Name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			lease.Spec.HolderIdentity = &next.identity
			now := metav1.NewMicroTime(time.Now())
			lease.Spec.RenewTime = &now
			_, err = s.admin[1].CoordinationV1().Leases(namespace).Update(ctx, lease, metav1.UpdateOptions{})
			return err
		})
		taken := time.Now()
		s.refuses(t, old.clients[0])
		o := stop()
		row("etcd stopped for 3 s", "the old holder's last accepted write was sent %v after the takeover that followed", soon(taken, o.last))
		assert.Less(t, o.last.Sub(taken), time.Second)
	})

	t.Run("server restarted", func(t *testing.T) {
		led(t)
		require.NoError(t, s.lab.APIServers()[0].Kill())
		s.holdsThrough(t, 1, next.identity)
		s.refuses(t, old.clients[1])
		stop := s.persist(t, old.clients[0]) // from the first moment at which it serves
		restart, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.NoError(t, s.lab.APIServers()[0].Restart(restart))
		s.refuses(t, old.clients[0])
		o := stop()
		row("API server restarted after the takeover", "%d writes of the old holder were accepted, %d were not served before the first refusal", o.accepted, o.unserved)
		assert.Zero(t, o.accepted)
	})

	for _, missing := range []struct {
		what           string
		remove, remake func(ctx context.Context) error
	}{
		{"policy", func(ctx context.Context) error {
			return policies.Delete(ctx, fence.Policy(s.lease), metav1.DeleteOptions{})
		}, func(ctx context.Context) error {
			return s.remake(ctx, t, f, "ValidatingAdmissionPolicy")
		}},
		{"binding", func(ctx context.Context) error {
			return bindings.Delete(ctx, fence.Policy(s.lease), metav1.DeleteOptions{})
		}, func(ctx context.Context) error {
			return s.remake(ctx, t, f, "ValidatingAdmissionPolicyBinding")
		}},
	} {
		t.Run(missing.what+" removed and made again", func(t *testing.T) {
			led(t)
			s.holdsThrough(t, 1, next.identity)
			s.refuses(t, old.clients[0])
			require.NoError(t, missing.remove(t.Context()))
			removed := time.Now()
			s.accepts(t, old.clients[0])
			row(missing.what+" removed", "the old holder's writes were accepted from %v after that on", soon(removed, time.Now()))
			// Who holds the lease changes while nobody goes by it.
			s.holdsThrough(t, 1, old.identity)
			s.holdsThrough(t, 1, next.identity)
			stop := s.persist(t, old.clients[0])
			require.NoError(t, missing.remake(t.Context()))
			remade := time.Now()
			s.refuses(t, old.clients[0])
			o := stop()
			row(missing.what+" made again", "the old holder's last accepted write was sent %v after that", soon(remade, o.last))
			assert.Less(t, o.last.Sub(remade), 5*time.Second)
			s.accepts(t, next.clients[0])
			// And the server hears of later takeovers: the keeper has kept it watching.
			led(t)
			s.holdsThrough(t, 1, next.identity)
			s.refuses(t, old.clients[0])
		})
	}

	t.Run("Lease deleted and made again", func(t *testing.T) {
		led(t)
		s.holdsThrough(t, 1, next.identity)
		s.refuses(t, old.clients[0])
		leases := s.admin[1].CoordinationV1().Leases(namespace)
		require.ErrorContains(t, leases.Delete(t.Context(), s.lease.Name, metav1.DeleteOptions{}), "is what a fence goes by")
		require.NoError(t, bindings.Delete(t.Context(), "fence-lease."+namespace+"."+s.lease.Name, metav1.DeleteOptions{}))
		stop := s.persist(t, old.clients[0])
		s.until(t, "the deletion", func(ctx context.Context) error { return leases.Delete(ctx, s.lease.Name, metav1.DeleteOptions{}) })
		s.until(t, "a refusal of everyone", func(ctx context.Context) error {
			if err := writes["update"](ctx, next.clients[0]); err == nil {
				return assert.AnError
			}
			return nil
		})
		s.holdsThrough(t, 1, next.identity)
		made := time.Now()
		s.accepts(t, next.clients[0])
		accepted := time.Now()
		o := stop()
		row("Lease deleted by force and made again", "%d writes of the old holder were accepted; the new holder's were from %v after it was made again on", o.accepted, soon(made, accepted))
		assert.Zero(t, o.accepted)
	})
}

// remake creates again the last object of a kind of a fence, which is that of the
// fence itself.
func (s *stage) remake(ctx context.Context, t *testing.T, f fence.Fence, kind string) error {
	objects, err := f.Objects()
	if err != nil {
		return err
	}
	for i := len(objects) - 1; i >= 0; i-- {
		if objects[i].GetObjectKind().GroupVersionKind().Kind == kind {
			s.create(t, objects[i])
			return ctx.Err()
		}
	}
	return fmt.Errorf("a fence has no %s", kind)
}

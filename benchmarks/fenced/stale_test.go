package fenced

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-go/holdfast/leaderelection/fence"
)

// An API server whose view of the Lease is stalled lets the old holder write until
// the lease ends, and no longer.
func TestAServerThatDoesNotHearOfTheTakeover(t *testing.T) {
	store := newLeaseStore(t)
	s := newStageWith(t, store.args(), "", "")
	old, next := s.pods[0], s.pods[1]
	s.objects(t)
	s.holds(t, old.identity, 0)
	s.install(t, s.fence(t, "configmaps"))
	for _, client := range old.clients {
		require.NoError(t, writes["update"](t.Context(), client))
	}

	s.holds(t, old.identity, 0)
	renewed := time.Now()
	s.until(t, "the renewal at the server that will be stalled", func(ctx context.Context) error {
		lease, err := s.admin[0].CoordinationV1().Leases(namespace).Get(ctx, s.lease.Name, metav1.GetOptions{ResourceVersion: "0"})
		if err == nil && lease.Spec.RenewTime.Time.Before(renewed.Add(-time.Second)) {
			return assert.AnError
		}
		return err
	})
	time.Sleep(200 * time.Millisecond) // what the policy's informer takes after the cache
	store.stall(s.lab.APIServers()[0].Host().Addr())
	s.holdsThrough(t, 1, next.identity)
	taken := time.Now()
	s.until(t, "the takeover, at the server that hears of it", func(ctx context.Context) error { return notRefused(s, writes["update"](ctx, old.clients[1])) })
	require.NoError(t, writes["update"](t.Context(), old.clients[0]), "the stalled one does not know better")

	var last time.Time
	accepted := 0
	deadline := renewed.Add(leaseFor + 5*time.Second)
	for time.Now().Before(deadline) {
		sent := time.Now()
		err := writes["update"](t.Context(), old.clients[0])
		switch {
		case err == nil:
			accepted++
			last = sent
		case fence.Refused(err, s.lease):
		default:
			require.NoError(t, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Logf("figure: fence: through the API server that did not hear of the takeover the old holder had %d writes accepted, the last one %v after the takeover and %v after its last renewal, of a lease of %v",
		accepted, last.Sub(taken).Round(time.Millisecond), last.Sub(renewed).Round(time.Millisecond), leaseFor)
	assert.Less(t, last.Sub(renewed), leaseFor+2*time.Second, "times are stamped in whole seconds")
	assert.Greater(t, accepted, 0)

	store.stall(netip.Addr{})
	s.holdsThrough(t, 1, next.identity)
	s.until(t, "the stalled server's recovery", func(ctx context.Context) error { return writes["update"](ctx, next.clients[0]) })
}

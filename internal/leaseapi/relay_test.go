package leaseapi

import (
	"context"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/utils/ptr"
)

// brief is how long a test waits for the lack of an answer. A longer wait would
// find nothing else, so it cannot make a test fail that should not.
const brief = 300 * time.Millisecond

// get asks for a lease and waits for the answer within a bound.
func get(t *testing.T, leases coordinationv1client.LeaseInterface, within time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	_, err := leases.Get(ctx, "l", metav1.GetOptions{})
	return err
}

// answered demands an answer to a request for the lease.
func answered(t *testing.T, leases coordinationv1client.LeaseInterface, why ...any) {
	t.Helper()
	require.NoError(t, get(t, leases, patience), why...)
}

// unanswered demands that there is none.
func unanswered(t *testing.T, leases coordinationv1client.LeaseInterface, why ...any) {
	t.Helper()
	require.ErrorIs(t, get(t, leases, brief), context.DeadlineExceeded, why...)
}

func leasesOf(t *testing.T, host *Host) coordinationv1client.LeaseInterface {
	t.Helper()
	return clientFor(t, host.Config()).CoordinationV1().Leases("default")
}

// existing creates the lease "l" past all faults.
func existing(t *testing.T, endpoint *Endpoint) {
	t.Helper()
	_, err := clientFor(t, endpoint.Config()).CoordinationV1().Leases("default").Create(t.Context(), newLease("l"), metav1.CreateOptions{})
	require.NoError(t, err)
}

func namesOf(endpoints []*Endpoint) []string {
	names := []string{}
	for _, endpoint := range endpoints {
		names = append(names, endpoint.Name())
	}
	return names
}

func TestAConnectionStaysWhereItWas(t *testing.T) {
	_, endpoints := serve(t, Options{}, "a", "b")
	existing(t, endpoints[0])
	relay := NewRelay(nil, endpoints[0])
	defer relay.Close()
	host := newHost(t, relay, "one")
	leases := leasesOf(t, host)
	answered(t, leases)
	relay.Name(endpoints[1])
	answered(t, leases)
	assert.Equal(t, []string{"a"}, namesOf(host.Endpoints()), "the address naming another moves no connection")

	other := newHost(t, relay, "two")
	answered(t, leasesOf(t, other))
	assert.Equal(t, []string{"b"}, namesOf(other.Endpoints()))
}

func TestChoicesRepeatWithTheirSeed(t *testing.T) {
	_, endpoints := serve(t, Options{}, "a", "b", "c")
	choices := func() []string {
		relay := NewRelay(rand.New(rand.NewPCG(1, 2)), endpoints...)
		var names []string
		for range 30 {
			names = append(names, relay.choose().Name())
		}
		return names
	}
	first := choices()
	assert.Equal(t, first, choices())
	assert.Subset(t, first, []string{"a", "b", "c"})
}

func TestASilencedEndpointKeepsItsConnectionsAndAnswersNothing(t *testing.T) {
	_, endpoints := serve(t, Options{}, "a", "b")
	existing(t, endpoints[0])
	relay := NewRelay(nil, endpoints[0])
	defer relay.Close()
	host := newHost(t, relay, "one")
	leases := leasesOf(t, host)
	answered(t, leases)

	endpoints[0].Silence()
	unanswered(t, leases)
	assert.Equal(t, []string{"a"}, namesOf(host.Endpoints()), "the connection is still open")
	unanswered(t, leasesOf(t, newHost(t, relay, "two")), "a new connection hears nothing either")
	answered(t, clientFor(t, endpoints[0].Config()).CoordinationV1().Leases("default"), "the process itself is well")

	relay.Name(endpoints[1])
	unanswered(t, leases, "HTTP/2 goes on using the dead connection")
	answered(t, leasesOf(t, newHost(t, relay, "three")))

	endpoints[0].Mend()
	answered(t, leases, "what was held up arrives when the network is mended")
}

func TestASilencedHostHarmsNoOther(t *testing.T) {
	_, endpoints := serve(t, Options{}, "a")
	existing(t, endpoints[0])
	relay := NewRelay(nil, endpoints...)
	defer relay.Close()
	one, two := newHost(t, relay, "one"), newHost(t, relay, "two")
	first, second := leasesOf(t, one), leasesOf(t, two)
	answered(t, first)
	one.Silence()
	unanswered(t, first)
	answered(t, second)
	one.Mend()
	answered(t, first)
}

func TestASilencedWatchIsNotEnded(t *testing.T) {
	_, endpoints := serve(t, Options{}, "a", "b")
	existing(t, endpoints[0])
	relay := NewRelay(nil, endpoints[0])
	defer relay.Close()
	w, err := leasesOf(t, newHost(t, relay, "one")).Watch(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	defer w.Stop()
	require.Equal(t, watch.Added, next(t, w).Type)
	endpoints[0].Silence()
	require.NoError(t, clientFor(t, endpoints[1].Config()).CoordinationV1().Leases("default").Delete(t.Context(), "l", metav1.DeleteOptions{}))
	select {
	case event, ok := <-w.ResultChan():
		require.Fail(t, "the watch heard something", "%v, open: %v", event, ok)
	case <-time.After(brief):
	}
	endpoints[0].Mend()
	assert.Equal(t, watch.Deleted, next(t, w).Type)
}

func TestAFrozenEndpointReadsNothing(t *testing.T) {
	_, endpoints := serve(t, Options{}, "a")
	existing(t, endpoints[0])
	relay := NewRelay(nil, endpoints...)
	defer relay.Close()
	leases := leasesOf(t, newHost(t, relay, "one"))
	answered(t, leases)
	endpoints[0].Freeze()
	unanswered(t, leases)
	endpoints[0].Mend()
	answered(t, leases)
}

func TestAnswersCanBeLate(t *testing.T) {
	_, endpoints := serve(t, Options{}, "a")
	existing(t, endpoints[0])
	relay := NewRelay(nil, endpoints...)
	defer relay.Close()
	leases := leasesOf(t, newHost(t, relay, "one"))
	answered(t, leases)
	const late = 100 * time.Millisecond
	endpoints[0].DelayAnswers(late)
	start := time.Now()
	_, err := leases.Get(t.Context(), "l", metav1.GetOptions{})
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(start), late)
}

func TestAnAnswerCanBeLostAfterItsCommit(t *testing.T) {
	for _, protos := range [][]string{{"http/1.1"}, nil} {
		committed := make(chan Commit, 8)
		_, endpoints := serve(t, Options{OnCommit: func(c Commit) { committed <- c }}, "a")
		config := endpoints[0].Config()
		config.NextProtos = protos
		leases := clientFor(t, config).CoordinationV1().Leases("default")
		lease, err := leases.Create(t.Context(), newLease("l"), metav1.CreateOptions{})
		require.NoError(t, err)
		<-committed

		endpoints[0].DropAnswers(1)
		lease.Spec.HolderIdentity = ptr.To("two")
		ctx, giveUp := context.WithCancel(t.Context())
		lost := make(chan error, 1)
		go func() {
			_, err := leases.Update(ctx, lease, metav1.UpdateOptions{})
			lost <- err
		}()
		assert.Equal(t, "two", *(<-committed).Lease.Spec.HolderIdentity)
		select {
		case err := <-lost:
			require.Fail(t, "an answer came", "%v", err)
		case <-time.After(brief):
		}
		giveUp()
		require.ErrorIs(t, <-lost, context.Canceled)

		other := clientFor(t, endpoints[0].Config()).CoordinationV1().Leases("default")
		_, err = other.Update(t.Context(), lease, metav1.UpdateOptions{})
		assert.True(t, apierrors.IsConflict(err), "the write stands, and only one answer is lost: %v", err)
	}
}

func TestAnAddressWithoutEndpointsRefuses(t *testing.T) {
	_, endpoints := serve(t, Options{}, "a")
	relay := NewRelay(nil, endpoints...)
	defer relay.Close()
	host := newHost(t, relay, "one")
	relay.Name()
	// client-go tries again after a reset, so what it meets stands inside its error.
	err := get(t, leasesOf(t, host), brief)
	require.ErrorContains(t, err, "connection reset by peer")
	_, err = relay.Host("two")
	assert.ErrorContains(t, err, `"two"`)
}

func TestAClosedHostHangsUp(t *testing.T) {
	_, endpoints := serve(t, Options{}, "a")
	relay := NewRelay(nil, endpoints...)
	host := newHost(t, relay, "one")
	conn, err := net.Dial("tcp4", host.listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	require.Eventually(t, func() bool { return len(host.Endpoints()) == 1 }, patience, time.Millisecond)
	host.Close()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err)
	timeout, ok := err.(net.Error)
	assert.False(t, ok && timeout.Timeout(), "the connection was closed, not left open: %v", err)
	relay.Close()
	_, err = relay.Host("two")
	assert.ErrorIs(t, err, errClosed)
}

func TestAConnectionThatItsClientClosedIsNotOpenThoughASilentEndpointCannotHearOfIt(t *testing.T) {
	_, endpoints := serve(t, Options{}, "a")
	relay := NewRelay(nil, endpoints...)
	defer relay.Close()
	host := newHost(t, relay, "one")
	conn, err := net.Dial("tcp4", host.listener.Addr().String())
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(host.Endpoints()) == 1 }, patience, time.Millisecond)
	// What arrived before the silence shows that the bytes are being moved.
	_, err = conn.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
	_, err = conn.Read(make([]byte, 1))
	require.NoError(t, err)
	endpoints[0].Silence()
	require.NoError(t, conn.Close())
	require.Eventually(t, func() bool { return len(host.Endpoints()) == 0 }, patience, time.Millisecond)
}

func TestAConnectionIsNotOpenBeforeAByteCanPass(t *testing.T) {
	_, endpoints := serve(t, Options{}, "a")
	relay := NewRelay(nil, endpoints...)
	defer relay.Close()
	host := newHost(t, relay, "one")
	host.Silence()
	conn, err := net.Dial("tcp4", host.listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	unanswered(t, leasesOf(t, host))
	assert.Empty(t, host.Endpoints())
	host.Mend()
	require.Eventually(t, func() bool { return slices.Contains(namesOf(host.Endpoints()), "a") }, patience, time.Millisecond)
}

func TestAnEndpointThatDiedRefuses(t *testing.T) {
	store := NewStore(Options{})
	endpoint, err := store.Serve("a")
	require.NoError(t, err)
	relay := NewRelay(nil, endpoint)
	defer relay.Close()
	host := newHost(t, relay, "one")
	require.NoError(t, endpoint.Close())
	err = get(t, leasesOf(t, host), brief)
	assert.ErrorContains(t, err, "connection reset by peer")
}

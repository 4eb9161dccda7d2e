package main

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"

	"github.com/holdfast-go/holdfast/examples/controller/publish"
	"github.com/holdfast-go/holdfast/internal/leaseapi"
	election "github.com/holdfast-go/holdfast/leaderelection/options"
	"github.com/holdfast-go/holdfast/resourcelock"
)

const soon, often = 30 * time.Second, 10 * time.Millisecond

// contending runs a contender whose work is real and whose API has Leases only,
// with the durations cut short. Its error is what run returned.
func contending(t *testing.T, change func(*election.Options)) (c *contender, lose func() error, end func(), ended <-chan error) {
	endpoint, err := leaseapi.NewStore(leaseapi.Options{}).Serve("api")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, endpoint.Close()) })
	o := election.Default()
	o.ResourceNamespace, o.ResourceName, o.ReleaseOnCancel = "kube-system", component, true
	o.LeaseDuration.Duration, o.RenewDeadline.Duration, o.RetryPeriod.Duration = time.Second, 600*time.Millisecond, 200*time.Millisecond
	change(&o)

	ctx, cancel := context.WithCancel(t.Context())
	to := &connections{identity: "me", traffic: fake.NewClientset(), recorder: record.NewFakeRecorder(100)}
	to.election, err = o.Config(endpoint.Config(), resourcelock.ResourceLockConfig{Identity: to.identity})
	require.NoError(t, err)
	publisher, err := publish.New(publish.Config{Client: to.traffic, Recorder: to.recorder, Selector: labels.Everything(), Domain: "example.internal",
		Target: publish.Target{Namespace: "kube-system", Name: component, Key: "key", Owner: "kube-system/" + component}})
	require.NoError(t, err)
	// As in run, the caches outlive the election.
	caching, stopCaching := context.WithCancel(context.WithoutCancel(ctx))
	var running, caches sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait(); stopCaching(); caches.Wait() })
	caches.Go(func() { publisher.Run(caching) })

	c, err = contend(ctx, func(err error) { assert.NoError(t, err) }, to, publisher)
	require.NoError(t, err)
	result := make(chan error, 1)
	running.Go(func() { result <- c.run(ctx) })
	require.Eventually(t, c.elector.IsLeader, soon, often)
	return c, func() error { return remove(t, endpoint.Config()) }, cancel, result
}

// remove deletes the Lease, which ends a term.
func remove(t *testing.T, config *rest.Config) error {
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	return client.CoordinationV1().Leases("kube-system").Delete(t.Context(), component, metav1.DeleteOptions{})
}

func TestALostTermIsAnErrorThatSaysSo(t *testing.T) {
	_, lose, _, ended := contending(t, func(*election.Options) {})
	require.NoError(t, lose())
	select {
	case err := <-ended:
		require.ErrorIs(t, err, errLost)
		assert.ErrorContains(t, err, "the Lease was deleted")
	case <-time.After(soon):
		require.Fail(t, "still contending")
	}
}

func TestAContenderThatIsToContendAgainLeadsAgain(t *testing.T) {
	c, lose, cancel, ended := contending(t, func(o *election.Options) { o.ContendAgain = true })
	for range 2 {
		lost := c.elector.Term()
		require.NoError(t, lose())
		require.Eventually(t, func() bool { return c.elector.IsLeader() && c.elector.Term() != lost }, soon, often)
	}
	cancel()
	select {
	case err := <-ended:
		assert.NoError(t, err)
	case <-time.After(soon):
		require.Fail(t, "still contending after its end")
	}
}

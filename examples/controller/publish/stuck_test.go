package publish

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"
)

// silentAPI is a fake API that never answers the creation of a ConfigMap.
type silentAPI struct {
	*fake.Clientset
	entered chan struct{}
}

func (s silentAPI) CoreV1() typedcorev1.CoreV1Interface {
	return silentCore{s.Clientset.CoreV1(), s.entered}
}

type silentCore struct {
	typedcorev1.CoreV1Interface
	entered chan struct{}
}

func (s silentCore) ConfigMaps(namespace string) typedcorev1.ConfigMapInterface {
	return silentConfigMaps{s.CoreV1Interface.ConfigMaps(namespace), s.entered}
}

type silentConfigMaps struct {
	typedcorev1.ConfigMapInterface
	entered chan struct{}
}

func (s silentConfigMaps) Create(ctx context.Context, _ *corev1.ConfigMap, _ metav1.CreateOptions) (*corev1.ConfigMap, error) {
	s.entered <- struct{}{}
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAWriteInFlightEndsWithTheTerm(t *testing.T) {
	api := silentAPI{fake.NewClientset(), make(chan struct{}, 1)}
	publisher, err := New(Config{Client: api, Recorder: record.NewFakeRecorder(1), Selector: published, Domain: "example.internal", Target: target})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var caches, work sync.WaitGroup
	caches.Go(func() { publisher.Run(ctx) })
	defer caches.Wait()
	defer cancel()

	term, end := context.WithCancel(ctx)
	defer end()
	work.Go(func() { assert.NoError(t, publisher.Lead(term)) })
	<-api.entered
	ended := time.Now()
	end()
	work.Wait()
	assert.Less(t, time.Since(ended), writeBound/2, "the work outlasted its term")
}

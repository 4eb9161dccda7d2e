package publish

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2/ktesting"
)

const soon, often = 10 * time.Second, 20 * time.Millisecond

var published = labels.SelectorFromSet(labels.Set{"publish": "true"})

// bench is a Publisher on a fake API, with its caches running.
type bench struct {
	t         *testing.T
	ctx       context.Context
	client    *fake.Clientset
	events    *record.FakeRecorder
	publisher *Publisher
}

func newBench(t *testing.T, objects ...runtime.Object) *bench {
	_, ctx := ktesting.NewTestContext(t)
	ctx, cancel := context.WithCancel(ctx)
	b := &bench{t: t, ctx: ctx, client: fake.NewClientset(objects...), events: record.NewFakeRecorder(100)}
	var err error
	b.publisher, err = New(Config{Client: b.client, Recorder: b.events, Selector: published, Domain: "example.internal", Target: target})
	require.NoError(t, err)
	var caches sync.WaitGroup
	caches.Go(func() { b.publisher.Run(ctx) })
	t.Cleanup(func() { cancel(); caches.Wait() })
	require.Eventually(t, b.publisher.Synced, soon, often)
	return b
}

// lead starts a term; the returned function ends it and waits for its end.
func (b *bench) lead() (stop func()) {
	term, cancel := context.WithCancel(b.ctx)
	var work sync.WaitGroup
	work.Go(func() { assert.NoError(b.t, b.publisher.Lead(term)) })
	stop = func() { cancel(); work.Wait() }
	b.t.Cleanup(stop)
	return stop
}

func (b *bench) configMap() *corev1.ConfigMap {
	configMap, err := b.client.CoreV1().ConfigMaps(target.Namespace).Get(b.ctx, target.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	require.NoError(b.t, err)
	return configMap
}

// shows waits until the block has exactly these lines.
func (b *bench) shows(lines ...string) {
	b.t.Helper()
	want := "hosts {\n"
	for _, line := range lines {
		want += "    " + line + "\n"
	}
	want += "    fallthrough\n}\n"
	require.Eventually(b.t, func() bool {
		configMap := b.configMap()
		return configMap != nil && configMap.Data[target.Key] == want
	}, soon, often, "the block never became:\n%s", want)
}

func (b *bench) add(services ...*corev1.Service) {
	for _, s := range services {
		_, err := b.client.CoreV1().Services(s.Namespace).Create(b.ctx, s, metav1.CreateOptions{})
		require.NoError(b.t, err)
	}
}

func (b *bench) writes() (n int) {
	for _, action := range b.client.Actions() {
		if action.GetResource().Resource == "configmaps" && (action.GetVerb() == "create" || action.GetVerb() == "update") {
			n++
		}
	}
	return n
}

func (b *bench) event() string {
	b.t.Helper()
	select {
	case event := <-b.events.Events:
		return event
	case <-time.After(soon):
		require.Fail(b.t, "no event came")
		return ""
	}
}

func service(name, ip string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{"publish": "true"}},
		Spec:       corev1.ServiceSpec{ClusterIP: ip, ClusterIPs: []string{ip}},
	}
}

func TestLeaderFollowsServicesAsTheyComeAndGo(t *testing.T) {
	b := newBench(t, service("web", "10.0.0.1"))
	b.lead()
	b.shows("10.0.0.1 web.shop.example.internal")
	b.add(service("db", "10.0.0.2"))
	b.shows("10.0.0.2 db.shop.example.internal", "10.0.0.1 web.shop.example.internal")
	require.NoError(t, b.client.CoreV1().Services("shop").Delete(b.ctx, "web", metav1.DeleteOptions{}))
	b.shows("10.0.0.2 db.shop.example.internal")
}

func TestWithoutServicesTheBlockIsEmpty(t *testing.T) {
	b := newBench(t)
	b.lead()
	b.shows()
}

func TestOnlyALeaderWrites(t *testing.T) {
	b := newBench(t, service("web", "10.0.0.1"))
	b.add(service("db", "10.0.0.2"))
	require.Eventually(t, func() bool { return len(b.publisher.caches.services.all()) == 2 }, soon, often)
	assert.Zero(t, b.writes(), "a candidate wrote")

	stop := b.lead()
	b.shows("10.0.0.2 db.shop.example.internal", "10.0.0.1 web.shop.example.internal")
	stop()
	written := b.writes()
	b.add(service("late", "10.0.0.3"))
	require.Eventually(t, func() bool { return len(b.publisher.caches.services.all()) == 3 }, soon, often)
	assert.Equal(t, written, b.writes(), "a former leader wrote")

	b.lead() // the next term starts from the warm caches
	b.shows("10.0.0.2 db.shop.example.internal", "10.0.0.3 late.shop.example.internal", "10.0.0.1 web.shop.example.internal")
}

// In virtual time the burst takes none, however busy the machine is.
func TestABurstOfServicesCostsFewWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.lead()
		b.shows()
		var lines []string
		for i := range 100 {
			name, ip := fmt.Sprintf("s%02d", i), fmt.Sprintf("10.0.1.%d", i)
			b.add(service(name, ip))
			lines = append(lines, ip+" "+name+".shop.example.internal")
		}
		b.shows(lines...)
		assert.LessOrEqual(t, b.writes(), 3, "writes for a burst of 100 Services")
	})
}

func TestWhatOthersDoToTheConfigMapIsUndone(t *testing.T) {
	b := newBench(t, service("web", "10.0.0.1"))
	b.lead()
	b.shows("10.0.0.1 web.shop.example.internal")
	target := b.client.CoreV1().ConfigMaps(target.Namespace)

	require.NoError(t, target.Delete(b.ctx, "hosts", metav1.DeleteOptions{}))
	b.shows("10.0.0.1 web.shop.example.internal")

	edited := b.configMap()
	edited.Data = map[string]string{"services.override": "gone", "other.server": "theirs"}
	_, err := target.Update(b.ctx, edited, metav1.UpdateOptions{})
	require.NoError(t, err)
	b.shows("10.0.0.1 web.shop.example.internal")
	assert.Equal(t, "theirs", b.configMap().Data["other.server"])
}

func TestAConfigMapOfSomeoneElseIsLeftAloneUntilItIsHandedOver(t *testing.T) {
	theirs := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: target.Namespace, Name: target.Name, UID: "theirs"},
		Data:       map[string]string{target.Key: "precious"},
	}
	b := newBench(t, theirs, service("web", "10.0.0.1"))
	b.lead()
	assert.Contains(t, b.event(), "Warning NotOwner")
	assert.Equal(t, "precious", b.configMap().Data[target.Key])
	assert.Zero(t, b.writes())

	handed := theirs.DeepCopy()
	handed.Annotations = map[string]string{OwnerAnnotation: target.Owner}
	_, err := b.client.CoreV1().ConfigMaps(target.Namespace).Update(b.ctx, handed, metav1.UpdateOptions{})
	require.NoError(t, err)
	b.shows("10.0.0.1 web.shop.example.internal")
}

func TestAProblemIsReportedOnceWhileItLasts(t *testing.T) {
	b := newBench(t, service("headless", corev1.ClusterIPNone))
	b.lead()
	assert.Contains(t, b.event(), "Warning NoClusterIP")
	b.add(service("web", "10.0.0.1"))
	b.shows("10.0.0.1 web.shop.example.internal")
	b.add(service("other", corev1.ClusterIPNone))
	assert.Contains(t, b.event(), "Warning NoClusterIP")
	assert.Empty(t, b.events.Events, "an event was repeated")
}

func TestAFailedWriteIsTriedAgain(t *testing.T) {
	for name, failure := range map[string]error{
		"server error": apierrors.NewInternalError(fmt.Errorf("disk full")),
		"conflict":     apierrors.NewConflict(schema.GroupResource{Resource: "configmaps"}, target.Name, fmt.Errorf("changed")),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, service("web", "10.0.0.1"))
			var failed atomic.Int32
			b.client.PrependReactor("create", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
				return failed.Add(1) <= 2, nil, failure
			})
			b.lead()
			b.shows("10.0.0.1 web.shop.example.internal")
			assert.EqualValues(t, 3, failed.Load())
		})
	}
}

func TestALeadersEndDoesNotWaitForCaches(t *testing.T) {
	publisher, err := New(Config{Client: fake.NewClientset(), Recorder: record.NewFakeRecorder(1), Selector: published, Domain: "example.internal", Target: target})
	require.NoError(t, err)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, publisher.Lead(ended), "caches never ran")
}

func TestCachesThatEndWithTheTermAreNoError(t *testing.T) {
	publisher, err := New(Config{Client: fake.NewClientset(), Recorder: record.NewFakeRecorder(1), Selector: published, Domain: "example.internal", Target: target})
	require.NoError(t, err)
	ending, cancel := context.WithCancel(t.Context())
	defer cancel()
	var caches sync.WaitGroup
	caches.Go(func() { publisher.Run(ending) })
	require.Eventually(t, publisher.Synced, soon, often)
	cancel()
	caches.Wait()
	assert.NoError(t, publisher.Lead(ending))
	assert.ErrorContains(t, publisher.Lead(t.Context()), "leading: listening to a cache", "a term that goes on cannot do without")
}

func TestNewNamesTheMissingField(t *testing.T) {
	full := Config{Client: fake.NewClientset(), Recorder: record.NewFakeRecorder(1), Selector: published, Domain: "example.internal", Target: target}
	for field, clear := range map[string]func(*Config){
		"Client":   func(c *Config) { c.Client = nil },
		"Recorder": func(c *Config) { c.Recorder = nil },
		"Selector": func(c *Config) { c.Selector = nil },
		"Domain":   func(c *Config) { c.Domain = "" },
		"Target":   func(c *Config) { c.Target.Owner = "" },
	} {
		config := full
		clear(&config)
		_, err := New(config)
		require.Error(t, err)
		assert.True(t, strings.Contains(err.Error(), "Config."+field), err)
	}
}

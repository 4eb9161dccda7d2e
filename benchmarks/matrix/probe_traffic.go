package matrix

import (
	"context"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/holdfast-go/holdfast/dialer"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

// numberKey is the key of a ConfigMap's data that holds the number of its
// last change.
const numberKey = "number"

// writePause is how long a writer waits between two updates: long enough for
// its connection to be idle most of the time.
const writePause = 250 * time.Millisecond

// trafficClient is a clientset with the profile for a controller's traffic, in
// which silence is noticed within the renew deadline.
func trafficClient(o probeOptions, config *rest.Config) (kubernetes.Interface, error) {
	config.QPS = -1
	if o.plain {
		return kubernetes.NewForConfig(config)
	}
	hardened, err := dialer.HardenTraffic(config, o.timing.RenewDeadline)
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(hardened)
}

// inform runs an informer of one ConfigMap and says each state it delivers.
func inform(ctx context.Context, o probeOptions, config *rest.Config, says *voice) error {
	client, err := trafficClient(o, config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace),
		informers.WithTweakListOptions(func(l *metav1.ListOptions) {
			l.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, o.object).String()
		}))
	seen := func(object any) {
		if m, ok := object.(*corev1.ConfigMap); ok && m.Name == o.object {
			says.say(event.Event{What: event.Seen, On: o.object, Reason: m.Data[numberKey]})
		}
	}
	_, err = factory.Core().V1().ConfigMaps().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    seen,
		UpdateFunc: func(_, now any) { seen(now) },
	})
	if err != nil {
		return err
	}
	factory.StartWithContext(ctx)
	<-ctx.Done()
	factory.Shutdown()
	return nil
}

// writeOn updates one ConfigMap again and again, each update based on the
// resourceVersion before it; what failed is read again first. No request has a
// timeout but the profile's.
func writeOn(ctx context.Context, o probeOptions, config *rest.Config, says *voice) error {
	client, err := trafficClient(o, config)
	if err != nil {
		return err
	}
	maps := client.CoreV1().ConfigMaps(namespace)
	var current *corev1.ConfigMap
	ask := func(verb string, do func() (*corev1.ConfigMap, error)) {
		begun := time.Now()
		says.say(event.Event{Time: begun, What: event.Asking, Verb: verb})
		next, err := do()
		took := time.Since(begun)
		if current = next; err != nil {
			current = nil
			if ctx.Err() == nil {
				says.say(event.Event{What: event.Refused, Verb: verb, Took: took, Reason: err.Error()})
			}
			return
		}
		says.say(event.Event{What: event.Answered, Verb: verb, Took: took})
	}
	for number := 0; ctx.Err() == nil; stage.Pause(ctx, writePause) {
		if current == nil {
			ask(verbGet, func() (*corev1.ConfigMap, error) { return maps.Get(ctx, o.object, metav1.GetOptions{}) })
		}
		if current == nil {
			continue
		}
		number++
		next := current.DeepCopy()
		next.Data = map[string]string{numberKey: strconv.Itoa(number)}
		ask(verbUpdate, func() (*corev1.ConfigMap, error) { return maps.Update(ctx, next, metav1.UpdateOptions{}) })
	}
	return nil
}

// The verbs of a writer's requests.
const (
	verbGet    = "get"
	verbUpdate = "update"
)

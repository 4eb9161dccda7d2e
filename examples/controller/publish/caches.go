package publish

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// caches hold the labelled Services of all namespaces and the one ConfigMap.
type caches struct {
	target     Target
	factories  []informers.SharedInformerFactory
	services   informerOf[*corev1.Service]
	configMaps informerOf[*corev1.ConfigMap]
}

// informerOf ties an informer to the type of what it holds.
type informerOf[T any] struct{ cache.SharedIndexInformer }

func (i informerOf[T]) all() []T {
	stored := i.GetStore().List()
	objects := make([]T, 0, len(stored))
	for _, object := range stored {
		if typed, ok := object.(T); ok {
			objects = append(objects, typed)
		}
	}
	return objects
}

// newCaches starts nothing. The ConfigMap is selected by name, which is what
// lets RBAC confine the watch to it.
func newCaches(client kubernetes.Interface, selector labels.Selector, target Target) *caches {
	services := informers.NewSharedInformerFactoryWithOptions(client, 0,
		informers.WithTransform(withoutManagedFields),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = selector.String() }))
	configMaps := informers.NewSharedInformerFactoryWithOptions(client, 0,
		informers.WithNamespace(target.Namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, target.Name).String()
		}))
	return &caches{
		target:     target,
		factories:  []informers.SharedInformerFactory{services, configMaps},
		services:   informerOf[*corev1.Service]{services.Core().V1().Services().Informer()},
		configMaps: informerOf[*corev1.ConfigMap]{configMaps.Core().V1().ConfigMaps().Informer()},
	}
}

// run fills the caches and keeps them current until ctx is done; it returns
// when all their goroutines have.
func (c *caches) run(ctx context.Context) {
	for _, factory := range c.factories {
		factory.Start(ctx.Done())
	}
	<-ctx.Done()
	for _, factory := range c.factories {
		factory.Shutdown()
	}
}

func (c *caches) synced() bool { return c.services.HasSynced() && c.configMaps.HasSynced() }

// configMap returns the ConfigMap, or nil when there is none.
func (c *caches) configMap() *corev1.ConfigMap {
	for _, configMap := range c.configMaps.all() {
		if configMap.Namespace == c.target.Namespace && configMap.Name == c.target.Name {
			return configMap
		}
	}
	return nil
}

// notify calls changed whenever a cache has changed, and once for what is in it
// already, until the returned function is called.
func (c *caches) notify(changed func()) (stop func(), err error) {
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { changed() },
		UpdateFunc: func(any, any) { changed() },
		DeleteFunc: func(any) { changed() },
	}
	var undo []func() error
	stop = func() {
		for _, f := range undo {
			_ = f() // fails only for a registration that is already gone
		}
	}
	for _, informer := range []cache.SharedIndexInformer{c.services, c.configMaps} {
		registration, err := informer.AddEventHandler(handler)
		if err != nil {
			stop()
			return nil, fmt.Errorf("listening to a cache: %w", err)
		}
		undo = append(undo, func() error { return informer.RemoveEventHandler(registration) })
	}
	return stop, nil
}

// withoutManagedFields drops what is never read and often is half of an object.
func withoutManagedFields(object any) (any, error) {
	if service, ok := object.(*corev1.Service); ok {
		service.ManagedFields = nil
	}
	return object, nil
}

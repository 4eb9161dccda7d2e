package holdfastprom_test

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/holdfast-go/holdfast/leaderelection"
	holdfastprom "github.com/holdfast-go/holdfast/leaderelection/prometheus"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// An election that is shown to Prometheus.
func ExampleNew() {
	metrics := holdfastprom.New()
	registry := prometheus.NewRegistry() // or controller-runtime's metrics.Registry, or legacyregistry.Registerer()
	registry.MustRegister(metrics)

	// In a cluster: resourcelock.NewFromKubeconfig, or NewFromKubeconfigWithOptions
	// with a dialer.Meter for what becomes of the connections.
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: "default", Name: "shop"},
		Client:     fake.NewClientset().CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: "a"},
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	config := leaderelection.LeaderElectionConfig{
		Lock: lock, Name: "shop", LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) {
				show(registry, "holdfast_leading")
				cancel()
			},
			OnStoppedLeading: func() {},
		},
	}
	metrics.Election(&config) // before the elector is made
	leaderelection.RunOrDie(ctx, config)
	show(registry, "holdfast_terms_begun_total")
	// Output:
	// holdfast_leading{name=shop} 1
	// holdfast_terms_begun_total{after=handover,name=shop} 0
	// holdfast_terms_begun_total{after=new_lease,name=shop} 1
	// holdfast_terms_begun_total{after=own_claim,name=shop} 0
	// holdfast_terms_begun_total{after=proof,name=shop} 0
	// holdfast_terms_begun_total{after=takeover,name=shop} 0
}

// show prints the series of a metric.
func show(registry prometheus.Gatherer, name string) {
	families, err := registry.Gather()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			fmt.Print(name, "{")
			for i, label := range metric.GetLabel() {
				if i > 0 {
					fmt.Print(",")
				}
				fmt.Print(label.GetName(), "=", label.GetValue())
			}
			fmt.Println("}", metric.GetGauge().GetValue()+metric.GetCounter().GetValue())
		}
	}
}

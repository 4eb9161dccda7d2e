package podlabel_test

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/leaderelection/podlabel"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// A contender whose Pod a Service selects while it leads.
func ExampleNew() {
	// In a cluster: a client from dialer.HardenTraffic, and what the downward API says.
	client := fake.NewClientset(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "carts-0", UID: "1234"}})
	label, err := podlabel.New(podlabel.Config{Pods: client.CoreV1().Pods("shop"), Pod: "carts-0", UID: "1234", Value: "carts"})
	if err != nil {
		fmt.Println(err)
		return
	}
	show := func() {
		leaders, err := client.CoreV1().Pods("shop").List(context.Background(), metav1.ListOptions{LabelSelector: podlabel.DefaultKey + "=carts"})
		fmt.Println(len(leaders.Items), "Pods bear the label", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := label.Drop(ctx); err != nil { // what an earlier process in this Pod may have left
		fmt.Println(err)
	}
	leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: "shop", Name: "carts"},
			Client:     client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: "carts-0"},
		},
		LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second, ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: label.Around(func(ctx context.Context) {
				time.Sleep(100 * time.Millisecond) // the work
				show()
				cancel()
			}),
			OnStoppedLeading: show,
		},
	})
	// Output:
	// 1 Pods bear the label <nil>
	// 0 Pods bear the label <nil>
}

package podsuccessor_test

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/leaderelection/podsuccessor"
)

// A leader of the old revision that is to be stopped, and a Pod of the new one.
func ExampleNew() {
	pod := func(name, revision string) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{"app": "carts", "pod-template-hash": revision}},
			Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{
				{Type: corev1.PodReady, Status: corev1.ConditionTrue},
			}},
		}
	}
	// In a cluster: a client from dialer.HardenTraffic, and what the downward API says.
	client := fake.NewClientset(pod("carts-1-x", "1"), pod("carts-2-y", "2"))
	successor, err := podsuccessor.New(podsuccessor.Config{Pods: client.CoreV1().Pods("shop"), Pod: "carts-1-x", Selector: "app=carts"})
	if err != nil {
		fmt.Println(err)
		return
	}
	config := leaderelection.LeaderElectionConfig{ReleaseOnCancel: true, Successor: successor}
	fmt.Println(config.Successor(context.Background()))
	// Output: carts-2-y <nil>
}

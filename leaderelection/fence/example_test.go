package fence_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"

	"github.com/holdfast-go/holdfast/leaderelection/fence"
)

var lease = types.NamespacedName{Namespace: "kube-system", Name: "my-controller"}

func ExampleFence() {
	deployments, err := fence.ParseResource("deployments.apps")
	if err != nil {
		panic(err)
	}
	f := fence.Fence{
		Lease:          lease,
		ServiceAccount: types.NamespacedName{Name: "my-controller"},
		Resources:      []fence.Resource{deployments, {Name: "configmaps", Operations: []fence.Operation{fence.Create, fence.Update}}},
	}
	manifests, err := f.YAML()
	if err != nil {
		panic(err)
	}
	for line := range strings.Lines(string(manifests)) {
		if strings.HasPrefix(line, "kind: ") || strings.HasPrefix(line, "  name: ") {
			fmt.Print(line)
		}
	}
	fmt.Println("refusals name the policy", fence.Policy(lease))
	// Output:
	// kind: ValidatingAdmissionPolicy
	//   name: fence-keeper.holdfast-go.github.io
	// kind: ValidatingAdmissionPolicyBinding
	//   name: fence-keeper.holdfast-go.github.io
	// kind: ValidatingAdmissionPolicy
	//   name: fence-lease.kube-system.my-controller
	// kind: ValidatingAdmissionPolicyBinding
	//   name: fence-lease.kube-system.my-controller
	// kind: ValidatingAdmissionPolicy
	//   name: fence.kube-system.my-controller
	// kind: ValidatingAdmissionPolicyBinding
	//   name: fence.kube-system.my-controller
	// refusals name the policy fence.kube-system.my-controller
}

func ExampleIdentity() {
	// From the downward API: metadata.name and metadata.uid.
	identity, err := fence.Identity("my-controller-7d9c-x2x4z", "9a1f2b3c-0000-4000-8000-123456789abc")
	if err != nil {
		panic(err)
	}
	fmt.Println(identity[:strings.LastIndex(identity, "_")])
	// Output: my-controller-7d9c-x2x4z_9a1f2b3c-0000-4000-8000-123456789abc
}

func ExampleOwnIdentity() {
	identity, err := fence.OwnIdentity()
	if errors.Is(err, fence.ErrNoPod) { // on a developer's machine
		identity, err = "laptop", nil
	}
	fmt.Println(identity != "", err)
	// Output: true <nil>
}

func ExampleIdentityOf() {
	config := &rest.Config{Host: "https://example.com", TLSClientConfig: rest.TLSClientConfig{CertFile: "me.crt", KeyFile: "me.key"}}
	_, err := fence.IdentityOf(config) // of a kubeconfig with a client certificate
	fmt.Println(errors.Is(err, fence.ErrNoPod), err)
	// Output: true no token that is bound to a Pod: the configuration has no token
}

func ExampleRefused() {
	client := fake.NewClientset()
	client.PrependReactor("update", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
		// what an API server answers to a deposed leader
		return true, nil, apierrors.NewForbidden(corev1.Resource("configmaps"), "state",
			errors.New("ValidatingAdmissionPolicy 'fence.kube-system.my-controller' with binding 'fence.kube-system.my-controller' denied request: the lease is held by another"))
	})
	state := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "state"}}
	_, err := client.CoreV1().ConfigMaps("default").Update(context.Background(), state, metav1.UpdateOptions{})
	if fence.Refused(err, lease) {
		fmt.Println("not the leader any more")
	}
	var status *apierrors.StatusError
	fmt.Println(errors.As(err, &status) && fence.RefusedStatus(status.ErrStatus, lease))
	// Output:
	// not the leader any more
	// true
}

package fenced

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/utils/ptr"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
	laboratory "github.com/holdfast-go/holdfast/benchmarks/stage"
	"github.com/holdfast-go/holdfast/leaderelection/fence"
)

var handovers = flag.Int("handovers", 10, "how often the lease changes hands in TestHandovers, TestTakeovers and TestAGuardAndItsFence")

var minor = flag.String("minor", "", "minor version of the API servers, such as 1.36; empty: the newest, or what a test says")

func TestMain(m *testing.M) {
	if order, told := os.LookupEnv(orderVariable); told {
		if err := writeOnOrder(order); err != nil {
			fmt.Fprintln(os.Stderr, "fenced:", err)
			os.Exit(1)
		}
		return
	}
	lab.Enter(lab.Minors()...)
	os.Exit(m.Run())
}

const namespace = metav1.NamespaceDefault

// stage is a laboratory with two Pods that contend for a lease.
type stage struct {
	lab    *lab.Lab
	admin  []kubernetes.Interface // one for each API server
	config []*rest.Config
	lease  types.NamespacedName
	pods   [2]contender
}

// contender is a Pod and its ways to write.
type contender struct {
	name, identity string
	clients        []kubernetes.Interface // one for each API server
	configs        []*rest.Config
}

// newStage starts API servers of these minors, which end with the test. An empty one is
// what the flag says.
func newStage(t *testing.T, minors ...string) *stage {
	t.Helper()
	return newStageWith(t, nil, minors...)
}

// newStageWith is newStage with further arguments for the API servers.
func newStageWith(t *testing.T, args []string, minors ...string) *stage {
	t.Helper()
	for i := range minors {
		minors[i] = cmp.Or(minors[i], *minor)
	}
	l, err := lab.Start(context.Background(), lab.Options{APIServers: len(minors), APIServerMinors: minors, APIServerArgs: args, Progress: os.Stderr})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	s := &stage{lab: l, lease: types.NamespacedName{Namespace: namespace, Name: "controller"}}
	for i := range minors {
		client, config, err := l.Observer(i)
		require.NoError(t, err)
		s.admin, s.config = append(s.admin, client), append(s.config, config)
	}
	s.until(t, "the namespace", func(ctx context.Context) error {
		_, err := s.admin[0].CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
		return err
	})
	s.grant(t)
	for i := range s.pods {
		s.pods[i] = s.newContender(t, fmt.Sprintf("controller-%d", i))
	}
	return s
}

// account is the ServiceAccount of the contenders.
const account = "controller"

// grant makes the account, and lets it write.
func (s *stage) grant(t *testing.T) {
	t.Helper()
	require.NoError(t, laboratory.Make(t.Context(), s.config[0], laboratory.RightsEverywhere(account, []rbacv1.PolicyRule{laboratory.Rule("*", "*", "*")}, laboratory.Account(namespace, account))...))
}

// newContender makes a Pod, and clients with a token that is bound to it.
func (s *stage) newContender(t *testing.T, name string) contender {
	t.Helper()
	pod, err := s.admin[0].CoreV1().Pods(namespace).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			ServiceAccountName:           account,
			AutomountServiceAccountToken: ptr.To(false),
			Containers:                   []corev1.Container{{Name: "controller", Image: "none"}},
		},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	identity, err := fence.Identity(pod.Name, pod.UID)
	require.NoError(t, err)
	c := contender{name: pod.Name, identity: identity}
	bound := &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID}
	c.clients, c.configs = s.clients(t, bound)
	return c
}

// clients are clients of every API server with a token of the account.
func (s *stage) clients(t *testing.T, bound *authenticationv1.BoundObjectReference) (clients []kubernetes.Interface, configs []*rest.Config) {
	t.Helper()
	token, err := s.admin[0].CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), account, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: bound},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	for i := range s.config {
		config := rest.AnonymousClientConfig(s.config[i])
		config.BearerToken, config.QPS = token.Status.Token, -1
		client, err := kubernetes.NewForConfig(config)
		require.NoError(t, err)
		clients, configs = append(clients, client), append(configs, config)
	}
	return clients, configs
}

// leaseFor is the duration of the lease.
const leaseFor = 15 * time.Second

// holds writes the lease as a holder would: for leaseFor from now on, of which
// some is gone.
func (s *stage) holds(t *testing.T, identity string, gone time.Duration) {
	t.Helper()
	s.write(t, 0, identity, gone)
}

// holdsThrough is holds through one API server.
func (s *stage) holdsThrough(t *testing.T, server int, identity string) {
	t.Helper()
	s.write(t, server, identity, 0)
}

func (s *stage) write(t *testing.T, server int, identity string, gone time.Duration) {
	t.Helper()
	ctx, leases := t.Context(), s.admin[server].CoordinationV1().Leases(namespace)
	lease, err := leases.Get(ctx, s.lease.Name, metav1.GetOptions{})
	absent := apierrors.IsNotFound(err)
	if absent {
		lease, err = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: s.lease.Name}}, nil
	}
	require.NoError(t, err)
	if ptr.Deref(lease.Spec.HolderIdentity, "") != identity {
		lease.Spec.LeaseTransitions = ptr.To(ptr.Deref(lease.Spec.LeaseTransitions, 0) + 1)
	}
	lease.Spec.HolderIdentity = ptr.To(identity)
	lease.Spec.LeaseDurationSeconds = ptr.To(int32(leaseFor.Seconds()))
	lease.Spec.RenewTime = ptr.To(metav1.NewMicroTime(time.Now().Add(-gone)))
	if absent {
		_, err = leases.Create(ctx, lease, metav1.CreateOptions{})
	} else {
		_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
	}
	require.NoError(t, err)
}

// install creates the objects of a fence in their order, and waits until every API
// server goes by it.
func (s *stage) install(t *testing.T, f fence.Fence) {
	t.Helper()
	objects, err := f.Objects()
	require.NoError(t, err)
	for _, object := range objects {
		s.create(t, object)
	}
	stranger, _ := s.clients(t, nil)
	for i, client := range stranger {
		s.until(t, fmt.Sprintf("the fence at API server %d", i), func(ctx context.Context) error {
			_, err := client.CoreV1().ConfigMaps(namespace).Create(ctx, configMap("probe"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			if fence.Refused(err, s.lease) {
				return nil
			}
			return fmt.Errorf("a write of nobody's is answered: %w", err)
		})
	}
}

func (s *stage) create(t *testing.T, object runtime.Object) {
	t.Helper()
	resource, u := s.mapped(t, object)
	client, err := dynamic.NewForConfig(s.config[0])
	require.NoError(t, err)
	_, err = client.Resource(resource).Create(t.Context(), u, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	require.NoError(t, err, "%s %s", u.GetKind(), u.GetName())
}

// mapped returns an object as a dynamic client takes it.
func (s *stage) mapped(t *testing.T, object runtime.Object) (schema.GroupVersionResource, *unstructured.Unstructured) {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	require.NoError(t, err)
	u := unstructuredOf(content)
	groups, err := restmapper.GetAPIGroupResources(s.admin[0].Discovery())
	require.NoError(t, err)
	kind := u.GroupVersionKind()
	mapping, err := restmapper.NewDiscoveryRESTMapper(groups).RESTMapping(kind.GroupKind(), kind.Version)
	require.NoError(t, err)
	return mapping.Resource, u
}

// until waits until what has come about.
func (s *stage) until(t *testing.T, what string, come func(context.Context) error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		err := come(ctx)
		if err == nil || ctx.Err() == nil { // else it tells of the end of the wait
			last = err
		}
		return err == nil, nil
	})
	require.NoError(t, err, "%s: %v", what, last)
}

func configMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func leaseNamed(name string) *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

package podlabel

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/labtest"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
	"github.com/holdfast-go/holdfast/internal/manifests"
	"github.com/holdfast-go/holdfast/leaderelection/podlabel"
)

const (
	account = "carts"
	// soon is when what can be done was done, and never when what cannot be was not.
	soon, never, often = 30 * time.Second, 3 * time.Second, 20 * time.Millisecond
)

var shared = labtest.Shared[*lab.Lab]{Make: func(ctx context.Context) (*lab.Lab, error) {
	return lab.Start(ctx, lab.Options{APIServers: 1, Progress: os.Stderr})
}}

func TestMain(m *testing.M) {
	lab.Enter()
	shared.Run(m)
}

func admin(t *testing.T) (kubernetes.Interface, *rest.Config) {
	t.Helper()
	api, config, err := shared.The(t).Observer(0)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := api.CoreV1().Namespaces().Get(t.Context(), metav1.NamespaceDefault, metav1.GetOptions{})
		return err == nil
	}, soon, often)
	return api, config
}

// rights are those of the manifests of examples/elect.
func rights(t *testing.T) []rbacv1.PolicyRule {
	role, err := manifests.The[*rbacv1.Role]("../../examples/elect/deploy/rbac.yaml")
	require.NoError(t, err)
	return role.Rules
}

// scene is a namespace with an account that has some rights, and two Pods, of which old
// bears the label.
type scene struct {
	t         *testing.T
	namespace string
	admin     kubernetes.Interface
	client    kubernetes.Interface // of the account
}

func newScene(t *testing.T, namespace string, rules []rbacv1.PolicyRule) *scene {
	api, config := admin(t)
	s := &scene{t: t, namespace: namespace, admin: api}
	ctx := t.Context()
	require.NoError(t, stage.Make(ctx, config, stage.Rights(namespace, account, rules, stage.Account(namespace, account))...))
	for _, rule := range rules {
		name := ""
		if len(rule.ResourceNames) > 0 {
			name = rule.ResourceNames[0]
		}
		labtest.UntilAllowed(t, api, "system:serviceaccount:"+namespace+":"+account, namespace, name, rule)
	}
	token, err := api.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	require.NoError(t, err)
	own := rest.AnonymousClientConfig(config)
	own.BearerToken = token.Status.Token
	s.client, err = kubernetes.NewForConfig(own)
	require.NoError(t, err)
	s.pod("old", map[string]string{podlabel.DefaultKey: account})
	s.pod("new", nil)
	return s
}

func (s *scene) pod(name string, labels map[string]string) {
	_, err := s.admin.CoreV1().Pods(s.namespace).Create(s.t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: corev1.PodSpec{
			ServiceAccountName: account, AutomountServiceAccountToken: ptr.To(false),
			Containers: []corev1.Container{{Name: "carts", Image: "none"}},
		},
	}, metav1.CreateOptions{})
	require.NoError(s.t, err)
}

func (s *scene) get(name string) *corev1.Pod {
	pod, err := s.admin.CoreV1().Pods(s.namespace).Get(s.t.Context(), name, metav1.GetOptions{})
	require.NoError(s.t, err)
	return pod
}

// bears reports which of the two Pods bear the label.
func (s *scene) bears() (bears [2]bool) {
	for i, name := range []string{"old", "new"} {
		bears[i] = s.get(name).Labels[podlabel.DefaultKey] == account
	}
	return bears
}

func (s *scene) label() *podlabel.Label {
	label, err := podlabel.New(podlabel.Config{Pods: s.client.CoreV1().Pods(s.namespace), Pod: "new", UID: s.get("new").UID, Value: account})
	require.NoError(s.t, err)
	return label
}

// lead has the Pod new lead until the returned function is called.
func (s *scene) lead() (end func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var leading sync.WaitGroup
	label := s.label()
	leading.Go(func() { _ = label.Start(ctx) })
	end = sync.OnceFunc(func() { cancel(); leading.Wait() })
	s.t.Cleanup(end)
	return end
}

package podlabel

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/internal/manifests"
	"github.com/holdfast-go/holdfast/leaderelection/podlabel"
)

const (
	account = "carts"
	// soon is when what can be done was done, and never when what cannot be was not.
	soon, never, often = 30 * time.Second, 3 * time.Second, 20 * time.Millisecond
)

var shared struct {
	once sync.Once
	lab  *lab.Lab
	err  error
}

func TestMain(m *testing.M) {
	lab.Enter()
	code := m.Run()
	if shared.lab != nil {
		if err := shared.lab.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "close the laboratory:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

func admin(t *testing.T) (kubernetes.Interface, *rest.Config) {
	t.Helper()
	shared.once.Do(func() {
		shared.lab, shared.err = lab.Start(context.Background(), lab.Options{APIServers: 1, Progress: os.Stderr})
	})
	require.NoError(t, shared.err)
	api, config, err := shared.lab.Observer(0)
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
	ctx, meta := t.Context(), metav1.ObjectMeta{Name: account}
	_, err := api.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = api.CoreV1().ServiceAccounts(namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = api.RbacV1().Roles(namespace).Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = api.RbacV1().RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: meta,
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: account},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: account}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	for _, rule := range rules {
		s.untilAllowed(rule)
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

// untilAllowed waits until the authorizer has seen a rule.
func (s *scene) untilAllowed(rule rbacv1.PolicyRule) {
	resource, sub, _ := bytes.Cut([]byte(rule.Resources[0]), []byte("/"))
	name := ""
	if len(rule.ResourceNames) > 0 {
		name = rule.ResourceNames[0]
	}
	ask := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: "system:serviceaccount:" + s.namespace + ":" + account,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: s.namespace, Group: rule.APIGroups[0], Resource: string(resource), Subresource: string(sub), Verb: rule.Verbs[0], Name: name,
		}}}
	require.Eventually(s.t, func() bool {
		answer, err := s.admin.AuthorizationV1().SubjectAccessReviews().Create(s.t.Context(), ask, metav1.CreateOptions{})
		return err == nil && answer.Status.Allowed
	}, soon, often, "never got %v", rule)
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

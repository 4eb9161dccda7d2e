package labtest

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Shared is what all tests of a package share, such as a laboratory, made by the first
// that needs it.
type Shared[T io.Closer] struct {
	// Make makes it. Its context outlives every test.
	Make func(context.Context) (T, error)

	once sync.Once
	it   T
	err  error
}

// The returns it.
func (s *Shared[T]) The(t *testing.T) T {
	t.Helper()
	s.once.Do(func() {
		begun := time.Now()
		s.it, s.err = s.Make(context.Background())
		t.Logf("figure: laboratory started in %v", time.Since(begun).Round(time.Millisecond))
	})
	require.NoError(t, s.err)
	return s.it
}

// Run runs the tests, closes what they shared, and exits.
func (s *Shared[T]) Run(m *testing.M) {
	code := m.Run()
	made := true
	s.once.Do(func() { made = false })
	if made && s.err == nil {
		if err := s.it.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "close the laboratory:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// UntilAllowed waits until the authorizer has seen a rule, which it learns of by
// a watch. The name is that of the object that is asked for.
func UntilAllowed(t *testing.T, api kubernetes.Interface, user, namespace, name string, rule rbacv1.PolicyRule) {
	t.Helper()
	resource, sub, _ := strings.Cut(rule.Resources[0], "/")
	ask := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: user,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Group: rule.APIGroups[0], Resource: resource, Subresource: sub, Verb: rule.Verbs[0], Name: name,
		}}}
	require.Eventually(t, func() bool {
		answer, err := api.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), ask, metav1.CreateOptions{})
		return err == nil && answer.Status.Allowed
	}, 30*time.Second, 20*time.Millisecond, "%s never got %v", user, rule)
}

package shortest

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

// namespace holds the Leases, and is the name of the contenders' user and role.
const namespace = "shortest"

// Stage is what all trials in one laboratory share. It is for one goroutine at
// a time.
type Stage struct {
	lab        *lab.Lab
	observers  []kubernetes.Interface // by the index of the API server
	kubeconfig string
	trials     int
}

// NewStage prepares l, in which nobody else may contend.
func NewStage(ctx context.Context, l *lab.Lab) (*Stage, error) {
	s := &Stage{lab: l}
	for i := range l.APIServers() {
		observer, _, err := l.Observer(i)
		if err != nil {
			return nil, err
		}
		s.observers = append(s.observers, observer)
	}
	api := s.observers[0]
	meta := metav1.ObjectMeta{Name: namespace, Namespace: namespace}
	_, errNamespace := api.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	_, errRole := api.RbacV1().Roles(namespace).Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"},
		Verbs: []string{"get", "create", "update", "list", "watch"},
	}}}, metav1.CreateOptions{})
	_, errBinding := api.RbacV1().RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: namespace},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: namespace}},
	}, metav1.CreateOptions{})
	if err := errors.Join(errNamespace, errRole, errBinding); err != nil {
		return nil, fmt.Errorf("prepare for trials: %w", err)
	}
	var err error
	s.kubeconfig, err = l.Kubeconfig(namespace)
	return s, err
}

// lease returns the name of a Lease that no other trial has.
func (s *Stage) lease() string {
	s.trials++
	return fmt.Sprintf("trial-%d", s.trials)
}

const (
	// promptly is how soon an API server that is well writes a Lease, on a busy
	// machine; so it has to, answers times in a row.
	promptly = 500 * time.Millisecond
	answers  = 3

	probeBound = 2 * time.Second
	probePause = 100 * time.Millisecond
)

// serves waits until an API server writes promptly again. One that was cut off
// from etcd calls itself ready seconds before that.
func (s *Stage) serves(ctx context.Context, server int) error {
	for inARow := 0; inARow < answers; {
		begun := time.Now()
		err := s.probe(ctx, server)
		took := time.Since(begun)
		if err == nil && took <= promptly {
			inARow++
		} else {
			inARow = 0
		}
		select {
		case <-time.After(probePause):
		case <-ctx.Done():
			return fmt.Errorf("wait until API server %d writes within %v: the last try took %v, its error: %v: %w", server, promptly, took, err, ctx.Err())
		}
	}
	return nil
}

func (s *Stage) probe(ctx context.Context, server int) error {
	ctx, cancel := context.WithTimeout(ctx, probeBound)
	defer cancel()
	leases := s.observers[server].CoordinationV1().Leases(namespace)
	lease, err := leases.Create(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{GenerateName: "probe-"}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	return leases.Delete(ctx, lease.Name, metav1.DeleteOptions{})
}

package scenario

import (
	"context"
	"fmt"
	"sync"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

const (
	// namespace holds the Leases that are contended for.
	namespace = "election"
	// victimIndex is the API server that faults are done to.
	victimIndex = 0
)

// Stage is what all runs in one laboratory share: the observer, which stands at
// the last API server, and the contenders' right to Leases. Only one run at a
// time can use it.
type Stage struct {
	lab      *lab.Lab
	observer kubernetes.Interface
	// kubeconfig and unwatching are of users with a role as leader election asks
	// for; the second may not watch.
	kubeconfig, unwatching string
	sidecar                sidecar

	mu   sync.Mutex
	runs int
}

// NewStage prepares l for any number of runs. l needs at least three API
// servers: one that is harmed, one that is not, and the observer's.
func NewStage(ctx context.Context, l *lab.Lab) (*Stage, error) {
	servers := len(l.APIServers())
	if servers < 3 {
		return nil, fmt.Errorf("set the stage: the laboratory has %d API servers: must be at least 3", servers)
	}
	observer, _, err := l.Observer(servers - 1)
	if err != nil {
		return nil, fmt.Errorf("set the stage: %w", err)
	}
	s := &Stage{lab: l, observer: observer}
	if err := s.namespace(ctx, namespace); err != nil {
		return nil, fmt.Errorf("set the stage: %w", err)
	}
	needed := []string{"get", "create", "update"}
	if s.unwatching, err = s.user(ctx, "contender-unwatching", nil, needed...); err != nil {
		return nil, err
	}
	if s.kubeconfig, err = s.user(ctx, "contender", copies, append(needed, "list", "watch")...); err != nil {
		return nil, err
	}
	return s, nil
}

// copies are the two contenders of a run, and the users that they are where each is
// one of its own.
var copies = []string{"contender-1", "contender-2"}

// user makes a user who may do verbs to Leases, as those beside it may, and returns
// its kubeconfig.
func (s *Stage) user(ctx context.Context, name string, beside []string, verbs ...string) (string, error) {
	meta := metav1.ObjectMeta{Name: name, Namespace: namespace}
	_, err := s.observer.RbacV1().Roles(namespace).Create(ctx, &rbacv1.Role{
		ObjectMeta: meta,
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: verbs}},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("set the stage: create role %s: %w", name, err)
	}
	_, err = s.observer.RbacV1().RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects:   users(append([]string{name}, beside...)...),
	}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("set the stage: bind role %s: %w", name, err)
	}
	kubeconfig, err := s.lab.Kubeconfig(name)
	if err != nil {
		return "", fmt.Errorf("set the stage: %w", err)
	}
	return kubeconfig, nil
}

func users(names ...string) []rbacv1.Subject {
	var subjects []rbacv1.Subject
	for _, name := range names {
		subjects = append(subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name})
	}
	return subjects
}

// number returns a number that no other run on the stage has.
func (s *Stage) number() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs++
	return s.runs
}

package scenario

import (
	"context"
	"fmt"
	"sync"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
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
	config   *rest.Config // the observer's
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
	observer, config, err := l.Observer(servers - 1)
	if err != nil {
		return nil, fmt.Errorf("set the stage: %w", err)
	}
	s := &Stage{lab: l, observer: observer, config: config}
	unwatching := stage.Leases()
	unwatching.Verbs = unwatching.Verbs[:3]
	err = s.make(ctx, append(
		stage.Rights(namespace, "contender-unwatching", []rbacv1.PolicyRule{unwatching}, stage.Users("contender-unwatching")...),
		stage.Rights(namespace, "contender", []rbacv1.PolicyRule{stage.Leases()}, stage.Users(append([]string{"contender"}, copies...)...)...)...)...)
	if err == nil {
		s.unwatching, err = l.Kubeconfig("contender-unwatching")
	}
	if err == nil {
		s.kubeconfig, err = l.Kubeconfig("contender")
	}
	if err != nil {
		return nil, fmt.Errorf("set the stage: %w", err)
	}
	return s, nil
}

// make creates objects that are not there.
func (s *Stage) make(ctx context.Context, objects ...client.Object) error {
	return stage.Make(ctx, s.config, objects...)
}

// copies are the two contenders of a run, and the users that they are where each is
// one of its own.
var copies = []string{"contender-1", "contender-2"}

// number returns a number that no other run on the stage has.
func (s *Stage) number() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs++
	return s.runs
}

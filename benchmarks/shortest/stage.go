package shortest

import (
	"context"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

// namespace holds the Leases, and is the name of the contenders' user and role.
const namespace = "shortest"

// Stage is what all trials in one laboratory share. It is for one goroutine at
// a time.
type Stage struct {
	lab        *lab.Lab
	kubeconfig string
	trials     int
}

// NewStage prepares l, in which nobody else may contend.
func NewStage(ctx context.Context, l *lab.Lab) (*Stage, error) {
	_, config, err := l.Observer(0)
	if err != nil {
		return nil, err
	}
	if err := stage.Make(ctx, config, stage.Rights(namespace, namespace, []rbacv1.PolicyRule{stage.Leases()}, stage.Users(namespace)...)...); err != nil {
		return nil, fmt.Errorf("prepare for trials: %w", err)
	}
	kubeconfig, err := l.Kubeconfig(namespace)
	return &Stage{lab: l, kubeconfig: kubeconfig}, err
}

// lease returns the name of a Lease that no other trial has.
func (s *Stage) lease() string {
	s.trials++
	return fmt.Sprintf("trial-%d", s.trials)
}

// promptly is how soon an API server that is well serves a Lease, on a busy machine.
const promptly = 2 * stage.Prompt

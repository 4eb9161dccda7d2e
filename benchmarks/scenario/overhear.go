package scenario

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

// overhear makes way for a program that says nothing itself, an empty Lease in a
// namespace that exists, and begins to read what the API servers are asked.
func (r *run) overhear(ctx context.Context) error {
	p := r.program
	if err := r.stage.make(ctx, stage.Namespace(p.Namespace)); err != nil {
		return err
	}
	err := r.stage.observer.CoordinationV1().Leases(p.Namespace).Delete(ctx, p.Lease, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete the Lease %s/%s of an earlier run: %w", p.Namespace, p.Lease, err)
	}
	for _, server := range r.stage.lab.APIServers() {
		path := server.AuditLog()
		if path == "" {
			return errors.New("the laboratory was started without Audit: what a program asks for cannot be read")
		}
		log, err := auditFrom(path)
		if err != nil {
			return err
		}
		r.Tasks.Go(func() {
			if err := errors.Join(listen(ctx, log, p, r.say), log.Close()); err != nil {
				r.Fail(err)
			}
		})
	}
	return nil
}

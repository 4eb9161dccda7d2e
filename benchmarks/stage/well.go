package stage

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

const (
	// promptAnswers is how many prompt answers in a row say that a server is well.
	promptAnswers = 3
	probeBound    = 2 * time.Second
	probePause    = 100 * time.Millisecond
)

// Prompt is how soon an API server that is well answers.
const Prompt = 250 * time.Millisecond

// Well waits until the API server of that index serves Leases within prompt
// again, to writers and to those who watch. One that was cut off from etcd, was frozen
// or has just started calls itself ready seconds before that, and what began in between
// would begin with a fault of its own.
func Well(ctx context.Context, l *lab.Lab, server int, prompt time.Duration) error {
	client, _, err := l.Observer(server)
	if err != nil {
		return err
	}
	for inARow := 0; inARow < promptAnswers; {
		begun := time.Now()
		err = probe(ctx, client)
		took := time.Since(begun)
		if inARow++; err != nil || took > prompt {
			inARow = 0
		}
		if Pause(ctx, probePause) != nil {
			return fmt.Errorf("wait until API server %d serves Leases within %v: the last probe took %v, its error: %v: %w", server, prompt, took, err, ctx.Err())
		}
	}
	return nil
}

// probe writes a Lease and reads it back from the server's watch cache.
func probe(ctx context.Context, client kubernetes.Interface) error {
	ctx, cancel := context.WithTimeout(ctx, probeBound)
	defer cancel()
	leases := client.CoordinationV1().Leases(metav1.NamespaceDefault)
	lease, err := leases.Create(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{GenerateName: "probe-"}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_, err = leases.List(ctx, metav1.ListOptions{
		ResourceVersion: lease.ResourceVersion, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
	})
	if err != nil {
		return err
	}
	return leases.Delete(ctx, lease.Name, metav1.DeleteOptions{})
}

// Pause returns after d, or with the error of a ctx that ends first.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

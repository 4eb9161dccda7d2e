package scenario

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	// prompt is how soon an API server that is well answers.
	prompt = 250 * time.Millisecond
	// promptAnswers is how many prompt answers in a row say that it is well.
	promptAnswers = 3
	probeBound    = 2 * time.Second
	probePause    = 100 * time.Millisecond
)

// recovered waits until the API server of that index serves Leases promptly
// again, to writers and to those who watch. An API server that was cut off from
// etcd calls itself ready seconds before that, and a run that began in
// between would begin with a fault of its own.
func (s *Stage) recovered(ctx context.Context, server int) error {
	client, _, err := s.lab.Observer(server)
	if err != nil {
		return err
	}
	for inARow := 0; inARow < promptAnswers; {
		begun := time.Now()
		err = probe(ctx, client)
		took := time.Since(begun)
		if err != nil || took > prompt {
			inARow = 0
		} else {
			inARow++
		}
		select {
		case <-time.After(probePause):
		case <-ctx.Done():
			return fmt.Errorf("wait until API server %d serves Leases within %v again: the last probe took %v, its error: %v: %w",
				server, prompt, took, err, ctx.Err())
		}
	}
	return nil
}

// probe writes a Lease and reads it back from the server's watch cache.
func probe(ctx context.Context, client kubernetes.Interface) error {
	ctx, cancel := context.WithTimeout(ctx, probeBound)
	defer cancel()
	leases := client.CoordinationV1().Leases(namespace)
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

package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/clientcmd"
)

// Floor is what nobody could be faster than in a laboratory at a moment: medians of
// floorRounds, over connections that are warm.
type Floor struct {
	// Claim is one write: what is left to do when a timer says that a lease has ended.
	Claim time.Duration
	// Handover is a write, its delivery by a watch, and another write.
	Handover time.Duration
}

const floorRounds = 9

// Floor measures the floor now, through the virtual IP, as contenders reach the API.
func (s *Stage) Floor(ctx context.Context) (f Floor, err error) {
	host, err := s.lab.NewHost(fmt.Sprintf("floor-%d", s.number()))
	if err != nil {
		return f, fmt.Errorf("measure the floor: %w", err)
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		return f, fmt.Errorf("measure the floor: %w", err)
	}
	config.Dial, config.QPS = host.Dial, -1
	var pair [2]client.LeaseInterface
	for i := range pair {
		one, err := kubernetes.NewForConfig(config)
		if err != nil {
			return f, fmt.Errorf("measure the floor: %w", err)
		}
		pair[i] = one.CoordinationV1().Leases(namespace)
	}
	lease, err := pair[0].Create(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{GenerateName: "floor-"}}, metav1.CreateOptions{})
	if err != nil {
		return f, fmt.Errorf("measure the floor: %w", err)
	}
	defer func() {
		err = errors.Join(err, s.observer.CoordinationV1().Leases(namespace).Delete(context.WithoutCancel(ctx), lease.Name, metav1.DeleteOptions{}))
	}()
	watch, err := pair[1].Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + lease.Name, ResourceVersion: lease.ResourceVersion})
	if err != nil {
		return f, fmt.Errorf("measure the floor: %w", err)
	}
	defer watch.Stop()
	write := func(who int) error {
		lease.Spec.RenewTime = &metav1.MicroTime{Time: time.Now()}
		lease, err = pair[who].Update(ctx, lease, metav1.UpdateOptions{})
		return err
	}
	// The first round of each warms the connections, and does not count.
	var claims, handovers []time.Duration
	for range floorRounds + 1 {
		start := time.Now()
		if err := write(0); err != nil {
			return f, fmt.Errorf("measure the floor: %w", err)
		}
		claims = append(claims, time.Since(start))
		for delivered := false; !delivered; {
			select {
			case e, open := <-watch.ResultChan():
				seen, is := e.Object.(*coordinationv1.Lease)
				if !open || !is {
					return f, fmt.Errorf("measure the floor: the watch ended with %v", e.Object)
				}
				delivered = seen.ResourceVersion == lease.ResourceVersion
			case <-ctx.Done():
				return f, fmt.Errorf("measure the floor: %w", context.Cause(ctx))
			}
		}
		if err := write(1); err != nil {
			return f, fmt.Errorf("measure the floor: %w", err)
		}
		handovers = append(handovers, time.Since(start))
	}
	return Floor{middle(claims[1:]), middle(handovers[1:])}, nil
}

func middle(of []time.Duration) time.Duration {
	slices.Sort(of)
	return of[len(of)/2]
}

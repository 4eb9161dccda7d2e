package scenario

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	client "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// observerName is whose words the writes of the Lease are in the stream.
const observerName = "observer"

// observe hands an event of each write of the Lease to take until ctx is
// done, which is no error. From the moment at which it calls ready it misses
// none: a watch that ends is followed by one that goes on where that was.
func observe(ctx context.Context, leases client.LeaseInterface, name string, take func(event.Event), ready func()) error {
	selector := fields.OneTermEqualSelector("metadata.name", name).String()
	list, err := leases.List(ctx, metav1.ListOptions{FieldSelector: selector})
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("observe Lease %s: list: %w", name, err)
	}
	version := list.ResourceVersion
	for ctx.Err() == nil {
		stream, err := leases.Watch(ctx, metav1.ListOptions{FieldSelector: selector, ResourceVersion: version})
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("observe Lease %s: watch from %s: %w", name, version, err)
		}
		ready()
		for e := range stream.ResultChan() {
			if e.Type == watch.Error {
				stream.Stop()
				if ctx.Err() != nil {
					return nil
				}
				return fmt.Errorf("observe Lease %s: watch from %s: %w", name, version, apierrors.FromObject(e.Object))
			}
			lease, ok := e.Object.(*coordinationv1.Lease)
			if !ok {
				continue
			}
			version = lease.ResourceVersion
			if e.Type != watch.Deleted {
				take(write(lease))
			}
		}
		stream.Stop()
	}
	return nil
}

// write returns the event of a write that left lease as it is. Its Holder is the
// identity that stands there.
func write(lease *coordinationv1.Lease) event.Event {
	e := event.Event{Who: observerName, What: event.Released}
	if lease.Spec.RenewTime != nil {
		e.RenewTime = lease.Spec.RenewTime.Time
	}
	if seconds := lease.Spec.LeaseDurationSeconds; seconds != nil {
		e.Lease = time.Duration(*seconds) * time.Second
	}
	if holder := lease.Spec.HolderIdentity; holder != nil && *holder != "" {
		e.What, e.Holder = event.Committed, *holder
	}
	return e
}

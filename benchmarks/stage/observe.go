package stage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	client "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// Observer is whose words the writes of Leases are in a stream.
const Observer = "observer"

// Observe tells of each write of the Lease of that name, or of all where it is empty,
// until ctx is done. It returns when it will miss none.
func (p *Play) Observe(ctx context.Context, leases client.LeaseInterface, name string) error {
	watching, failed := make(chan struct{}), make(chan struct{})
	p.Tasks.Go(func() {
		if err := observe(ctx, leases, name, p.tell, sync.OnceFunc(func() { close(watching) })); err != nil {
			p.Fail(err)
			close(failed)
		}
	})
	select {
	case <-watching:
		return nil
	case <-failed:
		return errors.New("the observer could not begin")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// observe hands an event of each write to take until ctx is done, which is no error.
// From the moment at which it calls ready it misses none: a watch that ends is followed
// by one that goes on where that was.
func observe(ctx context.Context, leases client.LeaseInterface, name string, take func(event.Event), ready func()) error {
	var options metav1.ListOptions
	if name != "" {
		options.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	}
	failed := func(err error) error {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("observe Leases %s from %q: %w", name, options.ResourceVersion, err)
	}
	list, err := leases.List(ctx, options)
	if err != nil {
		return failed(err)
	}
	for options.ResourceVersion = list.ResourceVersion; ctx.Err() == nil; {
		stream, err := leases.Watch(ctx, options)
		if err != nil {
			return failed(err)
		}
		ready()
		for e := range stream.ResultChan() {
			if e.Type == watch.Error {
				stream.Stop()
				return failed(apierrors.FromObject(e.Object))
			}
			lease, ok := e.Object.(*coordinationv1.Lease)
			if !ok {
				continue
			}
			options.ResourceVersion = lease.ResourceVersion
			if e.Type != watch.Deleted {
				take(Write(lease))
			}
		}
		stream.Stop()
	}
	return nil
}

// Write returns the event of a write that left lease as it is. Its Holder is the
// identity that stands there, and On the Lease's name.
func Write(lease *coordinationv1.Lease) event.Event {
	e := event.Event{Who: Observer, What: event.Released, On: lease.Name}
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

package matrix

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// observer is whose words the writes of Leases and the changes are.
const observer = "observer"

// changeEvery is the pace of the changes that watches and informers are to see.
const changeEvery = 250 * time.Millisecond

// observe appends an event for each write of a Lease in the namespace, with the
// Lease's name in On, until ctx is done, which is no error. It calls ready once
// it misses none.
func (s *Stage) observe(ctx context.Context, log *event.Log, ready func()) error {
	leases := s.observer.CoordinationV1().Leases(namespace)
	list, err := leases.List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("observe Leases: list: %w", err)
	}
	for version := list.ResourceVersion; ctx.Err() == nil; {
		stream, err := leases.Watch(ctx, metav1.ListOptions{ResourceVersion: version})
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("observe Leases: watch from %s: %w", version, err)
		}
		ready()
		for e := range stream.ResultChan() {
			lease, ok := e.Object.(*coordinationv1.Lease)
			if !ok {
				stream.Stop()
				if ctx.Err() != nil {
					return nil
				}
				return fmt.Errorf("observe Leases: watch from %s: %s event with a %T", version, e.Type, e.Object)
			}
			version = lease.ResourceVersion
			if e.Type != watch.Deleted {
				log.Append(committed(lease))
			}
		}
		stream.Stop()
	}
	return nil
}

// committed is the event of a write that left lease as it is.
func committed(lease *coordinationv1.Lease) event.Event {
	e := event.Event{Who: observer, What: event.Released, On: lease.Name}
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

// make makes the object that a column's probe works on, if it needs one.
func (s *Stage) make(ctx context.Context, c Column, name string) error {
	meta := metav1.ObjectMeta{Name: name, Namespace: namespace}
	var err error
	switch c.Role {
	case Watch:
		_, err = s.observer.CoordinationV1().Leases(namespace).Create(ctx, &coordinationv1.Lease{ObjectMeta: meta, Spec: changedLease(0)}, metav1.CreateOptions{})
	case Informer, Writer:
		_, err = s.observer.CoreV1().ConfigMaps(namespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: meta}, metav1.CreateOptions{})
	}
	if err != nil {
		return fmt.Errorf("make %s for %s: %w", name, c, err)
	}
	return nil
}

// changedLease is what the n-th change makes of a Lease: another holder, who
// holds it for longer than any matrix lasts, so that no candidate takes it.
func changedLease(n int) coordinationv1.LeaseSpec {
	const forever = 24 * 60 * 60
	holder, seconds, now := holderPrefix+strconv.Itoa(n), int32(forever), metav1.NewMicroTime(time.Now())
	return coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, RenewTime: &now, AcquireTime: &now}
}

// change goes on changing the object of a watch or informer until ctx is done.
// The time of a change is that before it was sent.
func (s *Stage) change(ctx context.Context, c Column, name string, log *event.Log) error {
	tick := time.NewTicker(changeEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		log.Append(event.Event{Who: observer, What: event.Changed, On: name, Reason: strconv.Itoa(n)})
		var err error
		if c.Role == Watch {
			leases := s.observer.CoordinationV1().Leases(namespace)
			var lease *coordinationv1.Lease
			if lease, err = leases.Get(ctx, name, metav1.GetOptions{}); err == nil {
				lease.Spec = changedLease(n)
				_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
			}
		} else {
			patch := fmt.Appendf(nil, `{"data":{%q:%q}}`, numberKey, strconv.Itoa(n))
			_, err = s.observer.CoreV1().ConfigMaps(namespace).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("change %s for %s: %w", name, c, err)
		}
	}
}

const (
	// prompt is how soon a server that is well answers a write, wellInARow how
	// often in a row it must.
	prompt     = 250 * time.Millisecond
	wellInARow = 3
	wellBound  = 2 * time.Second
	wellPause  = 100 * time.Millisecond
)

// well waits until the API server of that index serves writes promptly: one
// that was frozen or has just started calls itself ready before that.
func (s *Stage) well(ctx context.Context, server int) error {
	client, _, err := s.lab.Observer(server)
	if err != nil {
		return err
	}
	for inARow := 0; inARow < wellInARow; pause(ctx, wellPause) {
		if ctx.Err() != nil {
			return errors.Join(fmt.Errorf("wait until API server %d serves writes within %v: %w", server, prompt, ctx.Err()), err)
		}
		begun := time.Now()
		var object *corev1.ConfigMap
		bounded, cancel := context.WithTimeout(ctx, wellBound)
		object, err = client.CoreV1().ConfigMaps(namespace).Create(bounded,
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "well-"}}, metav1.CreateOptions{})
		if err == nil {
			err = client.CoreV1().ConfigMaps(namespace).Delete(bounded, object.Name, metav1.DeleteOptions{})
		}
		cancel()
		if inARow++; err != nil || time.Since(begun) > 2*prompt {
			inARow = 0
		}
	}
	return nil
}

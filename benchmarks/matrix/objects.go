package matrix

import (
	"context"
	"fmt"
	"strconv"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

// changeEvery is the pace of the changes that watches and informers are to see.
const changeEvery = 250 * time.Millisecond

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
		log.Append(event.Event{Who: stage.Observer, What: event.Changed, On: name, Reason: strconv.Itoa(n)})
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

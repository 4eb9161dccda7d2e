package nodes

import (
	"context"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/utils/ptr"
)

// A Record is what one write has put into a Lease.
type Record struct {
	Holder   string // empty: released
	Renewed  time.Time
	Duration time.Duration
	Seen     time.Time // by the observer
}

// history has every record of every Lease that the API server has shown, in order.
type history struct {
	mu      sync.Mutex
	records map[string][]Record // by the name of the Lease
}

// watch goes on until ctx ends. A watch that breaks is opened anew; while it is away
// nothing is lost but records that were overwritten meanwhile.
func (h *history) watch(ctx context.Context, leases coordinationclient.LeaseInterface) {
	for ; ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		events, err := leases.Watch(ctx, metav1.ListOptions{})
		if err != nil {
			continue
		}
		for e := range events.ResultChan() {
			if lease, ok := e.Object.(*coordinationv1.Lease); ok {
				h.add(lease)
			}
		}
	}
}

func (h *history) add(lease *coordinationv1.Lease) {
	if lease.Spec.RenewTime == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.records == nil {
		h.records = map[string][]Record{}
	}
	h.records[lease.Name] = append(h.records[lease.Name], Record{
		Holder: ptr.Deref(lease.Spec.HolderIdentity, ""), Renewed: lease.Spec.RenewTime.Time,
		Duration: time.Duration(ptr.Deref(lease.Spec.LeaseDurationSeconds, 0)) * time.Second,
		Seen:     time.Now(),
	})
}

// of returns the records of a Lease so far.
func (h *history) of(lease string) []Record {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Record(nil), h.records[lease]...)
}

// LeaseEnd is when the lease ended that the holder had last; zero if it has released
// it, or never had it.
func LeaseEnd(records []Record, holder string) (end time.Time) {
	before := ""
	for _, r := range records {
		switch {
		case r.Holder == holder:
			end = r.Renewed.Add(r.Duration)
		case r.Holder == "" && before == holder:
			end = time.Time{}
		}
		before = r.Holder
	}
	return end
}

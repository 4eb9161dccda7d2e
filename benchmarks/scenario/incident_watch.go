package scenario

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// lookEvery is how often the hosts are looked at after the fault: a kernel's
// giving up is known to that precision.
const lookEvery = 100 * time.Millisecond

// gaveUp is what the watch says of a client whose kernel has dropped a
// connection for silence; it is in the incident's own log only.
const gaveUp event.What = "gave up"

// watch tells the informers the news and returns when all that are awaited are
// back, or when the window is over.
func (i *incident) watch(ctx context.Context) error {
	before := map[Client]int{}
	for c, host := range i.hosts {
		n, err := host.TCPTimeouts()
		if err != nil {
			return err
		}
		before[c] = n
	}
	for _, c := range Clients() {
		if c.Kind == KindInformer {
			if err := i.tell(ctx, c); err != nil {
				return err
			}
		}
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for time.Since(i.fault) < i.options.Window {
		for c := range before {
			n, err := i.hosts[c].TCPTimeouts()
			if err != nil {
				return err
			}
			if n > before[c] {
				i.log.Append(event.Event{Who: i.name(c), What: gaveUp})
				delete(before, c) // the first says it all
			}
		}
		if i.back() {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// tell changes the object that an informer watches.
func (i *incident) tell(ctx context.Context, c Client) error {
	leases := i.stage.observer.CoordinationV1().Leases(namespace)
	lease, err := leases.Get(ctx, i.lease(c), metav1.GetOptions{})
	if err == nil {
		now := metav1.NowMicro()
		lease.Spec.RenewTime = &now
		_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("news for %s: %w", c, err)
	}
	return nil
}

// back reports whether everyone who is awaited has recovered.
func (i *incident) back() bool {
	for _, c := range i.options.Await {
		if !outcome(i.events(c), i.name(c), c.Kind, i.fault).Recovered.Known {
			return false
		}
	}
	return true
}

// name is what a client is called in its stream.
func (i *incident) name(c Client) string {
	if c.Kind == KindStandby {
		return c.String()
	}
	return i.lease(c)
}

// events are those in which a client's own are.
func (i *incident) events(c Client) []event.Event {
	if c.Kind == KindStandby {
		return event.Merge(i.fleets[c.Peer].Events(), i.log.Events())
	}
	return i.log.Events()
}

// result is how things stand now; without a fault it has no outcomes.
func (i *incident) result() Incident {
	streams := [][]event.Event{i.log.Events()}
	for _, fleet := range i.fleets {
		streams = append(streams, fleet.Events())
	}
	result := Incident{Outcomes: map[Client]Outcome{}, Elections: map[string]Figures{}, Events: event.Merge(streams...)}
	if i.fault.IsZero() {
		return result
	}
	result.Window = time.Since(i.fault)
	for c := range i.hosts {
		result.Outcomes[c] = outcome(i.events(c), i.name(c), c.Kind, i.fault)
	}
	return result
}

// outcome is what events, sorted by time, show of the client of that name.
func outcome(events []event.Event, name, kind string, fault time.Time) Outcome {
	var o Outcome
	for _, e := range events {
		if e.Who != name || e.Time.Before(fault) {
			continue
		}
		switch {
		case e.What == gaveUp && !o.GaveUp.Known:
			o.GaveUp = between(fault, e.Time)
		case o.Recovered.Known:
		case e.What == event.Failed || e.What == event.Abandoned:
			o.Failures = append(o.Failures, e)
		case kind == KindStandby && e.What == event.Leading,
			kind != KindStandby && e.What == event.Committed && e.RenewTime.After(fault):
			o.Recovered = between(fault, e.Time)
		}
	}
	return o
}

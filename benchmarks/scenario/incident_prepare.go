package scenario

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

// prepare returns when both elections have a leader and a standby, and every
// client is at work and connected to the victim alone.
func (i *incident) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, i.options.Timing.LeaseDuration+startBound)
	defer cancel()
	for _, peer := range []string{Unpinged, Hardened} {
		fleet, err := i.stage.NewFleet(ctx, FleetOptions{Name: "incident-" + peer, Timing: i.options.Timing, Stderr: i.options.Stderr})
		if err != nil {
			return err
		}
		i.fleets[peer] = fleet
	}
	for _, fleet := range i.fleets {
		if err := fleet.run.name(victimIndex); err != nil {
			return err
		}
	}
	for peer, fleet := range i.fleets {
		leader := peer + "-leader"
		if err := fleet.Start(Member{Host: leader, Identity: leader, Peer: peer}); err != nil {
			return err
		}
	}
	for _, client := range Clients() {
		if err := i.start(ctx, client); err != nil {
			return fmt.Errorf("start %s: %w", client, err)
		}
	}
	for _, client := range Clients() {
		if err := i.ready(ctx, client); err != nil {
			return err
		}
	}
	return nil
}

// start starts a client on a host of its own; a standby once its leader leads.
func (i *incident) start(ctx context.Context, c Client) error {
	var err error
	if c.Kind != KindStandby {
		i.hosts[c], err = i.startProbe(ctx, c)
	} else {
		fleet, leader := i.fleets[c.Peer], c.Peer+"-leader"
		if err := fleet.run.await(ctx, leader+" to lead", stage.Says(leader, event.Leading)); err != nil {
			return err
		}
		err = fleet.Start(Member{Host: c.String(), Identity: c.String(), Peer: c.Peer})
		i.hosts[c] = fleet.hosts[c.String()]
	}
	if err != nil {
		return err
	}
	return i.hosts[c].SetTCPRetries2(i.options.Retries2)
}

// startProbe starts a client that is no contender, and makes its Lease.
func (i *incident) startProbe(ctx context.Context, c Client) (*lab.Host, error) {
	_, err := i.stage.observer.CoordinationV1().Leases(namespace).Create(ctx,
		&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: i.lease(c)}}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("its Lease: %w", err)
	}
	host, err := i.stage.lab.NewHost(c.String())
	if err != nil {
		return nil, err
	}
	path, err := os.Executable()
	if err != nil {
		return host, fmt.Errorf("find the program to start: %w", err)
	}
	env := []string{
		contender.PingVariable + "=0", probeKind + "=" + c.Kind,
		probeName + "=" + i.lease(c), probeKubeconfig + "=" + i.stage.kubeconfig,
	}
	if c.Peer == Hardened {
		env = append(env, probeWithin+"="+i.options.Within.String())
	}
	_, err = host.Start(lab.Command{Path: path, Env: env, Stdout: i.log.Lines(i.lease(c)), Stderr: i.options.Stderr})
	return host, err
}

// lease names a probe's Lease and the probe in its stream.
func (i *incident) lease(c Client) string {
	return c.String() + "-of-" + i.fleets[c.Peer].lease
}

// ready returns when a client is at work and connected to the victim.
func (i *incident) ready(ctx context.Context, c Client) error {
	if c.Kind == KindStandby {
		err := i.fleets[c.Peer].run.await(ctx, c.String()+" to stand by and its leader to renew", func(events []event.Event) bool {
			asked, ok := first(events, func(e event.Event) bool { return e.Who == c.String() && e.What == event.Requested })
			renewals := 0
			for _, e := range events {
				if e.What == event.Committed && e.Time.After(asked.Time) {
					renewals++
				}
			}
			return ok && renewals >= 2
		})
		if err != nil {
			return err
		}
	} else if err := i.log.Await(ctx, c.String()+" to begin", stage.Says(i.lease(c), event.Committed)); err != nil {
		return err
	}
	connected, err := i.hosts[c].Connected()
	if err == nil && !slices.Equal(connected, []int{victimIndex}) {
		err = fmt.Errorf("%s is connected to API servers %v: must be %d alone", c, connected, victimIndex)
	}
	return err
}

// strike is the fault.
func (i *incident) strike() error {
	i.fault = time.Now()
	victim := i.stage.lab.APIServers()[victimIndex]
	var faults []stage.Fault
	for peer, fleet := range i.fleets {
		faults = append(faults, stage.Cut(fleet.hosts[peer+"-leader"]))
	}
	faults = append(faults, stage.Silence(victim))
	for _, fleet := range i.fleets {
		for _, f := range faults {
			fleet.run.Append(event.Event{Time: i.fault, Who: stage.Narrator, What: event.Fault, On: f.On, Reason: f.How})
		}
	}
	for _, f := range faults {
		if err := f.Do(); err != nil {
			return fmt.Errorf("fault %q on %s: %w", f.How, f.On, err)
		}
	}
	for _, fleet := range i.fleets {
		if err := fleet.run.name(fleet.run.unharmed...); err != nil {
			return err
		}
	}
	return nil
}

// close ends everything that was started.
func (i *incident) close() error {
	for _, fleet := range i.fleets {
		// Before anything is mended, which would be news for the others.
		fleet.run.Append(event.Event{Who: stage.Narrator, What: event.Ended})
	}
	var errs []error
	for c, host := range i.hosts {
		if c.Kind != KindStandby && host != nil {
			errs = append(errs, host.Close())
		}
	}
	for _, fleet := range i.fleets {
		errs = append(errs, fleet.Close())
	}
	return errors.Join(errs...)
}

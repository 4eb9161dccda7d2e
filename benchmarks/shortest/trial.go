package shortest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

const (
	leaderName, standbyName = "contender-1", "contender-2"

	// startBound is how long two contenders may take until one leads and one
	// stands by.
	startBound = 30 * time.Second
	// mendBound is how long an API server may take to serve again.
	mendBound = 2 * time.Minute
)

// Options say what a trial is like, whatever the lease.
type Options struct {
	// Peer is one of contender.Peers.
	Peer string
	// Window is how long a trial lasts, from the first fault.
	Window time.Duration
	// Silence is how long each API server is silent, Pause how long there is
	// peace once it serves again.
	Silence, Pause time.Duration
	// Stderr takes what the contenders log, from several goroutines at a time;
	// nil sends it to the log files of their hosts.
	Stderr io.Writer
}

// Trial is what came of one.
type Trial struct {
	// Lost says how the lease was lost; empty: it held.
	Lost string
	// Faults is how many API servers went silent.
	Faults int
	Events []event.Event
}

// Try lets two contenders hold one lease through a window of faults, which ends
// early when the lease is lost, and mends everything afterwards. An error is a
// trial that says nothing.
func (s *Stage) Try(ctx context.Context, o Options, timing scenario.Timing) (_ Trial, err error) {
	t := &trial{stage: s, options: o, timing: timing}
	defer func() { err = errors.Join(err, t.close()) }()
	if err := t.gather(ctx); err != nil {
		return Trial{}, fmt.Errorf("trial of %s at %v: %w", o.Peer, timing, err)
	}
	faults, err := t.roll(ctx)
	events := t.log.Events()
	if err != nil {
		return Trial{Events: events}, fmt.Errorf("trial of %s at %v: %w", o.Peer, timing, err)
	}
	return Trial{Lost: loss(events, leaderName, t.begun), Faults: faults, Events: events}, nil
}

// trial is one in progress.
type trial struct {
	stage   *Stage
	options Options
	timing  scenario.Timing
	log     event.Log
	hosts   []*lab.Host
	exits   sync.WaitGroup
	begun   time.Time // the first fault
}

// gather starts the contenders and returns when the first leads and the second
// has begun to contend.
func (t *trial) gather(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startBound+t.timing.LeaseDuration)
	defer cancel()
	lease := t.stage.lease()
	if err := t.contend(leaderName, lease); err != nil {
		return err
	}
	if err := t.log.Await(ctx, leaderName+" to lead", func(events []event.Event) bool { return leads(events, leaderName) }); err != nil {
		return err
	}
	if err := t.contend(standbyName, lease); err != nil {
		return err
	}
	return t.log.Await(ctx, standbyName+" to stand by", func(events []event.Event) bool {
		return contends(events, standbyName, contends(events, leaderName, true))
	})
}

func (t *trial) contend(name, lease string) error {
	host, err := t.stage.lab.NewHost(name)
	if err != nil {
		return err
	}
	t.hosts = append(t.hosts, host)
	path, args, env, err := contender.Command(contender.Options{
		Peer: t.options.Peer, Identity: name, Namespace: namespace, Lease: lease, Kubeconfig: t.stage.kubeconfig, Etcd: t.stage.lab.EtcdURL(),
		LeaseDuration: t.timing.LeaseDuration, RenewDeadline: t.timing.RenewDeadline, RetryPeriod: t.timing.RetryPeriod,
		ContendAgain: true,
	})
	if err != nil {
		return err
	}
	process, err := host.Start(lab.Command{Path: path, Args: args, Env: env, Stdout: t.log.Lines(name), Stderr: t.options.Stderr})
	if err != nil {
		return err
	}
	t.exits.Go(func() {
		<-process.Done()
		code := process.ExitCode()
		t.log.Append(event.Event{Who: name, What: event.Exited, Code: &code})
	})
	return nil
}

// roll silences one API server after another until the window is over or the
// lease is lost, and returns how many.
func (t *trial) roll(ctx context.Context) (faults int, err error) {
	first, err := t.leadersServer()
	if err != nil {
		return 0, err
	}
	servers := t.stage.lab.APIServers()
	t.begun = time.Now()
	end := t.begun.Add(t.options.Window)
	for i := first; time.Now().Before(end); i++ {
		victim := servers[i%len(servers)]
		t.log.Append(event.Event{Who: "scenario", What: event.Fault, On: victim.Host().Name(), Reason: "host is silent"})
		if err := victim.Silence(); err != nil {
			return faults, err
		}
		faults++
		lost, err := t.pass(ctx, until(end, t.options.Silence))
		if err := errors.Join(err, t.mend(ctx, victim)); err != nil || lost {
			return faults, err
		}
		if lost, err := t.pass(ctx, until(end, t.options.Pause)); err != nil || lost {
			return faults, err
		}
	}
	return faults, nil
}

// until returns d, but not more than is left until end.
func until(end time.Time, d time.Duration) time.Duration {
	return max(0, min(d, time.Until(end)))
}

// leadersServer returns the index of an API server that the leader is connected
// to, 0 if it is connected to none.
func (t *trial) leadersServer() (int, error) {
	connected, err := t.hosts[0].Connected()
	if err != nil || len(connected) == 0 {
		return 0, err
	}
	return connected[0], nil
}

// pass lets d pass, or less if the lease is lost, which it reports.
func (t *trial) pass(ctx context.Context, d time.Duration) (lost bool, err error) {
	window, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	err = t.log.Await(window, "the lease to be lost", func(events []event.Event) bool {
		return loss(events, leaderName, t.begun) != ""
	})
	if err == nil {
		return true, nil
	}
	return false, ctx.Err()
}

// mend makes the API server work again and waits until it serves.
func (t *trial) mend(ctx context.Context, server *lab.APIServer) error {
	ctx, cancel := context.WithTimeout(ctx, mendBound)
	defer cancel()
	begun := time.Now()
	if err := server.Mend(); err != nil {
		return err
	}
	if err := t.stage.serves(ctx, server.Index); err != nil {
		return err
	}
	t.log.Append(event.Event{Who: "scenario", What: event.Mended, On: server.Host().Name(), Took: time.Since(begun)})
	return nil
}

// close ends the contenders.
func (t *trial) close() error {
	var errs []error
	for _, host := range t.hosts {
		errs = append(errs, host.Close())
	}
	t.exits.Wait()
	return errors.Join(errs...)
}

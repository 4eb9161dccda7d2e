package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/examples/controller/publish"
	"github.com/holdfast-go/holdfast/leaderelection"
)

// outlived is how long work may outlive its lease before /healthz fails and the
// kubelet restarts the container. It does not happen unless the process hangs.
const outlived = 20 * time.Second

// unwinding bounds how long work whose context has ended is waited for after the
// election is over. It returns at once; a release has waited for it already.
const unwinding = time.Second

// errLost is the error of a run that led and no longer does, without having
// been asked to stop. A new process is the cleanest start into another term.
var errLost = errors.New("leadership was lost")

// run is the command: it fills its caches, contends, leads and publishes until
// ctx is done, then stops the work, releases the Lease and returns nil. Its
// error wraps errLost when the term ended otherwise.
func run(ctx context.Context, o options) error {
	to, err := connect(o)
	if err != nil {
		return err
	}
	defer to.events.Shutdown()
	selector, err := o.services()
	if err != nil {
		return err
	}
	publisher, err := publish.New(publish.Config{
		Client: to.traffic, Recorder: to.recorder, Selector: selector, Domain: o.domain, Target: o.target(),
	})
	if err != nil {
		return err
	}
	// running ends with ctx, and with whatever makes going on pointless.
	running, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	elector, worked, err := contender(running, fail, o, to, publisher)
	if err != nil {
		return err
	}
	watchDog := leaderelection.NewLeaderHealthzAdaptor(outlived)
	watchDog.SetLeaderElection(elector)
	stopHealth, err := serveHealth(o.healthAddress, healthHandler(watchDog.Check, publisher.Synced), fail)
	if err != nil {
		return err
	}
	defer stopHealth()

	// The caches outlive the election: the last write of a term may need them.
	caching, stopCaching := context.WithCancel(context.WithoutCancel(ctx))
	var caches sync.WaitGroup
	caches.Go(func() { publisher.Run(caching) })
	defer caches.Wait()
	defer stopCaching()

	logger := klog.FromContext(ctx)
	logger.Info("Starting", "identity", to.identity, "lease", to.lock.Describe(), "leaseDuration", o.leaseDuration,
		"renewDeadline", o.renewDeadline, "retryPeriod", o.retryPeriod, "mode", o.mode.String(), "selector", o.selector,
		"configMap", o.namespace+"/"+o.configMap, "domain", o.domain, "healthAddress", o.healthAddress)
	// Who cannot see the Services must not lead.
	if cache.WaitForCacheSync(running.Done(), publisher.Synced) {
		logger.Info("Caches are filled")
		elector.Run(running)
		if elector.Term() != nil {
			select {
			case <-worked:
			case <-time.After(unwinding): // or the term ended before its work began
			}
		}
	}

	switch {
	case ctx.Err() != nil:
		return nil
	case running.Err() != nil:
		return context.Cause(running)
	}
	return fmt.Errorf("%w: %w", errLost, elector.Term().Err())
}

// contender returns an elector whose work is publisher's, and a channel that is
// closed when the work of its only term has returned. Work that fails calls
// fail.
func contender(ctx context.Context, fail context.CancelCauseFunc, o options, to *connections, publisher *publish.Publisher) (*leaderelection.LeaderElector, <-chan struct{}, error) {
	worked := make(chan struct{})
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:            to.lock,
		LeaseDuration:   o.leaseDuration,
		RenewDeadline:   o.renewDeadline,
		RetryPeriod:     o.retryPeriod,
		ReleaseOnCancel: true,
		Name:            component,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(term context.Context) {
				defer close(worked)
				if err := publisher.Lead(term); err != nil {
					fail(err)
				}
			},
			OnStoppedLeading: func() {}, // that Run has returned says it
			OnNewLeader: func(holder string) {
				if holder == "" {
					klog.FromContext(ctx).Info("Nobody leads")
					return
				}
				klog.FromContext(ctx).Info("Leader seen", "holder", holder, "self", holder == to.identity)
			},
		},
	})
	return elector, worked, err
}

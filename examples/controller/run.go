package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
// error wraps errLost when the term ended otherwise. Told not to elect, it
// publishes as soon as its caches are filled.
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
	watchDog, knows := leaderelection.NewLeaderHealthzAdaptor(outlived), leaderelection.NewLeaderReadyzAdaptor()
	lead := publisher.Lead
	if o.election.LeaderElect {
		c, err := contend(running, fail, to, publisher)
		if err != nil {
			return err
		}
		watchDog.SetLeaderElection(c.elector)
		knows.SetLeaderElection(c.elector)
		lead = c.run
	}
	ready := func(r *http.Request) error {
		if !publisher.Synced() {
			return errors.New("the caches are not filled yet")
		}
		return knows.Check(r)
	}
	stopHealth, err := serveHealth(o.healthAddress, healthHandler(watchDog.Check, ready), fail)
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
	logger.Info("Starting", "identity", to.identity, "elects", o.election.LeaderElect, "lease", o.target().Owner,
		"leaseDuration", to.election.LeaseDuration, "renewDeadline", to.election.RenewDeadline, "retryPeriod", to.election.RetryPeriod,
		"mode", o.election.Mode.String(), "selector", o.selector, "configMap", o.namespace+"/"+o.configMap, "domain", o.domain,
		"healthAddress", o.healthAddress)
	// Who cannot see the Services must not lead.
	if cache.WaitForCacheSync(running.Done(), publisher.Synced) {
		logger.Info("Caches are filled")
		if err := lead(running); err != nil {
			fail(err)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(running)
}

// contender is the publisher as the work of an election.
type contender struct {
	elector *leaderelection.LeaderElector
	// worked holds a token once the work of the last term has returned.
	worked chan struct{}
}

// contend returns a contender that has yet to run. Work that fails calls fail.
func contend(ctx context.Context, fail context.CancelCauseFunc, to *connections, publisher *publish.Publisher) (*contender, error) {
	c := &contender{worked: make(chan struct{}, 1)}
	election := to.election
	election.Callbacks = leaderelection.LeaderCallbacks{
		OnStartedLeading: func(term context.Context) {
			select {
			case <-c.worked: // of the term before, with -leader-elect-contend-again
			default:
			}
			if err := publisher.Lead(term); err != nil {
				fail(err)
			}
			c.worked <- struct{}{}
		},
		OnStoppedLeading: func() {}, // that Run has returned says it
		OnNewLeader: func(holder string) {
			klog.FromContext(ctx).Info("Leader seen", "holder", holder, "self", holder == to.identity)
		},
	}
	var err error
	c.elector, err = leaderelection.NewLeaderElector(election)
	return c, err
}

// run contends until ctx is done or a term is lost, which is errLost.
func (c *contender) run(ctx context.Context) error {
	c.elector.Run(ctx)
	if c.elector.Term() == nil {
		return nil // it never led
	}
	select {
	case <-c.worked:
	case <-time.After(unwinding): // or the term ended before its work began
	}
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errLost, c.elector.Term().Err())
}

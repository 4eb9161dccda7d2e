package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/dialer"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

// narrator is whose words the faults are in the stream.
const narrator = "scenario"

const (
	// startBound is how long a run may take until both contend, beyond one
	// lease.
	startBound = 30 * time.Second
	// takeoverBound is how long a takeover may take beyond one lease: longer
	// than client-go's default pings let a dead connection live.
	takeoverBound = 2 * time.Minute
	// mendBound is how long the control plane may take to be ready again.
	mendBound = 2 * time.Minute
)

// Options say who contends and how.
type Options struct {
	// Peer is one of contender.Peers. Both contenders are of it.
	Peer string
	// Timing is the election's. It must be set.
	Timing Timing
	// Mode and WorkStop are those of contender.Options.
	Mode     dialer.Mode
	WorkStop time.Duration
	// WithoutWatch takes list and watch from the contenders' role, which leaves
	// the verbs that client-go's elector needs.
	WithoutWatch bool
	// Stderr takes what the contenders log, from several goroutines at a time;
	// nil sends it to the log files of their hosts.
	Stderr io.Writer
}

// Result is what came of a run.
type Result struct {
	// Events is the whole stream, sorted by time.
	Events []event.Event
	// Figures are what Measure makes of it.
	Figures Figures
}

// run is one run in progress.
type run struct {
	stage           *Stage
	log             event.Log
	leader, standby *contending
	victim          *lab.APIServer
	unharmed        []int
	timing          Timing
	front           *front // stands before the victim; nil in most scenarios

	tasks sync.WaitGroup // end with the run's context
	exits sync.WaitGroup // end with the contenders' processes
	mu    sync.Mutex
	errs  []error
}

// contending is a contender's process and its host.
type contending struct {
	host    *lab.Host
	process *lab.Process
}

// Run plays scenario once and mends everything afterwards. The result of a run
// that failed holds the events up to there. ctx ends the run early, with an
// error.
func (s *Stage) Run(ctx context.Context, scenario Scenario, o Options) (Result, error) {
	r := s.newRun()
	err := o.Timing.validate()
	if err == nil {
		err = r.play(ctx, scenario, o)
	}
	result := Result{Events: r.log.Events()}
	if err == nil {
		result.Figures, err = Measure(result.Events, o.Timing.RetryPeriod)
	}
	if err != nil {
		return result, fmt.Errorf("scenario %s with peer %s at %v: %w", scenario.Name, o.Peer, o.Timing, err)
	}
	return result, nil
}

// newRun returns a run that has not begun.
func (s *Stage) newRun() *run {
	r := &run{stage: s, victim: s.lab.APIServers()[victimIndex]}
	for i := range s.lab.APIServers() {
		if i != victimIndex {
			r.unharmed = append(r.unharmed, i)
		}
	}
	return r
}

// play is the run from the first contender to everything mended.
func (r *run) play(ctx context.Context, scenario Scenario, o Options) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		r.log.Append(event.Event{Who: narrator, What: event.Ended})
		cancel()
		r.tasks.Wait()
		cleared := r.clear()
		r.exits.Wait()
		r.mu.Lock()
		defer r.mu.Unlock()
		err = errors.Join(append([]error{err, cleared}, r.errs...)...)
	}()
	r.log.Append(event.Event{Who: narrator, What: event.Began, Reason: fmt.Sprintf("%s, peer %s, %v", scenario.Name, o.Peer, o.Timing)})
	lease := fmt.Sprintf("%s-%d", scenario.Name, r.stage.number())
	r.timing = o.Timing
	if scenario.prepare != nil {
		if err := scenario.prepare(ctx, r); err != nil {
			return err
		}
	}
	if err := r.observe(ctx, lease); err != nil {
		return err
	}
	if err := r.gather(ctx, scenario, o, lease); err != nil {
		return err
	}
	// The fault may come at any moment between two renewals.
	select {
	case <-time.After(rand.N(o.Timing.RetryPeriod)):
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := scenario.inflict(ctx, r); err != nil {
		return err
	}
	if scenario.Takeover {
		return r.awaitTakeover(ctx, o.Timing)
	}
	select {
	case <-time.After(o.Timing.LeaseDuration + o.Timing.RenewDeadline):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// observe starts the observer and returns when it sees every write.
func (r *run) observe(ctx context.Context, lease string) error {
	watching := make(chan struct{})
	failed := make(chan error, 1)
	var once sync.Once
	leases := r.stage.observer.CoordinationV1().Leases(namespace)
	r.tasks.Go(func() {
		err := observe(ctx, leases, lease, &r.log, func() { once.Do(func() { close(watching) }) })
		if err != nil {
			r.fail(err)
			failed <- err
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

// gather starts the contenders and returns when the first leads, the second
// stands by, and both are connected to the victim.
func (r *run) gather(ctx context.Context, scenario Scenario, o Options, lease string) error {
	ctx, cancel := context.WithTimeout(ctx, o.Timing.LeaseDuration+startBound)
	defer cancel()
	if err := r.name(victimIndex); err != nil {
		return err
	}
	options := contender.Options{
		Peer: o.Peer, Namespace: namespace, Lease: lease, Kubeconfig: r.stage.kubeconfig, Etcd: r.stage.lab.EtcdURL(),
		LeaseDuration: o.Timing.LeaseDuration, RenewDeadline: o.Timing.RenewDeadline, RetryPeriod: o.Timing.RetryPeriod,
		Mode: o.Mode, ReleaseOnCancel: scenario.ReleaseOnCancel, WorkStop: o.WorkStop,
	}
	if o.WithoutWatch {
		options.Kubeconfig = r.stage.unwatching
	}
	var err error
	if r.leader, err = r.contend("contender-1", options, o.Stderr); err != nil {
		return err
	}
	if err = r.await(ctx, "contender-1 to lead", says("contender-1", event.Leading)); err != nil {
		return err
	}
	if r.standby, err = r.contend("contender-2", options, o.Stderr); err != nil {
		return err
	}
	return r.await(ctx, "contender-2 to stand by and contender-1 to renew", func(events []event.Event) bool {
		asked, ok := first(events, func(e event.Event) bool { return e.Who == "contender-2" && e.What == event.Requested })
		renewals := 0
		for _, e := range events {
			if e.What == event.Committed && e.Time.After(asked.Time) {
				renewals++
			}
		}
		return ok && renewals >= 2
	})
}

// contend starts a contender on a new host of the same name.
func (r *run) contend(name string, o contender.Options, stderr io.Writer) (*contending, error) {
	o.Identity = name
	host, err := r.stage.lab.NewHost(name)
	if err != nil {
		return nil, err
	}
	if r.front != nil {
		if err := host.SetBackendAddrs(r.front.addr); err != nil {
			return &contending{host: host}, err
		}
	}
	return r.begin(host, o, stderr)
}

// begin starts a contender on host. What it says and its exit are in the log.
func (r *run) begin(host *lab.Host, o contender.Options, stderr io.Writer) (*contending, error) {
	name := o.Identity
	c := &contending{host: host}
	path, args, env, err := contender.Command(o)
	if err != nil {
		return c, err
	}
	c.process, err = host.Start(lab.Command{Path: path, Args: args, Env: env, Stdout: r.log.Lines(name), Stderr: stderr})
	if err != nil {
		return c, err
	}
	r.exits.Go(func() {
		<-c.process.Done()
		code := c.process.ExitCode()
		r.log.Append(event.Event{Who: name, What: event.Exited, Code: &code})
	})
	return c, nil
}

// awaitTakeover returns when another than the leader leads and the leader's
// own work has ended. That the work goes on for a whole lease after that is no
// error: the figures show it.
func (r *run) awaitTakeover(ctx context.Context, t Timing) error {
	patience, cancel := context.WithTimeout(ctx, t.LeaseDuration+takeoverBound)
	defer cancel()
	err := r.log.Await(patience, "contender-2 to lead", func(events []event.Event) bool {
		_, held := first(events, func(e event.Event) bool { return e.What == event.Committed && e.Holder == "contender-2" })
		return held && says("contender-2", event.Leading)(events)
	})
	if err != nil {
		return err
	}
	ending, cancel := context.WithTimeout(ctx, t.LeaseDuration)
	defer cancel()
	_ = r.log.Await(ending, "the work of contender-1 to end", func(events []event.Event) bool {
		return says("contender-1", event.Stopped)(events) || says("contender-1", event.Exited)(events)
	})
	return ctx.Err()
}

// says returns the condition that who has said what.
func says(who string, what event.What) func([]event.Event) bool {
	return func(events []event.Event) bool {
		_, ok := first(events, func(e event.Event) bool { return e.Who == who && e.What == what })
		return ok
	}
}

// await is Log.Await for a time at which no contender may exit.
func (r *run) await(ctx context.Context, what string, cond func([]event.Event) bool) error {
	exited := func(e event.Event) bool { return e.What == event.Exited }
	err := r.log.Await(ctx, what, func(events []event.Event) bool {
		_, gone := first(events, exited)
		return gone || cond(events)
	})
	if gone, ok := first(r.log.Events(), exited); ok && err == nil {
		return fmt.Errorf("await %s: %s has exited with code %d", what, gone.Who, *gone.Code)
	}
	return err
}

// clear ends the contenders and mends the laboratory, whatever became of the
// run's own context.
func (r *run) clear() error {
	var errs []error
	for _, c := range []*contending{r.leader, r.standby} {
		if c != nil {
			errs = append(errs, c.host.Close())
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), mendBound)
	defer cancel()
	begun := time.Now()
	if err := r.stage.lab.Mend(ctx); err != nil {
		return errors.Join(append(errs, fmt.Errorf("mend the laboratory: %w", err))...)
	}
	if err := r.stage.recovered(ctx, victimIndex); err != nil {
		return errors.Join(append(errs, err)...)
	}
	r.log.Append(event.Event{Who: narrator, What: event.Mended, On: "laboratory", Took: time.Since(begun)})
	return errors.Join(errs...)
}

// fail makes the run an error without ending it.
func (r *run) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err)
}

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
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

const (
	// startBound is how long a run may take until one leads, and then until the
	// other stands by, beyond one lease.
	startBound = 30 * time.Second
	// programBound is the same for a program of which nothing is known.
	programBound = time.Minute
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
	// Program contends in place of a peer; nil for the peer.
	Program *Program
	// Outside reads what a peer does from where it is read of a Program, which says
	// nothing itself: the Lease, the processes, and what the API servers were asked.
	// It takes a laboratory with lab.Options.Audit, and so does a Program.
	Outside bool
	// Timing is the election's. It must be set for a peer. That of a Program is read
	// from its Lease where it is zero.
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
	// Timing is that of the options, or what was read from the Lease.
	Timing Timing
	// Floor was measured right after the run; zero where it was not.
	Floor Floor
}

// run is one run in progress.
type run struct {
	stage.Play
	stage           *Stage
	leader, standby *contending
	victim          *lab.APIServer
	unharmed        []int
	program         Program // what both copies are of
	timing          Timing
	front           *front // stands before the victim; nil in most scenarios

	telling sync.Mutex
	names   identities
	outside *outside // nil where the contenders say themselves what they do
}

// contending is a contender's process and its host.
type contending struct {
	host    *lab.Host
	process *lab.Process
	output  *tail // nil where the output is a stream of events
}

// Run plays scenario once and mends everything afterwards. The result of a run
// that failed holds the events up to there. ctx ends the run early, with an
// error.
func (s *Stage) Run(ctx context.Context, scenario Scenario, o Options) (Result, error) {
	r := s.newRun()
	err := r.cast(scenario, o)
	if err == nil {
		err = r.play(ctx, scenario, o)
	}
	result := Result{Events: r.Events(), Timing: r.timing}
	if err == nil {
		result.Figures, err = Measure(result.Events, r.timing.RetryPeriod)
	}
	if err != nil {
		return result, fmt.Errorf("scenario %s with %s: %w", scenario.Name, o.who(), err)
	}
	return result, nil
}

// who says who contends.
func (o Options) who() string {
	if o.Program != nil {
		return "program " + o.Program.Name
	}
	return fmt.Sprintf("peer %s at %v", o.Peer, o.Timing)
}

// cast says what the two contenders of a run are copies of.
func (r *run) cast(scenario Scenario, o Options) (err error) {
	r.timing = o.Timing
	if o.Program != nil || o.Outside {
		r.names.names, r.outside = copies, &outside{}
	}
	if o.Program != nil {
		r.program = *o.Program
		return nil
	}
	if err := o.Timing.Validate(); err != nil {
		return err
	}
	r.program, err = peerProgram(contender.Options{
		Peer: o.Peer, Namespace: namespace, Lease: fmt.Sprintf("%s-%d", scenario.Name, r.stage.number()), Etcd: r.stage.lab.EtcdURL(),
		Timing: o.Timing, Mode: o.Mode, ReleaseOnCancel: scenario.ReleaseOnCancel, WorkStop: o.WorkStop,
	})
	return err
}

// newRun returns a run that has not begun.
func (s *Stage) newRun() *run {
	r := &run{stage: s, victim: s.lab.APIServers()[victimIndex]}
	r.Say = r.say
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
		r.say(event.Event{Who: stage.Narrator, What: event.Ended})
		cancel()
		r.Tasks.Wait()
		err = errors.Join(err, r.clear(), r.Exited())
	}()
	r.say(event.Event{Who: stage.Narrator, What: event.Began, Reason: scenario.Name + ", " + o.who()})
	if scenario.prepare != nil {
		if err := scenario.prepare(ctx, r); err != nil {
			return err
		}
	}
	if r.outside != nil {
		if err := r.overhear(ctx); err != nil {
			return err
		}
	}
	if err := r.Observe(ctx, r.stage.observer.CoordinationV1().Leases(r.program.Namespace), r.program.Lease); err != nil {
		return err
	}
	if err := r.gather(ctx, o); err != nil {
		return err
	}
	// The fault may come at any moment between two renewals.
	if err := stage.Pause(ctx, rand.N(r.timing.RetryPeriod)); err != nil {
		return err
	}
	if err := scenario.inflict(ctx, r); err != nil {
		return err
	}
	if scenario.Takeover {
		return r.awaitTakeover(ctx)
	}
	if err := stage.Pause(ctx, r.timing.LeaseDuration+r.timing.RenewDeadline); err != nil || r.outside == nil {
		return err
	}
	return r.awaitLeader(ctx)
}

// say appends e, and what follows from it where the contenders do not say it.
func (r *run) say(e event.Event) {
	r.telling.Lock()
	defer r.telling.Unlock()
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if e.Who == stage.Observer {
		e.On, e.Holder = "", r.names.of(e.Holder) // there is one Lease
	}
	if r.outside != nil {
		for _, derived := range r.outside.derive(e) {
			r.Append(derived)
		}
	}
	r.Append(e)
}

// gather starts the contenders and returns when the first leads, the second
// stands by, and both are connected to the victim.
func (r *run) gather(ctx context.Context, o Options) (err error) {
	if err := r.name(victimIndex); err != nil {
		return err
	}
	if r.leader, err = r.contend(ctx, "contender-1", o); err != nil {
		return err
	}
	if err := r.await(ctx, "contender-1 to lead", stage.Says("contender-1", event.Leading)); err != nil {
		return r.explain(r.leader, fmt.Sprintf("did not take the Lease %s/%s", r.program.Namespace, r.program.Lease), err)
	}
	if r.standby, err = r.contend(ctx, "contender-2", o); err != nil {
		return err
	}
	err = r.await(ctx, "contender-2 to stand by and contender-1 to renew", func(events []event.Event) bool {
		asked, ok := first(events, func(e event.Event) bool {
			return e.Who == "contender-2" && e.What == event.Requested && (e.On == "" || e.On == theLease)
		})
		renewals := 0
		for _, e := range events {
			if e.What == event.Committed && e.Time.After(asked.Time) {
				renewals++
			}
		}
		return ok && renewals >= 2
	})
	if err != nil && stage.Says("contender-1", event.Exited)(r.Events()) {
		return r.explain(r.leader, "did not go on leading", err)
	}
	if err != nil {
		return r.explain(r.standby, "did not stand by while the first was renewing", err)
	}
	r.say(event.Event{Who: stage.Narrator, What: event.Settled})
	if r.outside == nil {
		return nil
	}
	if err := stage.Pause(ctx, r.record().Lease); err != nil {
		return err
	}
	if r.timing == (Timing{}) {
		r.timing, err = timingOf(r.Events())
	}
	return err
}

// contend starts a contender on a new host of the same name.
func (r *run) contend(ctx context.Context, name string, o Options) (*contending, error) {
	host, err := r.stage.lab.NewHost(name)
	if err != nil {
		return nil, err
	}
	if r.front != nil {
		if err := host.SetBackendAddrs(r.front.addr); err != nil {
			return &contending{host: host}, err
		}
	}
	kubeconfig, err := r.kubeconfig(name, o)
	if err == nil && contender.Relayed(o.Peer) {
		kubeconfig, err = r.relayed(ctx, host, kubeconfig, o.Stderr)
	}
	if err != nil {
		return &contending{host: host}, err
	}
	return r.begin(host, name, r.program.command(name, kubeconfig), o.Stderr)
}

// kubeconfig returns that of a contender. Those that say nothing themselves are a
// user each, so that what they ask for can be told apart.
func (r *run) kubeconfig(name string, o Options) (string, error) {
	switch {
	case r.outside != nil && r.program.Restricted:
		return r.stage.lab.Kubeconfig(name)
	case r.outside != nil:
		return r.stage.lab.Kubeconfig(name, lab.Masters)
	case o.WithoutWatch:
		return r.stage.unwatching, nil
	}
	return r.stage.kubeconfig, nil
}

// begin starts a contender on host. What it says and its exit are in the log.
func (r *run) begin(host *lab.Host, name string, command lab.Command, stderr io.Writer) (*contending, error) {
	c := &contending{host: host}
	command.Stderr = stderr
	if r.outside != nil {
		c.output = &tail{also: stderr}
		command.Stdout, command.Stderr = c.output, c.output
	}
	var err error
	c.process, err = r.Start(host, name, command)
	return c, err
}

// awaitTakeover returns when another than the leader leads and the leader's
// own work has ended. That the work goes on for a whole lease after that is no
// error: the figures show it. Nor is it one that a program of which nothing is known
// never leads.
func (r *run) awaitTakeover(ctx context.Context) error {
	patience, cancel := context.WithTimeout(ctx, r.timing.LeaseDuration+takeoverBound)
	defer cancel()
	err := r.Await(patience, "contender-2 to lead", func(events []event.Event) bool {
		_, held := first(events, func(e event.Event) bool { return e.What == event.Committed && e.Holder == "contender-2" })
		return held && stage.Says("contender-2", event.Leading)(events) || r.outside != nil && stage.Says("contender-2", event.Exited)(events)
	})
	if r.outside != nil {
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	ending, cancel := context.WithTimeout(ctx, r.timing.LeaseDuration)
	defer cancel()
	_ = r.Await(ending, "the work of contender-1 to end", func(events []event.Event) bool {
		return stage.Says("contender-1", event.Stopped)(events) || stage.Says("contender-1", event.Exited)(events)
	})
	return ctx.Err()
}

// awaitLeader returns when somebody leads, or when nobody can or has for so long that
// somebody would: the figures show it.
func (r *run) awaitLeader(ctx context.Context) error {
	patience, cancel := context.WithTimeout(ctx, r.timing.LeaseDuration+takeoverBound)
	defer cancel()
	_ = r.Await(patience, "somebody to lead", func(events []event.Event) bool {
		return held(events, time.Now()) || stage.Says("contender-1", event.Exited)(events) && stage.Says("contender-2", event.Exited)(events)
	})
	return ctx.Err()
}

// record returns the last renewal of the first contender.
func (r *run) record() event.Event { return lastRenewal(r.Events(), "contender-1") }

// await is Log.Await for the time in which the contenders gather, when none may exit.
func (r *run) await(ctx context.Context, what string, cond func([]event.Event) bool) error {
	bound := max(r.timing.LeaseDuration, r.record().Lease) + startBound
	if r.outside != nil {
		bound += programBound - startBound
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	return r.AwaitAll(ctx, what, cond)
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
	if err := stage.Well(ctx, r.stage.lab, victimIndex, stage.Prompt); err != nil {
		return errors.Join(append(errs, err)...)
	}
	r.say(event.Event{Who: stage.Narrator, What: event.Mended, On: "laboratory", Took: time.Since(begun)})
	return errors.Join(errs...)
}

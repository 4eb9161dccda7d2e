package cost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

// namespace holds the Leases, and is the name of the contenders' user and role.
const namespace = "cost"

// Stage is what all measurements in one laboratory share. It is for one
// goroutine at a time.
type Stage struct {
	lab        *lab.Lab
	servers    apiServers
	kubeconfig string
	runs       int
}

// NewStage prepares l, in which nobody else may contend.
func NewStage(ctx context.Context, l *lab.Lab) (*Stage, error) {
	servers, err := observe(l)
	if err != nil {
		return nil, err
	}
	_, config, err := l.Observer(0)
	if err != nil {
		return nil, err
	}
	if err := stage.Make(ctx, config, stage.Rights(namespace, namespace, []rbacv1.PolicyRule{stage.Leases()}, stage.Users(namespace)...)...); err != nil {
		return nil, fmt.Errorf("prepare to measure cost: %w", err)
	}
	kubeconfig, err := l.Kubeconfig(namespace)
	return &Stage{lab: l, servers: servers, kubeconfig: kubeconfig}, err
}

// Options say what to measure.
type Options struct {
	// Peer is one of contender.Peers.
	Peer string
	// Scale is how many contend, two or more, or how many leases one process
	// holds, one or more.
	Scale int
	// Timing is the elections'.
	Timing contender.Timing
	// Window is how long to measure, Settle how long contenders may take until
	// they have settled.
	Window, Settle time.Duration
	// Processes is the most processes that standbys are spread over.
	Processes int
}

func (s *Stage) contender(o Options, what string) contender.Options {
	s.runs++
	return contender.Options{
		Peer: o.Peer, Identity: "contender", Namespace: namespace, Lease: fmt.Sprintf("%s-%d", what, s.runs), Kubeconfig: s.kubeconfig, Etcd: s.lab.EtcdURL(),
		Timing: o.Timing,
	}
}

// gathering is the crowds of one measurement.
type gathering struct {
	stage   *Stage
	options Options
	crowds  []*member
}

// close ends all crowds.
func (g *gathering) close() error {
	var errs []error
	for _, m := range g.crowds {
		errs = append(errs, m.host.Close())
	}
	return errors.Join(errs...)
}

func (g *gathering) add(ctx context.Context, c *crowd, o contender.Options) error {
	m, err := start(ctx, g.stage.lab, fmt.Sprintf("crowd-%d", len(g.crowds)), c, o)
	if err == nil {
		g.crowds = append(g.crowds, m)
	}
	return err
}

// ask asks every crowd, in their order.
func (g *gathering) ask(ctx context.Context, how os.Signal) ([]Reading, error) {
	var all []Reading
	for _, m := range g.crowds {
		r, err := m.ask(ctx, how)
		if err != nil {
			return nil, err
		}
		if r.Broken != "" {
			return nil, errors.New("a contender could not go on: " + r.Broken)
		}
		all = append(all, r)
	}
	return all, nil
}

// errUnsettled is wrapped by the error of contenders that have not settled in
// time, which is a limit of the laboratory rather than a failure.
var errUnsettled = errors.New("the contenders did not settle")

// settle returns when the contenders have settled. It looks once a retry
// period.
func (g *gathering) settle(ctx context.Context, leaders int) error {
	contenders, begun := 0, time.Now()
	for _, m := range g.crowds {
		contenders += m.size
	}
	tick := time.NewTicker(g.options.Timing.RetryPeriod)
	defer tick.Stop()
	var before []Reading
	for {
		now, err := g.ask(ctx, readSignal)
		if err != nil {
			return err
		}
		if settled(before, now, leaders, contenders) {
			return nil
		}
		if time.Since(begun) > g.options.Settle {
			return fmt.Errorf("%w within %v: %s", errUnsettled, g.options.Settle, state(now, leaders, contenders))
		}
		before = now
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// state says how far contenders have come.
func state(all []Reading, leaders, contenders int) string {
	var sum Reading
	for _, r := range all {
		sum.Contenders += r.Contenders
		sum.Leading += r.Leading
		sum.Lost += r.Lost
		sum.Answered += r.Answered
		sum.Network.Opened += r.Network.Opened
	}
	words := []string{
		fmt.Sprintf("%d of %d contend", sum.Contenders, contenders),
		fmt.Sprintf("%d lead where %d should", sum.Leading, leaders),
		fmt.Sprintf("%d leases lost", sum.Lost),
		fmt.Sprintf("%d connections opened", sum.Network.Opened),
	}
	if slices.ContainsFunc(all, func(r Reading) bool { return r.Sent > 0 }) {
		words = append(words, fmt.Sprintf("%d have had two answers", sum.Answered))
	}
	return strings.Join(words, ", ")
}

// measure takes readings at both ends of the window.
func (g *gathering) measure(ctx context.Context) (window, error) {
	var w window
	servedBefore, err := g.stage.servers.served(ctx)
	if err != nil {
		return w, err
	}
	begun := time.Now()
	busyBefore, err := readProcessors()
	if err != nil {
		return w, err
	}
	before, err := g.ask(ctx, readSignal)
	if err != nil {
		return w, err
	}
	if err := stage.Pause(ctx, g.options.Window); err != nil {
		return w, err
	}
	after, err := g.ask(ctx, readSignal)
	if err != nil {
		return w, err
	}
	busyAfter, err := readProcessors()
	if err != nil {
		return w, err
	}
	w.took = time.Since(begun)
	servedAfter, err := g.stage.servers.served(ctx)
	if err != nil {
		return w, err
	}
	w.served, w.busy = servedAfter.since(servedBefore), busyAfter.busySince(busyBefore)
	for i := range before {
		w.crowds = append(w.crowds, span{before[i], after[i]})
	}
	return w, nil
}

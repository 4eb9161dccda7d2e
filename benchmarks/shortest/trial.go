package shortest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

const (
	// startBound is how long two contenders may take until one leads and one
	// stands by, beyond a lease.
	startBound = 30 * time.Second
	// startPause lies between the beginnings of two pairs, so that they do not
	// all start on the same two processors.
	startPause = 500 * time.Millisecond
	// mendBound is how long an API server may take to serve again.
	mendBound = 2 * time.Minute
)

// Options say what a trial is like, whoever contends.
type Options struct {
	// Window is how long a trial lasts, from the first fault.
	Window time.Duration
	// Silence is how long each API server is silent, Pause how long there is
	// peace once it serves again.
	Silence, Pause time.Duration
	// Stderr takes what the contenders log, from several goroutines at a time;
	// nil sends it to the log files of their hosts.
	Stderr io.Writer
}

// Entrant is a pair that takes part in a trial.
type Entrant struct {
	// Peer is one of contender.Peers.
	Peer   string
	Timing scenario.Timing
}

// Trial is what came of one for one pair.
type Trial struct {
	// Lost says how the lease was lost; empty: it held.
	Lost string
	// Faults is how many API servers went silent until then.
	Faults int
}

// Try lets pairs hold leases through a window of faults, which ends early when
// every lease is lost, and mends everything afterwards. It returns a trial for
// each entrant, or an error: then the window says nothing of any.
func (s *Stage) Try(ctx context.Context, o Options, entrants []Entrant) (_ []Trial, err error) {
	t := &trial{stage: s, options: o}
	for i, e := range entrants {
		t.pairs = append(t.pairs, newPair(s, i, e, o.Stderr))
	}
	defer func() { err = errors.Join(err, t.close()) }()
	t.gather(ctx)
	if err := t.roll(ctx); err != nil {
		return nil, fmt.Errorf("trial of %d pairs: %w", len(entrants), err)
	}
	var all []Trial
	for _, p := range t.pairs {
		lost, faults := p.verdict()
		all = append(all, Trial{Lost: lost, Faults: faults})
	}
	return all, nil
}

// trial is one in progress.
type trial struct {
	stage   *Stage
	options Options
	pairs   []*pair
}

// gather starts the pairs, one after the other, and returns when each contends
// or has failed to.
func (t *trial) gather(ctx context.Context) {
	var starts sync.WaitGroup
	for _, p := range t.pairs {
		starts.Go(func() { p.gather(ctx) })
		if stage.Pause(ctx, startPause) != nil {
			break
		}
	}
	starts.Wait()
}

// roll silences one API server after another until the window is over or every
// lease is lost.
func (t *trial) roll(ctx context.Context) error {
	end := time.Now().Add(t.options.Window)
	servers := t.stage.lab.APIServers()
	for i := 0; time.Now().Before(end) && t.holding(); i++ {
		victim := servers[i%len(servers)]
		for _, p := range t.pairs {
			p.fault()
		}
		if err := victim.Silence(); err != nil {
			return err
		}
		err := t.pass(ctx, until(end, t.options.Silence))
		if err := errors.Join(err, t.mend(ctx, victim)); err != nil {
			return err
		}
		if err := t.pass(ctx, until(end, t.options.Pause)); err != nil {
			return err
		}
	}
	return nil
}

// holding reports whether any pair has a lease to lose.
func (t *trial) holding() bool {
	for _, p := range t.pairs {
		if lost, _ := p.verdict(); lost == "" {
			return true
		}
	}
	return false
}

// until returns d, but not more than is left until end.
func until(end time.Time, d time.Duration) time.Duration {
	return max(0, min(d, time.Until(end)))
}

// pass lets d pass, or less if every lease is lost.
func (t *trial) pass(ctx context.Context, d time.Duration) error {
	over := time.After(d)
	for _, p := range t.pairs {
		select {
		case <-p.over:
		case <-over:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// mend makes the API server work again and waits until it serves.
func (t *trial) mend(ctx context.Context, server *lab.APIServer) error {
	ctx, cancel := context.WithTimeout(ctx, mendBound)
	defer cancel()
	if err := server.Mend(); err != nil {
		return err
	}
	return stage.Well(ctx, t.stage.lab, server.Index, promptly)
}

// close ends the pairs.
func (t *trial) close() error {
	var errs []error
	for _, p := range t.pairs {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}

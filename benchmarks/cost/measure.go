package cost

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/benchmarks/result"
)

// together is how many contenders of a crowd may begin while others are still
// beginning. Larger crowds begin one after the other, each when the one before
// has settled: what a thousand programs cost that start within seconds on two
// processors is another question than what they cost at rest.
const together = 10

// Rest measures o.Scale contenders for one lease, of which one leads. What went
// wrong is in the sample; the error is that of a laboratory that is of no
// further use, or of ctx.
func (s *Stage) Rest(ctx context.Context, o Options) (result.Sample, error) {
	g := &gathering{stage: s, options: o}
	return s.sample(ctx, result.Rest, g, func() (map[string]float64, error) {
		who := s.contender(o, "rest")
		if o.Scale < 2 {
			return nil, fmt.Errorf("%d contenders: a leader and a standby are the least", o.Scale)
		}
		first := 0
		for i, size := range append([]int{1}, spread(o.Scale-1, o.Processes)...) {
			if err := g.add(ctx, &crowd{Size: size, First: first}, who); err != nil {
				return nil, err
			}
			first += size
			if i > 0 && size <= together {
				continue
			}
			if err := g.settle(ctx, 1); err != nil { // the leader, before there is anyone else
				return nil, err
			}
		}
		if err := g.settle(ctx, 1); err != nil {
			return nil, err
		}
		w, err := g.measure(ctx)
		if err != nil {
			return nil, err
		}
		return w.rest(), nil
	})
}

// Leases measures one process that leads o.Scale leases, which nobody else
// contends for. See Rest for the error.
func (s *Stage) Leases(ctx context.Context, o Options) (result.Sample, error) {
	g := &gathering{stage: s, options: o}
	return s.sample(ctx, result.Leases, g, func() (map[string]float64, error) {
		if o.Scale < 1 {
			return nil, fmt.Errorf("%d leases: one is the least", o.Scale)
		}
		if err := g.add(ctx, &crowd{Size: o.Scale, Shared: true}, s.contender(o, "leases")); err != nil {
			return nil, err
		}
		if err := g.settle(ctx, o.Scale); err != nil {
			return nil, err
		}
		w, err := g.measure(ctx)
		if err != nil {
			return nil, err
		}
		full, err := g.ask(ctx, collectSignal)
		if err != nil {
			return nil, err
		}
		return w.leases(g.crowds[0].empty, full[0]), nil
	})
}

// sample makes a sample of what measure returns, and ends the crowds.
func (s *Stage) sample(ctx context.Context, what string, g *gathering, measure func() (map[string]float64, error)) (result.Sample, error) {
	o := g.options
	sample := result.Sample{
		Measure: what, Peer: o.Peer, Scale: o.Scale,
		Timing: o.Timing.String(),
	}
	figures, err := measure()
	switch {
	case err == nil:
		sample.Figures, sample.Limit = figures, limit(figures)
	case errors.Is(err, errUnsettled):
		sample.Failed, sample.Limit = "nothing was measured", err.Error()
	default:
		sample.Failed = err.Error()
	}
	return sample, errors.Join(g.close(), ctx.Err())
}

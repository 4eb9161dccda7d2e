package holdfastprom

import (
	"time"

	"k8s.io/utils/clock"

	"github.com/holdfast-go/holdfast/leaderelection"
)

// newElection returns an election whose trace counts into counts and passes on
// to the config's own.
func newElection(name string, config *leaderelection.LeaderElectionConfig, counts counts) *election {
	e := &election{name: name, lease: config.LeaseDuration, clock: clock.RealClock{}}
	if config.Clock != nil {
		e.clock = config.Clock
	}
	counts.expect(name)
	e.trace = chain(e.counting(counts), config.Trace)
	return e
}

// counting returns a Trace that counts. An election that was forgotten counts
// no more, so that a last word of its elector does not bring its series back.
func (e *election) counting(c counts) *leaderelection.Trace {
	return &leaderelection.Trace{
		Made: e.elector.Store,
		TermBegan: func(term *leaderelection.Term, how leaderelection.Succession) {
			e.term.Store(term)
			e.count(func() { c.begun.WithLabelValues(e.name, label(how)).Inc() })
		},
		TermEnded: func(_ *leaderelection.Term, ended *leaderelection.TermEndedError) {
			e.count(func() { c.ended.WithLabelValues(e.name, string(ended.Reason)).Inc() })
		},
		Renewal: func(result leaderelection.RenewalResult, took time.Duration) {
			e.count(func() {
				c.renewals.WithLabelValues(e.name, label(result)).Inc()
				c.latency.WithLabelValues(e.name).Observe(took.Seconds())
			})
		},
		WatchEnded: func(err error) {
			cause := causeEnded
			if err != nil {
				cause = causeFailed
			}
			e.count(func() { c.watches.WithLabelValues(e.name, cause).Inc() })
		},
	}
}

func (e *election) count(add func()) {
	if !e.forgotten.Load() {
		add()
	}
}

// chain returns a Trace that tells first what then is told too. then may be nil
// and have functions that are; first has all.
func chain(first, then *leaderelection.Trace) *leaderelection.Trace {
	if then == nil {
		return first
	}
	return &leaderelection.Trace{
		Made: func(elector *leaderelection.LeaderElector) {
			first.Made(elector)
			if then.Made != nil {
				then.Made(elector)
			}
		},
		TermBegan: func(term *leaderelection.Term, how leaderelection.Succession) {
			first.TermBegan(term, how)
			if then.TermBegan != nil {
				then.TermBegan(term, how)
			}
		},
		TermEnded: func(term *leaderelection.Term, ended *leaderelection.TermEndedError) {
			first.TermEnded(term, ended)
			if then.TermEnded != nil {
				then.TermEnded(term, ended)
			}
		},
		Renewal: func(result leaderelection.RenewalResult, took time.Duration) {
			first.Renewal(result, took)
			if then.Renewal != nil {
				then.Renewal(result, took)
			}
		},
		WatchEnded: func(err error) {
			first.WatchEnded(err)
			if then.WatchEnded != nil {
				then.WatchEnded(err)
			}
		},
	}
}

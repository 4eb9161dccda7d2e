package holdfastprom

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/holdfast-go/holdfast/leaderelection"
)

// election is one election in a Collector, made by Collector.Election. It is
// safe for concurrent use.
type election struct {
	name  string
	lease time.Duration
	clock clock.PassiveClock
	trace *leaderelection.Trace
	term  atomic.Pointer[leaderelection.Term]
	// elector is nil until it is made; so long holdfast_leaderless_seconds is absent.
	elector   atomic.Pointer[leaderelection.LeaderElector]
	forgotten atomic.Bool
}

// gauge is a metric that is read at a scrape; read returns false where there is
// nothing to tell.
type gauge struct {
	desc *prometheus.Desc
	read func(*election, moment) (float64, bool)
}

func newGauge(name, help string, read func(*election, moment) (float64, bool)) gauge {
	return gauge{desc: prometheus.NewDesc(name, help, []string{labelName}, nil), read: read}
}

var gauges = []gauge{
	newGauge("holdfast_leading", "Whether this process leads now (1) or not (0).",
		func(_ *election, m moment) (float64, bool) { return number(m.leading), true }),
	newGauge("holdfast_in_doubt", "Whether the term of this process has not ended but cannot be relied on (1): its time is over by some clock of the machine.",
		func(_ *election, m moment) (float64, bool) { return number(m.inDoubt), true }),
	newGauge("holdfast_term_left_seconds", "What is left of the term unless it is renewed; 0 while this process does not lead.",
		func(_ *election, m moment) (float64, bool) { return m.rest.Seconds(), true }),
	newGauge("holdfast_leaderless_seconds", "For how long this process has seen no leader: since the last lease that it saw ran out or was released. 0 while there is one.",
		func(e *election, _ moment) (float64, bool) {
			elector := e.elector.Load()
			if elector == nil {
				return 0, false
			}
			return elector.Status().Leaderless.Seconds(), true
		}),
	newGauge("holdfast_lease_duration_seconds", "The LeaseDuration that this process contends with.",
		func(e *election, _ moment) (float64, bool) { return e.lease.Seconds(), true }),
}

func (e *election) collect(metrics chan<- prometheus.Metric) {
	now := e.now()
	for _, gauge := range gauges {
		if value, known := gauge.read(e, now); known {
			metrics <- sample(gauge.desc, prometheus.GaugeValue, value, e.name)
		}
	}
}

// sample returns a metric, or one that fails the scrape with what is wrong.
func sample(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) prometheus.Metric {
	metric, err := prometheus.NewConstMetric(desc, kind, value, labels...)
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return metric
}

// moment is the state of the current term, read once for a scrape so that its
// gauges agree.
type moment struct {
	leading, inDoubt bool
	rest             time.Duration
}

// now reads the term and not the elector, so that it works with RunOrDie.
func (e *election) now() moment {
	term := e.term.Load()
	if term == nil {
		return moment{}
	}
	if term.Err() == nil {
		return moment{leading: true, rest: max(0, term.End().Sub(e.clock.Now()))}
	}
	select {
	case <-term.Done():
		return moment{}
	default:
		return moment{inDoubt: true}
	}
}

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

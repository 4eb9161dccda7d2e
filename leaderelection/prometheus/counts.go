package holdfastprom

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-go/holdfast/leaderelection"
)

// labelName names the election.
const labelName = "name"

// What the label cause of holdfast_watch_restarts_total may say.
const (
	causeEnded  = "ended"
	causeFailed = "failed"
)

// latencyBuckets are seconds. A renewal takes milliseconds where all is well, a
// second or two where a connection had to be replaced, and at most the term.
var latencyBuckets = []float64{.0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// Every value that a label may have, so that a counter is there before it
// counts.
var (
	successions = []leaderelection.Succession{
		leaderelection.SuccessionTakeover, leaderelection.SuccessionHandover, leaderelection.SuccessionNewLease, leaderelection.SuccessionOwnClaim, leaderelection.SuccessionProof,
	}
	reasons = leaderelection.Reasons()
	results = []leaderelection.RenewalResult{
		leaderelection.RenewalConfirmed, leaderelection.RenewalSettled, leaderelection.RenewalLost, leaderelection.RenewalGivenUp,
	}
	causes = []string{causeEnded, causeFailed}
)

// counts is what has happened, in all elections.
type counts struct {
	begun, ended, renewals, watches *prometheus.CounterVec
	latency                         *prometheus.HistogramVec
}

func newCounts() counts {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{labelName, label})
	}
	return counts{
		begun: counter("holdfast_terms_begun_total",
			"Terms that this process began, by what they followed on.", "after"),
		ended: counter("holdfast_terms_ended_total",
			"Terms of this process that ended, by reason.", "reason"),
		renewals: counter("holdfast_renewals_total",
			"Attempts to renew the lease, by what they came to.", "result"),
		watches: counter("holdfast_watch_restarts_total",
			"Watches of the Lease that ended or could not begin and were to be replaced, by cause.", "cause"),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "holdfast_renewal_duration_seconds",
			Help:    "Time from the first write of an attempt to renew the lease to what it came to.",
			Buckets: latencyBuckets,
			// Also as a native histogram, for servers that ask for one.
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}, []string{labelName}),
	}
}

// vec is what all metrics with labels can do.
type vec interface {
	prometheus.Collector
	DeletePartialMatch(prometheus.Labels) int
}

func (c counts) all() []vec { return []vec{c.begun, c.ended, c.renewals, c.watches, c.latency} }

// expect makes everything that can happen in an election a series, at zero.
func (c counts) expect(name string) {
	for _, how := range successions {
		c.begun.WithLabelValues(name, label(how))
	}
	for _, reason := range reasons {
		c.ended.WithLabelValues(name, string(reason))
	}
	for _, result := range results {
		c.renewals.WithLabelValues(name, label(result))
	}
	for _, cause := range causes {
		c.watches.WithLabelValues(name, cause)
	}
	c.latency.WithLabelValues(name)
}

func (c counts) forget(name string) {
	for _, vec := range c.all() {
		vec.DeletePartialMatch(prometheus.Labels{labelName: name})
	}
}

// label spares queries the quotes that a blank would make them careful about: "given
// up" becomes given_up.
func label[T ~string](value T) string { return strings.ReplaceAll(string(value), " ", "_") }

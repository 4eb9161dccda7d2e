package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	holdfastprom "github.com/holdfast-go/holdfast/leaderelection/prometheus"
)

// counts are the metrics of the program, beside those of the election.
type counts struct {
	running        prometheus.Gauge
	starts, killed prometheus.Counter
	ends           *prometheus.CounterVec
}

// newCounts registers the metrics. orphans is how many processes were inherited and reaped.
func newCounts(registry prometheus.Registerer, orphans func() float64) *counts {
	c := &counts{
		running: prometheus.NewGauge(prometheus.GaugeOpts{Name: "elect_program_running", Help: "Whether the program, or something that descends from it, runs (1)."}),
		starts:  prometheus.NewCounter(prometheus.CounterOpts{Name: "elect_program_starts_total", Help: "How often the program was started."}),
		killed:  prometheus.NewCounter(prometheus.CounterOpts{Name: "elect_program_kills_total", Help: "How often the program, or something that descends from it, had to be killed."}),
		ends:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "elect_program_ends_total", Help: "How often the program has ended, by itself or because its term was over."}, []string{"by"}),
	}
	c.ends.WithLabelValues("itself")
	c.ends.WithLabelValues("term")
	registry.MustRegister(c.running, c.starts, c.killed, c.ends, prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "elect_orphans_reaped_total", Help: "How many processes were inherited from descendants and reaped.",
	}, orphans))
	return c
}

func (c *counts) began() {
	c.running.Set(1)
	c.starts.Inc()
}

func (c *counts) ended(byItself, killed bool) {
	c.running.Set(0)
	by := "term"
	if byItself {
		by = "itself"
	}
	c.ends.WithLabelValues(by).Inc()
	if killed {
		c.killed.Inc()
	}
}

// metrics registers what is known of the election, and returns what serves it all.
func metrics(registry *prometheus.Registry, c *connection) http.Handler {
	elections := holdfastprom.New()
	elections.Election(&c.election)
	elections.Meter("lock", &c.lock)
	if c.label != nil {
		elections.Meter("label", &c.traffic)
	}
	registry.MustRegister(elections, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

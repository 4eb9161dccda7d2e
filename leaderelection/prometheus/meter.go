package holdfastprom

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-go/holdfast/dialer"
)

// Meter shows what meter has counted, under the label client. Give one to a
// client with dialer.WithMeter. A later Meter for the same client takes the
// place of an earlier; nil takes it away.
func (c *Collector) Meter(client string, meter *dialer.Meter) {
	client = valid(client)
	c.mu.Lock()
	defer c.mu.Unlock()
	if meter == nil {
		delete(c.meters, client)
		return
	}
	c.meters[client] = meter
}

// reading is a metric that is read from a client's counts.
type reading struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(dialer.Stats) int64
}

func newReading(name, help string, kind prometheus.ValueType, read func(dialer.Stats) int64) reading {
	return reading{desc: prometheus.NewDesc(name, help, []string{"client"}, nil), kind: kind, read: read}
}

var readings = []reading{
	newReading("holdfast_connections_opened_total", "Connections opened, also those that lost to a sibling.",
		prometheus.CounterValue, func(s dialer.Stats) int64 { return s.Opened }),
	newReading("holdfast_connections_open", "Connections that are open now.",
		prometheus.GaugeValue, func(s dialer.Stats) int64 { return s.Open }),
	newReading("holdfast_requests_total", "Round trips.",
		prometheus.CounterValue, func(s dialer.Stats) int64 { return s.Requests }),
	newReading("holdfast_requests_answered_total", "Round trips that were answered, with whatever status.",
		prometheus.CounterValue, func(s dialer.Stats) int64 { return s.Answered }),
	newReading("holdfast_hedges_sent_total", "Attempts sent beside an unanswered one.",
		prometheus.CounterValue, func(s dialer.Stats) int64 { return s.Hedges }),
	newReading("holdfast_hedges_won_total", "Round trips that a hedge won.",
		prometheus.CounterValue, func(s dialer.Stats) int64 { return s.HedgesWon }),
}

var closedDesc = prometheus.NewDesc("holdfast_connections_closed_total", "Connections closed, by reason.", []string{"client", "reason"}, nil)

func describeMeters(descs chan<- *prometheus.Desc) {
	for _, reading := range readings {
		descs <- reading.desc
	}
	descs <- closedDesc
}

func collectMeter(client string, meter *dialer.Meter, metrics chan<- prometheus.Metric) {
	stats := meter.Stats()
	for _, reading := range readings {
		metrics <- sample(reading.desc, reading.kind, float64(reading.read(stats)), client)
	}
	for reason := dialer.ByUs; reason <= dialer.Failed; reason++ {
		metrics <- sample(closedDesc, prometheus.CounterValue, float64(stats.Closed[reason]), client, reason.String())
	}
}

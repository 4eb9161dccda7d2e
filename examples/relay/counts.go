package main

import (
	"fmt"
	"io"
	"sync/atomic"

	"github.com/holdfast-go/holdfast/dialer"
)

// counts are the metrics. The zero value counts.
type counts struct {
	open, refused, up, down atomic.Int64
	ends                    [8]atomic.Int64 // by the place in reasons
	meter                   dialer.Meter
}

func (c *counts) carried(up bool, n int) {
	if up {
		c.up.Add(int64(n))
	} else {
		c.down.Add(int64(n))
	}
}

func (c *counts) ended(why reason) {
	for i, r := range reasons {
		if r == why {
			c.ends[i].Add(1)
		}
	}
}

// write writes the metrics in the text format of Prometheus
// (https://prometheus.io/docs/instrumenting/exposition_formats/).
func (c *counts) write(w io.Writer) {
	family := func(name, kind, help string) { fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind) }
	single := func(name, kind, help string, value int64) {
		family(name, kind, help)
		fmt.Fprintf(w, "%s %d\n", name, value)
	}
	single("relay_connections_open", "gauge", "Connections of the program that are open now.", c.open.Load())
	single("relay_connections_refused_total", "counter", "Connections that were reset because there were enough.", c.refused.Load())
	family("relay_connections_ended_total", "counter", "Connections of the program that have ended, by why.")
	for i, r := range reasons {
		fmt.Fprintf(w, "relay_connections_ended_total{reason=%q} %d\n", r, c.ends[i].Load())
	}
	family("relay_bytes_total", "counter", "Bytes carried.")
	fmt.Fprintf(w, "relay_bytes_total{to=\"server\"} %d\nrelay_bytes_total{to=\"client\"} %d\n", c.up.Load(), c.down.Load())
	stats := c.meter.Stats()
	single("relay_dials_total", "counter", "Dials to the API server.", stats.Dials)
	single("relay_dials_failed_total", "counter", "Dials that ended without a connection.", stats.DialsFailed)
	single("relay_dial_siblings_total", "counter", "Further tries of dials, because one was unanswered or had failed.", stats.Siblings)
	single("relay_dial_siblings_won_total", "counter", "Dials that one of these won.", stats.SiblingsWon)
}

package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/holdfast-go/holdfast/benchmarks/cost"
	"github.com/holdfast-go/holdfast/benchmarks/result"
)

// task is one thing to measure.
type task struct {
	measure, peer string
	scale         int
}

// plan returns what c asks for in the order in which to measure it: by scale,
// then by measure, then by peer.
func plan(c command) []task {
	var tasks []task
	add := func(measure string, scales []int) {
		for _, scale := range scales {
			for _, peer := range c.peers {
				tasks = append(tasks, task{measure, peer, scale})
			}
		}
	}
	add(result.Rest, c.contenders)
	add(result.Leases, c.leases)
	slices.SortStableFunc(tasks, func(a, b task) int { return a.scale - b.scale })
	return tasks
}

const columns = "%-15s %-34s %6s  %10s %10s %10s  %10s  %9s %9s  %9s %9s %6s  %s\n"

func heading(out io.Writer) error {
	_, err := fmt.Fprintf(out, columns, "measure", "peer", "scale", "req/min", "leader's", "standby's", "kB/min", "CPU s/min", "MiB each", "conns", "opened/m", "KiB/l.", "")
	return err
}

// row prints a sample.
func row(out io.Writer, s result.Sample) error {
	cell := func(name string, unit float64) string {
		value, known := s.Figures[name]
		if !known {
			return "-"
		}
		return fmt.Sprintf("%.2f", value/unit)
	}
	bytes := "-"
	if s.Figures != nil {
		bytes = fmt.Sprintf("%.1f", (s.Figures[cost.ReceivedBytes]+s.Figures[cost.SentBytes])/1000)
	}
	note := s.Limit
	if s.Failed != "" {
		note = "FAILED: " + s.Failed + " " + s.Limit
	}
	_, err := fmt.Fprintf(out, columns, s.Measure, s.Peer, fmt.Sprint(s.Scale),
		cell(cost.Requests, 1), cell(cost.LeaderRequests, 1), cell(cost.StandbyRequests, 1), bytes,
		cell(cost.CPU, 1), cell(cost.ResidentContender, 1<<20),
		cell(cost.Connections, 1), cell(cost.Handshakes, 1), cell(cost.HeapLease, 1<<10), note)
	return err
}

package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// printRun prints the timeline of one run, with the fault at zero.
func printRun(out io.Writer, number int, events []event.Event, f scenario.Figures) error {
	if len(events) == 0 {
		return nil
	}
	zero := f.Fault
	if zero.IsZero() {
		zero = events[0].Time
	}
	if _, err := fmt.Fprintf(out, "run %d, seconds since %s\n", number, zero.Local().Format("15:04:05.000")); err != nil {
		return err
	}
	if err := event.Timeline(out, events, zero); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out)
	return err
}

// printFigures prints each figure of all runs in one line.
func printFigures(out io.Writer, all []scenario.Figures) error {
	if len(all) == 0 {
		return nil
	}
	kept, lost := 0, 0
	values := map[string][]time.Duration{}
	requests := map[string]int{}
	var window time.Duration
	for _, f := range all {
		if f.Kept {
			kept++
		}
		lost += f.Lost
		window += f.Window
		for who, n := range f.Requests {
			requests[who] += n
		}
		for _, row := range f.Rows() {
			if row.Figure.Known {
				values[row.Name] = append(values[row.Name], row.Figure.Value)
			}
		}
	}
	var text strings.Builder
	say := func(name string, value any) { fmt.Fprintf(&text, "%-48s %v\n", name, value) }
	say("runs in which the lease was kept", fmt.Sprintf("%d of %d", kept, len(all)))
	say("leases lost", lost)
	for _, row := range all[0].Rows() {
		say(row.Name, scenario.Summarize(values[row.Name]))
	}
	for _, who := range slices.Sorted(maps.Keys(requests)) {
		say("requests of "+who+" after the fault", fmt.Sprintf("%d in %v", requests[who], window.Round(time.Millisecond)))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

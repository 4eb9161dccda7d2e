package compare

import (
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/result"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// Sample is what stands in the file of one step that was played, r being its
// result and err its error. The events are kept of the first round, for a
// timeline, and of runs that failed, for whoever wants to know why.
func (s Step) Sample(played scenario.Scenario, r scenario.Result, err error) result.Sample {
	sample := s.empty()
	if s.Round == 1 || err != nil {
		sample.Events = r.Events
	}
	if err != nil {
		sample.Failed = err.Error()
		return sample
	}
	sample.Figures = figures(played, r)
	return sample
}

// Sample is what stands in the file of a cell that cannot be played.
func (i Inapplicable) Sample() result.Sample {
	sample := Step{Cell: i.Cell}.empty()
	sample.Limit = NotApplicable + i.Reason
	return sample
}

func (s Step) empty() result.Sample {
	return result.Sample{Measure: result.Failover, Peer: s.Peer, Case: s.Scenario, Timing: s.Timing.String(), Round: s.Round}
}

// figures are the figures of a run of the scenario played, by their names in
// the file. What the run could not show is absent.
func figures(played scenario.Scenario, r scenario.Result) map[string]float64 {
	f := r.Figures
	window := within(r.Events, f.Fault, f.Fault.Add(f.Window))
	values := map[string]float64{
		"leases_lost_total":      float64(f.Lost),
		"overlap_seconds":        f.Overlap.Seconds(),
		"window_seconds":         f.Window.Seconds(),
		"requests_leader_total":  float64(f.Requests[f.Leader]),
		"requests_standby_total": 0,
		"connections_total":      float64(count(window, func(e event.Event) bool { return e.What == event.Connected })),
	}
	for who, n := range f.Requests {
		if who != f.Leader {
			values["requests_standby_total"] += float64(n)
		}
	}
	set := func(name string, value scenario.Figure) {
		if value.Known {
			values[name] = value.Value.Seconds()
		}
	}
	floor := func(name string, d time.Duration) {
		if d > 0 {
			values[name] = d.Seconds()
		}
	}
	if played.Takeover {
		set("takeover_seconds", f.Takeover)
		if played.ReleaseOnCancel {
			set("handover_seconds", f.Outage)
			floor("handover_floor_seconds", r.Floor.Handover)
		} else {
			floor("takeover_floor_seconds", r.Floor.Claim)
			set("outage_seconds", f.Outage)
		}
		return values
	}
	values["kept"] = 0
	if f.Kept {
		values["kept"] = 1
	}
	set("renewal_late_seconds", f.RenewalLate)
	set("loss_after_seconds", f.LossAfter)
	if rate, known := standbyRate(window, f); known {
		values["standby_requests_per_minute"] = rate
	}
	return values
}

// standbyRate returns the requests per minute of the contender that did not
// lead when the fault came, as long as it did not lead.
func standbyRate(window []event.Event, f scenario.Figures) (float64, bool) {
	until := f.Fault.Add(f.Window)
	if f.Successor != "" {
		until = f.Fault.Add(f.Outage.Value)
	}
	stood := until.Sub(f.Fault)
	if stood <= 0 {
		return 0, false
	}
	asked := count(window, func(e event.Event) bool {
		return e.What == event.Requested && e.Who != f.Leader && e.Time.Before(until)
	})
	return float64(asked) / stood.Minutes(), true
}

// within returns the events from the time from to the time to.
func within(events []event.Event, from, to time.Time) []event.Event {
	var in []event.Event
	for _, e := range events {
		if !e.Time.Before(from) && !e.Time.After(to) {
			in = append(in, e)
		}
	}
	return in
}

func count(events []event.Event, match func(event.Event) bool) int {
	n := 0
	for _, e := range events {
		if match(e) {
			n++
		}
	}
	return n
}

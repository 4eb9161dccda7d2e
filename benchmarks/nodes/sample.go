package nodes

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/result"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

// sample is what stands in a file of results of one play. Whoever is of this library has
// its name there, whatever else was chosen. The events are kept of the first round, for a
// timeline.
func sample(kase, peer string, timing scenario.Timing, round int, figures map[string]float64, events []event.Event, err error) result.Sample {
	if peer != "client-go" {
		peer = "holdfast"
	}
	s := result.Sample{Measure: result.Failover, Peer: peer, Case: kase, Timing: timing.String(), Round: round}
	if err != nil {
		s.Failed = err.Error()
		return s
	}
	s.Figures = figures
	if round == 1 {
		s.Events = events
	}
	return s
}

// ResultName is what the case is called in a file of results.
func (c Case) ResultName() string { return "pod-" + c.Name }

// Sample is that of one play of the case.
func (c Case) Sample(peer string, timing scenario.Timing, round int, o Outcome, err error) result.Sample {
	return sample(c.ResultName(), peer, timing, round, map[string]float64{"leaderless_seconds": o.Figure.Seconds()}, o.Events, err)
}

// Sample is that of one rollout of the case.
func (c RolloutCase) Sample(peer string, timing scenario.Timing, round int, r Rollout, err error) result.Sample {
	return sample(c.Name, peer, timing, round, map[string]float64{
		"leaderless_seconds": r.Leaderless.Seconds(), "changes_total": float64(r.Changes),
	}, r.Events, err)
}

// harmed notes what has been done to a process, for the events.
func (p *Play) harmed(at time.Time, who, how string) {
	p.fault = event.Event{Time: at, Who: "scenario", What: event.Fault, On: who, Reason: how}
}

// Events are what happened in the play, up to a second from now.
func (p *Play) Events(ctx context.Context) ([]event.Event, error) {
	_ = stage.Pause(ctx, time.Second)
	all, err := p.stage.diaries(p.name)
	if err != nil {
		return nil, err
	}
	name := p.names(all)
	fault := p.fault
	if who, known := name[fault.On]; known {
		fault.On = who
	}
	events := []event.Event{fault, {Time: time.Now(), Who: "scenario", What: event.Ended}}
	for _, d := range all {
		say := func(at time.Time, what event.What) {
			events = append(events, event.Event{Time: at, Who: name[d.Who], What: what})
		}
		say(d.Started, event.Started)
		for i, t := range d.Terms {
			say(t.From, event.Leading)
			switch {
			case p.fault.On == d.Who && i == len(d.Terms)-1:
				say(t.To.Add(time.Millisecond), event.Exited) // between two pieces of work
			case t.To.Before(time.Now().Add(-present)):
				say(t.To, event.Stopped)
			}
		}
	}
	for _, r := range p.stage.leases.of(p.name) {
		e := event.Event{Time: r.Seen, Who: "observer", What: event.Committed, Holder: name[r.Holder], RenewTime: r.Renewed, Lease: r.Duration}
		if r.Holder == "" {
			e = event.Event{Time: r.Seen, Who: "observer", What: event.Released}
		}
		events = append(events, e)
	}
	return event.Merge(events), nil
}

// names are what processes are called in the events: their Pod, without the play, and
// their container where the Pod has several. Who was started in place of another is the
// second of that name.
func (p *Play) names(all []Diary) map[string]string {
	names, used := map[string]string{}, map[string]int{}
	containers := map[string]map[string]bool{}
	for _, d := range all {
		if containers[d.Pod()] == nil {
			containers[d.Pod()] = map[string]bool{}
		}
		containers[d.Pod()][d.Container()] = true
	}
	for _, d := range bySeniority(all) {
		name := strings.TrimPrefix(d.Pod(), p.name+"-")
		if len(containers[d.Pod()]) > 1 {
			name += " " + d.Container()
		}
		if used[name]++; used[name] > 1 {
			name = fmt.Sprintf("%s, %d", name, used[name])
		}
		names[d.Who] = name
	}
	return names
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/result"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
	"github.com/holdfast-go/holdfast/benchmarks/shortest"
)

// search is the search for one peer.
type search struct {
	command command
	options shortest.Options
	out     io.Writer
	try     func(context.Context, shortest.Options, scenario.Timing) (shortest.Trial, error)

	trials, faults, lost int
	longestLost          time.Duration
}

// run searches, says what became of each trial, and returns the sample. Its
// error is that of a trial that says nothing; a peer for which no lease holds is
// none.
func (s *search) run(ctx context.Context) (result.Sample, error) {
	sample := result.Sample{Measure: result.Shortest, Peer: s.options.Peer, Case: "rolling-silence"}
	leases := shortest.Leases(s.command.longest, refuses(s.options.Peer))
	found, err := shortest.Search(leases, s.command.confirm, func(lease time.Duration) (bool, error) {
		return s.trial(ctx, lease)
	})
	sample.Figures = map[string]float64{
		"window_seconds": s.options.Window.Seconds(), "silence_seconds": s.options.Silence.Seconds(), "pause_seconds": s.options.Pause.Seconds(),
		"trials_total": float64(s.trials), "faults_total": float64(s.faults), "lost_total": float64(s.lost),
	}
	if s.longestLost > 0 {
		sample.Figures["longest_lost_seconds"] = s.longestLost.Seconds()
	}
	switch {
	case errors.Is(err, shortest.ErrNoneHolds):
		sample.Failed = err.Error()
		return sample, nil
	case err != nil:
		sample.Failed = err.Error()
		return sample, err
	}
	timing := shortest.TimingOf(leases[found])
	sample.Timing = timing.String()
	sample.Figures["lease_seconds"] = timing.LeaseDuration.Seconds()
	return sample, nil
}

func (s *search) trial(ctx context.Context, lease time.Duration) (bool, error) {
	timing := shortest.TimingOf(lease)
	t, err := s.try(ctx, s.options, timing)
	if err != nil {
		return false, err
	}
	s.trials++
	s.faults += t.Faults
	word := "held"
	if t.Lost != "" {
		s.lost++
		s.longestLost = max(s.longestLost, lease)
		word = t.Lost
	}
	_, err = fmt.Fprintf(s.out, "%s, trial %d, %v, silent servers %d: %s\n", s.options.Peer, s.trials, timing, t.Faults, word)
	return t.Lost == "", err
}

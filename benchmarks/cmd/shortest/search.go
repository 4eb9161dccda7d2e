package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/compare"
	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/result"
	"github.com/holdfast-go/holdfast/benchmarks/shortest"
)

// search is the search for one peer.
type search struct {
	*shortest.Search
	peer   string
	leases []time.Duration
	trying []int // in the trial under way

	trials, faults, lost int
	longestLost          time.Duration
}

// try lets pairs hold leases: shortest.Stage.Try.
type try func(context.Context, shortest.Options, []shortest.Entrant) ([]shortest.Trial, error)

// searchAll searches for the peers of c, says what became of each pair, and hands
// a sample for each peer to keep: when its search is over or, where a trial says
// nothing, with what is known by then. Its error is that of such a trial, or of
// keep; a peer for which no lease holds is none.
func searchAll(ctx context.Context, c command, out io.Writer, try try, keep func(result.Sample) error) (err error) {
	var searches []*search
	for _, peer := range c.peers {
		if !contender.UsesAPI(peer) {
			err := keep(result.Sample{
				Measure: result.Shortest, Peer: peer, Case: kase,
				Limit: compare.NotApplicable + "what goes silent is API servers, and this peer uses none",
			})
			if err != nil {
				return err
			}
			continue
		}
		leases := shortest.Leases(c.longest, func(t contender.Timing) error { return contender.Refuses(peer, t) })
		searches = append(searches, &search{Search: shortest.NewSearch(leases, c.confirm), peer: peer, leases: leases})
	}
	defer func() {
		for _, s := range searches {
			err = errors.Join(err, keep(s.ended(c.options)))
		}
	}()
	for n := 1; ; n++ {
		var entrants []shortest.Entrant
		var goOn []*search
		for _, s := range searches {
			s.trying = s.Next(c.together)
			if len(s.trying) == 0 {
				if err := keep(s.sample(c.options)); err != nil {
					return err
				}
				continue
			}
			goOn = append(goOn, s)
			for _, i := range s.trying {
				entrants = append(entrants, shortest.Entrant{Peer: s.peer, Timing: shortest.TimingOf(s.leases[i])})
			}
		}
		searches = goOn
		if len(searches) == 0 {
			return nil
		}
		if _, err := fmt.Fprintf(out, "trial %d: %d pairs, %v\n", n, len(entrants), c.options.Window); err != nil {
			return err
		}
		trials, err := try(ctx, c.options, entrants)
		if err != nil {
			return err
		}
		for _, s := range searches {
			for _, i := range s.trying {
				if err := s.take(out, i, trials[0]); err != nil {
					return err
				}
				trials = trials[1:]
			}
		}
	}
}

// take takes what became of the lease of that index, and says it.
func (s *search) take(out io.Writer, index int, t shortest.Trial) error {
	s.Take(index, t.Lost == "")
	s.trials++
	s.faults += t.Faults
	word := "held"
	if t.Lost != "" {
		s.lost++
		s.longestLost = max(s.longestLost, s.leases[index])
		word = t.Lost
	}
	_, err := fmt.Fprintf(out, "%s, %v, silent servers %d: %s\n", s.peer, shortest.TimingOf(s.leases[index]), t.Faults, word)
	return err
}

// kase is what the leases are tried under.
const kase = "rolling-silence"

// sample is what a search that is over has found.
func (s *search) sample(o shortest.Options) result.Sample {
	sample := s.effort(o)
	found, err := s.Found()
	if err != nil {
		sample.Failed = err.Error()
		return sample
	}
	sample.Timing = shortest.TimingOf(found).String()
	sample.Figures["lease_seconds"] = found.Seconds()
	return sample
}

// ended is what there is of a search that was ended before it was over.
func (s *search) ended(o shortest.Options) result.Sample {
	sample := s.effort(o)
	sample.Failed = "the search was ended: the shortest lease that holds is longer than the longest that was lost"
	return sample
}

// effort is what went into a search so far.
func (s *search) effort(o shortest.Options) result.Sample {
	sample := result.Sample{Measure: result.Shortest, Peer: s.peer, Case: kase, Figures: map[string]float64{
		"window_seconds": o.Window.Seconds(), "silence_seconds": o.Silence.Seconds(), "pause_seconds": o.Pause.Seconds(),
		"trials_total": float64(s.trials), "faults_total": float64(s.faults), "lost_total": float64(s.lost),
	}}
	if s.longestLost > 0 {
		sample.Figures["longest_lost_seconds"] = s.longestLost.Seconds()
	}
	return sample
}

package nodes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/markdown"
	"github.com/holdfast-go/holdfast/benchmarks/result"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
	"github.com/holdfast-go/holdfast/benchmarks/stat"
)

// Figures are those of one peer in one case.
type Figures []time.Duration

// cells are median, worst and number.
func (f Figures) cells() []string {
	of := stat.Of(f)
	if of.N == 0 {
		return []string{"–", "–", "0"}
	}
	return []string{seconds(of.Median), seconds(of.Max), strconv.Itoa(of.N)}
}

// Here stands for the peer that a case names, which is this library with the witness
// that the case is about.
const Here = "here"

// Plan says what Measure does.
type Plan struct {
	Cases  []Case
	Peers  []string // of ./member, or Here
	N      int      // how often each
	AtOnce int      // how many plays go on at the same time, each with a lease of its own
	Timing scenario.Timing
	// Progress is told of each figure.
	Progress io.Writer
	// Keep is given each sample, also of what has failed, but not of what was ended by
	// the context. It may be nil.
	Keep func(result.Sample) error
}

func (p Plan) keep(ctx context.Context, s result.Sample) error {
	if p.Keep == nil || ctx.Err() != nil {
		return nil
	}
	return p.Keep(s)
}

// Measured are figures by the name of the case and by the peer.
type Measured map[string]map[string]Figures

// Measure plays every case with every peer n times, the peers in turn. A play that fails
// is in the error; the figures of the others are returned with it.
func Measure(ctx context.Context, s *Stage, p Plan) (Measured, error) {
	type job struct {
		c     Case
		peer  string
		round int
	}
	jobs := make(chan job)
	measured := Measured{}
	var mu sync.Mutex
	var errs []error
	var players sync.WaitGroup
	for range p.AtOnce {
		players.Go(func() {
			for j := range jobs {
				peer := j.peer
				if peer == Here {
					peer = j.c.Peer
				}
				bounded, cancel := context.WithTimeout(ctx, p.Timing.LeaseDuration+3*time.Minute)
				played, err := j.c.Run(bounded, s, peer, p.Timing)
				cancel()
				figure := played.Figure
				mu.Lock()
				errs = append(errs, p.keep(ctx, j.c.Sample(peer, p.Timing, j.round, played, err)))
				if err != nil {
					errs = append(errs, err)
					fmt.Fprintln(p.Progress, "nodes: FAILED:", err)
				} else {
					if measured[j.c.Name] == nil {
						measured[j.c.Name] = map[string]Figures{}
					}
					measured[j.c.Name][j.peer] = append(measured[j.c.Name][j.peer], figure)
					fmt.Fprintf(p.Progress, "nodes: %s with %s: %s\n", j.c.Name, peer, figure.Round(time.Millisecond))
				}
				mu.Unlock()
			}
		})
	}
	for round := range p.N {
		for _, c := range p.Cases {
			for _, peer := range p.Peers {
				select {
				case jobs <- job{c, peer, round + 1}:
				case <-ctx.Done():
				}
			}
		}
	}
	close(jobs)
	players.Wait()
	return measured, errors.Join(append(errs, ctx.Err())...)
}

// Table is the figures as Markdown: median and worst of each peer, and how many there
// were.
func (m Measured) Table(cases []Case, peers []string) string {
	head := []string{"case"}
	for _, peer := range peers {
		head = append(head, ">"+peer+": median", ">worst", ">n")
	}
	var rows [][]string
	for _, c := range cases {
		row := []string{c.Text}
		for _, peer := range peers {
			row = append(row, m[c.Name][peer].cells()...)
		}
		rows = append(rows, append(row, seconds(c.Bound)))
	}
	return markdown.Table(append(head, ">bound"), rows)
}

// Missed names the cases whose worst figure with this library is beyond the bound.
func (m Measured) Missed(cases []Case) []string {
	var missed []string
	for _, c := range cases {
		if worst := stat.Of(m[c.Name][Here]).Max; worst > c.Bound {
			missed = append(missed, fmt.Sprintf("%s: %s, bound %s", c.Name, seconds(worst), seconds(c.Bound)))
		}
	}
	return missed
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/internal/leaseapi"
)

// scenario is one thing that goes wrong, or is done in good order.
type scenario struct {
	name  string
	title string
	// pinned: until the fault the address names endpoint a only, so that every
	// process is connected to it.
	pinned bool
	// asked: the leader is asked to stop, with ReleaseOnCancel set. A handover is
	// counted from then on, a takeover from the end of the lease.
	asked bool
	// text tells what strike does.
	text string
	// strike does it; leaders has the leading process of each fleet.
	strike func(s *stage, leaders []*process)
}

// scenarios in the order in which they start by default: what takes longest
// first, so that the others play while it lasts.
var scenarios = []scenario{
	{
		name:   "node",
		title:  "the leader's host and the endpoint that everyone is connected to die together",
		pinned: true,
		text:   "the leader's host and endpoint a, which everyone is connected to, fall silent; the address names b and c from now on",
		strike: func(s *stage, leaders []*process) {
			s.endpoints[0].Silence()
			s.relay.Name(s.endpoints[1:]...)
			for _, p := range leaders {
				s.die(p, (*leaseapi.Host).Silence)
			}
		},
	},
	{
		name:   "api",
		title:  "only that endpoint dies; every contender is well",
		pinned: true,
		text:   "endpoint a, which everyone is connected to, falls silent; the address names b and c from now on",
		strike: func(s *stage, _ []*process) {
			s.endpoints[0].Silence()
			s.relay.Name(s.endpoints[1:]...)
		},
	},
	{
		name:  "handover",
		title: "the leader is told to stop and releases the lease",
		asked: true,
		text:  "the leader gets SIGTERM",
		strike: func(s *stage, leaders []*process) {
			for _, p := range leaders {
				s.report(p, stopping, "")
				p.cancel()
			}
		},
	},
	{
		name:  "kill",
		title: "the leader's process is killed",
		text:  "the leader's process is killed",
		strike: func(s *stage, leaders []*process) {
			for _, p := range leaders {
				s.die(p, (*leaseapi.Host).Close)
			}
		},
	},
}

func scenarioNamed(name string) (scenario, bool) {
	for _, s := range scenarios {
		if s.name == name {
			return s, true
		}
	}
	return scenario{}, false
}

// scenarioNames lists the names for a reader.
func scenarioNames() string {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}

// play runs the scenario on a stage of its own. calm is called once, when it has
// nothing more to show than a fleet that waits.
func (s scenario) play(ctx context.Context, o options, j *journal, calm func()) (err error) {
	calm = sync.OnceFunc(calm)
	defer calm()
	st, err := openStage(o, s, j)
	if err != nil {
		return err
	}
	defer func() {
		// The verdict comes before the stage is taken down, which stops everyone.
		j.add(event{scenario: s.name, kind: concluded})
		err = errors.Join(err, st.close())
	}()
	if err := st.elect(ctx, o.timing.lease+electWithin); err != nil {
		return fmt.Errorf("scenario %q: %w", s.name, err)
	}
	// Faults do not wait for a renewal: the phase is left to chance.
	if !pause(ctx, 2*o.timing.retry+rand.N(o.timing.retry)) {
		return nil
	}
	leaders := st.leaders()
	j.add(event{scenario: s.name, kind: fault, text: s.text})
	s.strike(st, leaders)

	ctx, cancel := context.WithTimeout(ctx, o.patience)
	defer cancel()
	var waiting sync.WaitGroup
	for _, f := range fleets {
		waiting.Go(func() {
			if st.await(ctx, f, func(events []event) bool {
				return evaluate(s.name, f.name, events, time.Now()).settled(o.timing.lease)
			}) == nil {
				calm()
			}
		})
	}
	waiting.Wait()
	// Whoever leads by mistake shows it now.
	pause(ctx, o.timing.retry)
	return st.failure()
}

// electWithin is how much longer than a lease the first election may take.
const electWithin = 15 * time.Second

// elect starts two processes of each fleet, one of which leads while the other
// stands by, or says what did not happen within the bound.
func (s *stage) elect(ctx context.Context, within time.Duration) error {
	bounded, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	errs := make([]error, len(fleets))
	var starting sync.WaitGroup
	for i, f := range fleets {
		starting.Go(func() {
			for _, step := range []struct {
				name  string
				until kind
			}{{"one", leading}, {"two", standing}} {
				if _, errs[i] = s.spawn(f, step.name, 1); errs[i] != nil {
					return
				}
				if err := s.await(bounded, f, func(events []event) bool {
					for _, e := range events {
						if e.kind == step.until && e.contender == step.name {
							return true
						}
					}
					return false
				}); err != nil {
					errs[i] = fmt.Errorf("waiting %v for %s %q to be %s: %w", within, f.name, step.name, step.until, err)
					return
				}
			}
		})
	}
	starting.Wait()
	if ctx.Err() != nil {
		return nil // ended from outside: no failure
	}
	return errors.Join(errs...)
}

// pause waits, and reports whether it was left to.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

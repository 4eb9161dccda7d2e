package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

// Scenario is one fault and what follows from it.
type Scenario struct {
	// Name is what Find knows the scenario by.
	Name string
	// Text says what happens, in one sentence.
	Text string
	// Takeover says that the run lasts until another contender leads. Without it
	// the leader should be able to keep the lease, and the run lasts as long as
	// the loss of it would take to show.
	Takeover bool
	// ReleaseOnCancel is the contenders' option of that name.
	ReleaseOnCancel bool

	// prepare comes before the first contender; nil where nothing is to be done.
	// What it starts ends with ctx.
	prepare func(ctx context.Context, r *run) error
	inflict func(ctx context.Context, r *run) error
}

// slowVirtualIP is how long kube-proxy may go on naming a dead API server: the
// time in which the node's readiness lapses, which was 40 s in the incident
// that this library exists for.
const slowVirtualIP = 40 * time.Second

var scenarios = []Scenario{
	{
		Name:     "node-death",
		Text:     "the leader's host and the API server that both are connected to go silent together; the virtual IP drops the server at once",
		Takeover: true,
		inflict: func(_ context.Context, r *run) error {
			if err := r.Harm(stage.Cut(r.leader.host), stage.Silence(r.victim)); err != nil {
				return err
			}
			return r.name(r.unharmed...)
		},
	},
	{
		Name:     "node-death-slow-vip",
		Text:     fmt.Sprintf("the same, and the virtual IP goes on naming the dead server for %v", slowVirtualIP),
		Takeover: true,
		inflict: func(ctx context.Context, r *run) error {
			if err := r.nameAll(); err != nil {
				return err
			}
			if err := r.Harm(stage.Cut(r.leader.host), stage.Silence(r.victim)); err != nil {
				return err
			}
			r.Later(ctx, slowVirtualIP, func() error { return r.name(r.unharmed...) })
			return nil
		},
	},
	{
		Name: "api-silent",
		Text: "only the API server that both are connected to goes silent; the virtual IP goes on naming it among the others",
		inflict: func(_ context.Context, r *run) error {
			if err := r.nameAll(); err != nil {
				return err
			}
			return r.Harm(stage.Silence(r.victim))
		},
	},
	{
		Name: "api-frozen",
		Text: "the API server that both are connected to freezes: its kernel acknowledges and accepts, but nothing is answered",
		inflict: func(_ context.Context, r *run) error {
			if err := r.nameAll(); err != nil {
				return err
			}
			return r.Harm(stage.Freeze(r.victim))
		},
	},
	apiRestart,
	apiOverloaded,
	{
		Name:     "kill",
		Text:     "the leader's process is killed (SIGKILL)",
		Takeover: true,
		inflict: func(_ context.Context, r *run) error {
			if err := r.nameAll(); err != nil {
				return err
			}
			return r.Harm(stage.Kill(r.leader.host.Name(), r.leader.process))
		},
	},
	{
		Name:            "handover",
		Text:            "the leader is told to stop (SIGTERM) and releases the lease",
		Takeover:        true,
		ReleaseOnCancel: true,
		inflict: func(_ context.Context, r *run) error {
			if err := r.nameAll(); err != nil {
				return err
			}
			return r.Harm(stage.Terminate(r.leader.host.Name(), r.leader.process))
		},
	},
}

// All returns every scenario, in the order in which they are explained.
func All() []Scenario { return slices.Clone(scenarios) }

// Names returns their names.
func Names() []string {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.Name)
	}
	return names
}

// Find returns the scenario of that name, or an error that names those there
// are.
func Find(name string) (Scenario, error) {
	i := slices.IndexFunc(scenarios, func(s Scenario) bool { return s.Name == name })
	if i < 0 {
		return Scenario{}, fmt.Errorf("scenario %q: must be one of %s", name, strings.Join(Names(), ", "))
	}
	return scenarios[i], nil
}

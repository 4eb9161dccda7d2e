package nodes

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab/node"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// A Case is an end of a leader whose figure is how long it took until somebody led.
type Case struct {
	Name string
	// Text is one sentence that says what happens and what is measured.
	Text string
	// Peer is this library's in the table: the witness that the case is about.
	Peer string
	// Bound is what the figure must not exceed with that peer.
	Bound time.Duration

	play func(ctx context.Context, p *Play) (time.Duration, error)
}

// Outcome is what came of one play.
type Outcome struct {
	// Figure is the time that the case is about.
	Figure time.Duration
	// Events are what happened, for a timeline.
	Events []event.Event
}

// Cases are the rows of the table, in order.
var Cases = []Case{
	{"killed", "The leader's process is killed; a standby is on another node. From its last work.", "pod", 1500 * time.Millisecond, killed},
	{"oom", "The leader's process is killed for its use of memory; a standby is on another node. From its last work.", "pod", 2 * time.Second, outOfMemory},
	{"restarted", "The only process is killed, and restarted in place. From the start of the new process.", "process", 300 * time.Millisecond, restarted},
	{"beside", "The leader's process is killed; a standby is in the same Pod. From its last work.", "process", 100 * time.Millisecond, beside},
	{"deleted", "The leader's Pod is deleted, ignores SIGTERM and is killed after its grace; a standby is on another node. From its last work.", "pod", 1500 * time.Millisecond, deleted},
}

// Run plays the case once, with that peer. Two that work at once are an error.
func (c Case) Run(ctx context.Context, s *Stage, peer string, timing scenario.Timing) (o Outcome, err error) {
	p := s.NewPlay(peer, timing)
	if o.Figure, err = c.play(ctx, p); err == nil {
		err = p.Verdict()
	}
	if err == nil {
		o.Events, err = p.Events(ctx)
	}
	if err != nil {
		return Outcome{}, fmt.Errorf("%s with %s: %w", c.Name, peer, err)
	}
	return o, p.End(ctx)
}

// scene is a leader and the process that it is.
type scene struct {
	leader  Diary
	pod     *corev1.Pod
	process *node.Process
}

// lead starts a Pod and waits until it leads and has renewed, so that its testimony is
// there too. Close the process after use.
func (p *Play) lead(ctx context.Context, m Member) (scene, error) {
	var s scene
	var err error
	if s.pod, err = p.Start(ctx, m); err != nil {
		return s, err
	}
	if s.leader, err = p.Leads(ctx); err != nil {
		return s, err
	}
	if s.process, err = p.stage.Process(s.pod, s.leader.Container()); err != nil {
		return s, err
	}
	return s, nil
}

// pair is a leader on the first node, as m has it, and a standby of the same peer on the
// second, which has seen it.
func (p *Play) pair(ctx context.Context, m Member) (scene, error) {
	m.Name, m.Node = "one", p.stage.Nodes[0]
	s, err := p.lead(ctx, m)
	if err != nil {
		return s, err
	}
	if _, err := p.Start(ctx, Member{Name: "two", Node: p.stage.Nodes[1], Peer: m.Peer, Change: m.Change}); err != nil {
		return s, err
	}
	return s, p.Renewed(ctx, s.leader.Who, 2)
}

// succession waits for the end of the leader and for the next one, and measures the time
// between the last work of the one and the first of the other. Work is written every two
// milliseconds, up to the end of its process. The leader has been harmed, unless err says
// why not.
func (p *Play) succession(ctx context.Context, s scene, how string, err error) (time.Duration, error) {
	if err != nil {
		return 0, err
	}
	select {
	case <-s.process.Done():
	case <-ctx.Done():
		return 0, fmt.Errorf("%s is alive: %w", s.leader.Who, context.Cause(ctx))
	}
	next, err := p.Leads(ctx, s.leader.Who)
	if err != nil {
		return 0, err
	}
	all, err := p.stage.diaries(p.name)
	if err != nil {
		return 0, err
	}
	for _, d := range all {
		if d.Who == s.leader.Who {
			last := d.Terms[len(d.Terms)-1].To
			p.harmed(last, s.leader.Who, how)
			return next.Terms[0].From.Sub(last), s.process.Close()
		}
	}
	return 0, fmt.Errorf("%s has left no diary", s.leader.Who)
}

func killed(ctx context.Context, p *Play) (time.Duration, error) {
	s, err := p.pair(ctx, Member{})
	if err != nil {
		return 0, err
	}
	return p.succession(ctx, s, "killed", s.process.Kill())
}

func outOfMemory(ctx context.Context, p *Play) (time.Duration, error) {
	s, err := p.pair(ctx, Member{Limit: "96Mi"})
	if err != nil {
		return 0, err
	}
	return p.succession(ctx, s, "killed for its use of memory", os.WriteFile(filepath.Join(p.stage.Nodes[0].Folder(), p.eatFile()), []byte(s.leader.Who), 0o644))
}

// alone is a leader on the first node that has renewed, and nobody on the second.
func (p *Play) alone(ctx context.Context, m Member) (scene, error) {
	m.Name, m.Node = "one", p.stage.Nodes[0]
	s, err := p.lead(ctx, m)
	if err != nil {
		return s, err
	}
	return s, p.Renewed(ctx, s.leader.Who, 2)
}

func restarted(ctx context.Context, p *Play) (time.Duration, error) {
	s, err := p.alone(ctx, Member{})
	if err != nil {
		return 0, err
	}
	if err := s.process.Kill(); err != nil {
		return 0, err
	}
	next, err := p.Leads(ctx, s.leader.Who)
	if err != nil {
		return 0, err
	}
	p.harmed(s.process.Died(), s.leader.Who, "killed, and started again")
	return next.Terms[0].From.Sub(next.Started), s.process.Close()
}

func beside(ctx context.Context, p *Play) (time.Duration, error) {
	s, err := p.alone(ctx, Member{Containers: 2})
	if err != nil {
		return 0, err
	}
	return p.succession(ctx, s, "killed", s.process.Kill())
}

func deleted(ctx context.Context, p *Play) (time.Duration, error) {
	s, err := p.pair(ctx, Member{Deaf: true, Grace: 2})
	if err != nil {
		return 0, err
	}
	return p.succession(ctx, s, "deleted, and killed after its grace", p.stage.api.CoreV1().Pods(namespace).Delete(ctx, s.pod.Name, metav1.DeleteOptions{}))
}

package shortest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

// pair is two contenders for one lease, in a trial. It ends by itself when the
// lease is lost.
type pair struct {
	stage.Play
	stage           *Stage
	entrant         Entrant
	leader, standby string // names, of hosts too
	lease           string
	stderr          io.Writer

	over chan struct{} // closed when the lease is lost

	mu     sync.Mutex
	begun  time.Time // the first fault
	faults int
	lost   string
	hosts  []*lab.Host
	ended  bool
}

func newPair(s *Stage, number int, e Entrant, stderr io.Writer) *pair {
	p := &pair{
		stage: s, entrant: e, lease: s.lease(), stderr: stderr,
		leader: fmt.Sprintf("pair-%d-1", number), standby: fmt.Sprintf("pair-%d-2", number),
		over: make(chan struct{}),
	}
	p.Say = p.take
	return p
}

// gather starts the contenders and returns when the first leads and the second
// has begun to contend, or when they have failed to.
func (p *pair) gather(ctx context.Context) {
	bound := startBound + p.entrant.Timing.LeaseDuration
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	err := p.contend(ctx, p.leader, event.Leading)
	if err == nil {
		err = p.contend(ctx, p.standby, p.contends())
	}
	if err != nil {
		p.lose(fmt.Sprintf("before the first fault one did not lead or the other not stand by, within %v: %v", bound, err))
	}
}

// contends is what shows that a contender contends.
func (p *pair) contends() event.What {
	if contender.UsesAPI(p.entrant.Peer) {
		return event.Requested
	}
	return event.Started
}

// contend starts a contender, and returns when it has said that, or the pair is over.
func (p *pair) contend(ctx context.Context, name string, said event.What) error {
	host, err := p.stage.lab.NewHost(name)
	if err != nil {
		return err
	}
	p.mu.Lock()
	ended := p.ended
	if !ended {
		p.hosts = append(p.hosts, host)
	}
	p.mu.Unlock()
	if ended {
		return errors.Join(errors.New("the pair has ended"), host.Close())
	}
	path, args, env, err := contender.Command(contender.Options{
		Peer: p.entrant.Peer, Identity: name, Namespace: namespace, Lease: p.lease, Kubeconfig: p.stage.kubeconfig, Etcd: p.stage.lab.EtcdURL(),
		Timing: p.entrant.Timing, ContendAgain: true,
	})
	if err != nil {
		return err
	}
	if _, err := p.Start(host, name, lab.Command{Path: path, Args: args, Env: env, Stderr: p.stderr}); err != nil {
		return err
	}
	return p.Await(ctx, name+" to be "+string(said), func(events []event.Event) bool {
		lost, _ := p.verdict()
		return lost != "" || stage.Says(name, said)(events)
	})
}

// fault counts an API server that goes silent now.
func (p *pair) fault() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost != "" {
		return
	}
	if p.begun.IsZero() {
		p.begun = time.Now()
	}
	p.faults++
}

// take takes an event of either contender.
func (p *pair) take(e event.Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	p.mu.Lock()
	why := loss(e, p.leader, p.begun)
	p.mu.Unlock()
	if why != "" {
		p.lose(why)
	}
	p.Append(e)
}

// lose ends the pair, if it has not lost already.
func (p *pair) lose(why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost != "" || p.ended {
		return
	}
	p.lost = why
	close(p.over)
	p.Tasks.Go(p.end) // not here: the contenders' last words come through take
}

// verdict returns how the lease was lost, empty if it was not, and how many API
// servers had gone silent by then.
func (p *pair) verdict() (lost string, faults int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost, p.faults
}

// end ends the contenders.
func (p *pair) end() {
	p.mu.Lock()
	hosts := p.hosts
	p.hosts, p.ended = nil, true
	p.mu.Unlock()
	for _, host := range hosts {
		p.Fail(host.Close())
	}
}

// close ends the pair, and returns what could not be ended.
func (p *pair) close() error {
	p.end()
	p.Tasks.Wait()
	return p.Exited()
}

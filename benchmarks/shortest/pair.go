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
)

// pair is two contenders for one lease, in a trial. It ends by itself when the
// lease is lost.
type pair struct {
	stage           *Stage
	entrant         Entrant
	leader, standby string // names, of hosts too
	lease           string
	stderr          io.Writer

	over chan struct{} // closed when the lease is lost

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced when leading or standing changes
	leads    bool          // the leader has begun to lead
	contends map[string]bool
	begun    time.Time // the first fault
	faults   int
	lost     string
	hosts    []*lab.Host
	ended    bool

	tasks sync.WaitGroup
	errs  []error // of hosts that could not be closed
}

func newPair(s *Stage, number int, e Entrant, stderr io.Writer) *pair {
	return &pair{
		stage: s, entrant: e, lease: s.lease(), stderr: stderr,
		leader: fmt.Sprintf("pair-%d-1", number), standby: fmt.Sprintf("pair-%d-2", number),
		over: make(chan struct{}), changed: make(chan struct{}), contends: map[string]bool{},
	}
}

// gather starts the contenders and returns when the first leads and the second
// has begun to contend, or when they have failed to.
func (p *pair) gather(ctx context.Context) {
	bound := startBound + p.entrant.Timing.LeaseDuration
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	err := p.contend(p.leader)
	if err == nil {
		err = p.await(ctx, func() bool { return p.leads })
	}
	if err == nil {
		err = p.contend(p.standby)
	}
	if err == nil {
		err = p.await(ctx, func() bool { return p.contends[p.standby] })
	}
	if err != nil {
		p.lose(fmt.Sprintf("before the first fault one did not lead or the other not stand by, within %v: %v", bound, err))
	}
}

// await returns once cond, which is asked with the lock held, is true. It
// returns nil too when the pair is over.
func (p *pair) await(ctx context.Context, cond func() bool) error {
	for {
		p.mu.Lock()
		ok, changed := cond(), p.changed
		p.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-p.over:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// contend starts a contender.
func (p *pair) contend(name string) error {
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
	process, err := host.Start(lab.Command{Path: path, Args: args, Env: env, Stdout: event.NewSink(name, p.take), Stderr: p.stderr})
	if err != nil {
		return err
	}
	p.tasks.Go(func() {
		<-process.Done()
		p.take(event.Event{Time: time.Now(), Who: name, What: event.Exited})
	})
	return nil
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
	p.mu.Lock()
	defer p.mu.Unlock()
	contends := e.What == event.Requested || e.What == event.Started && !contender.UsesAPI(p.entrant.Peer)
	leads := e.What == event.Leading && e.Who == p.leader
	if contends && !p.contends[e.Who] || leads && !p.leads {
		p.contends[e.Who] = p.contends[e.Who] || contends
		p.leads = p.leads || leads
		close(p.changed)
		p.changed = make(chan struct{})
	}
	if why := loss(e, p.leader, p.begun); why != "" {
		p.loseLocked(why)
	}
}

// lose ends the pair, if it has not lost already.
func (p *pair) lose(why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loseLocked(why)
}

func (p *pair) loseLocked(why string) {
	if p.lost != "" || p.ended {
		return
	}
	p.lost = why
	close(p.over)
	p.tasks.Go(p.end) // not here: the contenders' last words come through take
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
	var errs []error
	for _, host := range hosts {
		errs = append(errs, host.Close())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errs = append(p.errs, errs...)
}

// close ends the pair, and returns what could not be ended.
func (p *pair) close() error {
	p.end()
	p.tasks.Wait()
	return errors.Join(p.errs...)
}

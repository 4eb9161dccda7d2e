package matrix

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

// What comes before the fault.

// observe starts the observer and returns when it sees every write.
func (p *play) observe() error {
	ready := make(chan struct{})
	failed := make(chan error, 1)
	var once sync.Once
	p.tasks.Go(func() {
		if err := p.stage.observe(p.ctx, &p.log, func() { once.Do(func() { close(ready) }) }); err != nil {
			p.try(err)
			failed <- err
		}
	})
	select {
	case <-ready:
		return nil
	case <-failed:
		return errors.New("the observer could not begin")
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

// prepare makes hosts that know the victim only, objects and tokens.
func (p *play) prepare() error {
	s := p.stage
	for _, c := range p.contestants {
		var err error
		if c.host, err = s.host(c.name()); err != nil {
			return err
		}
		if c.Role == Candidate {
			if c.leaderHost, err = s.host(c.doomedName()); err != nil {
				return err
			}
		}
		if err := s.make(p.ctx, c.Column, c.object); err != nil {
			return err
		}
	}
	s.names.set(s.servers[0].Addr())
	if err := s.setToken(oldToken); err != nil {
		return err
	}
	for _, f := range s.fronts {
		f.SetTokens(map[string]string{oldToken: user})
	}
	return p.name(p.backendsOf()[0])
}

// gather starts all processes and returns when each does what it is to do.
func (p *play) gather() error {
	ctx, cancel := context.WithTimeout(p.ctx, startBound)
	defer cancel()
	for _, c := range p.contestants {
		var err error
		switch c.Role {
		case Leader, ClientGoLeader:
			c.process, err = p.contend(c, c.host, c.name())
		case Candidate:
			c.doomed, err = p.contend(c, c.leaderHost, c.doomedName())
		default:
			c.process, err = p.probe(c)
		}
		if err != nil {
			return err
		}
		if c.Role == Watch || c.Role == Informer {
			p.tasks.Go(func() { p.try(p.stage.change(p.ctx, c.Column, c.object, &p.log)) })
		}
	}
	for _, c := range p.contestants {
		if c.Role != Candidate {
			continue
		}
		if err := p.awaitAll(ctx, c.doomedName()+" to lead", says(c.doomedName(), event.Leading)); err != nil {
			return err
		}
		var err error
		if c.process, err = p.contend(c, c.host, c.name()); err != nil {
			return err
		}
	}
	for _, c := range p.contestants {
		if err := p.awaitAll(ctx, c.String()+" to be ready", func(events []event.Event) bool { return ready(c.Column, c.object, events) }); err != nil {
			return err
		}
	}
	return nil
}

// awaitAll is Log.Await for a time in which no process may exit.
func (p *play) awaitAll(ctx context.Context, what string, cond func([]event.Event) bool) error {
	gone := func(events []event.Event) (event.Event, bool) {
		i := slices.IndexFunc(events, func(e event.Event) bool { return e.What == event.Exited || e.What == event.Unreadable })
		if i < 0 {
			return event.Event{}, false
		}
		return events[i], true
	}
	err := p.log.Await(ctx, what, func(events []event.Event) bool {
		_, exited := gone(events)
		return exited || cond(events)
	})
	if e, exited := gone(p.log.Events()); exited && err == nil {
		return fmt.Errorf("await %s: %s %s %s", what, e.Who, e.What, e.Reason)
	}
	return err
}

// contender is the peer that a role is played by.
func (p *play) contender(r Role) string {
	if r == ClientGoLeader {
		return oursUnderClientGo
	}
	return p.peer
}

// contend starts a contender of the column's.
func (p *play) contend(c *contestant, host *lab.Host, identity string) (*lab.Process, error) {
	path, args, env, err := contender.Command(contender.Options{
		Peer: p.contender(c.Role), Identity: identity, Namespace: namespace, Lease: c.object, Kubeconfig: p.fault.by.kubeconfig(p.stage),
		Timing: p.timing, Mode: c.mode(), OwnDial: p.fault.by.ownDial,
	})
	if err != nil {
		return nil, err
	}
	return p.start(host, identity, path, args, env)
}

func (p *play) probe(c *contestant) (*lab.Process, error) {
	path, args, env, err := probeCommand(probeOptions{
		column: c.Column, kubeconfig: p.fault.by.kubeconfig(p.stage), object: c.object, timing: p.timing,
		plain: p.peer != ours, ownDial: p.fault.by.ownDial,
	})
	if err != nil {
		return nil, err
	}
	return p.start(c.host, c.name(), path, args, env)
}

// start starts a process whose words and exit are in the log.
func (p *play) start(host *lab.Host, who, path string, args, env []string) (*lab.Process, error) {
	if p.fault.by.names {
		env = append(env, nameserverVariable+"="+p.stage.namesAt.String())
	}
	process, err := host.Start(lab.Command{Path: path, Args: args, Env: env, Stdout: p.log.Lines(who), Stderr: p.stderr})
	if err != nil {
		return nil, err
	}
	p.exits.Go(func() {
		<-process.Done()
		code := process.ExitCode()
		p.log.Append(event.Event{Who: who, What: event.Exited, Code: &code})
	})
	return process, nil
}

// connected reports whether the column is connected to the victim, or keeps no
// connection that could be.
func (p *play) connected(c *contestant) (bool, error) {
	if !c.keeps() {
		return true, nil
	}
	to, err := c.host.ConnectedTo()
	return slices.Contains(to, p.backendsOf()[0]), err
}

// connect waits until every column is connected to the victim.
func (p *play) connect() error {
	ctx, cancel := context.WithTimeout(p.ctx, connectBound)
	defer cancel()
	for _, c := range p.contestants {
		for {
			connected, err := p.connected(c)
			if err != nil {
				return err
			}
			if connected {
				break
			}
			if pause(ctx, 20*time.Millisecond); ctx.Err() != nil {
				return fmt.Errorf("%s is not connected to the victim: %w", c, ctx.Err())
			}
		}
	}
	return nil
}

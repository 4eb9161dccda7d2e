package matrix

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

// What comes before the fault.

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
			p.Tasks.Go(func() { p.Fail(p.stage.change(p.ctx, c.Column, c.object, &p.Log)) })
		}
	}
	for _, c := range p.contestants {
		if c.Role != Candidate {
			continue
		}
		if err := p.AwaitAll(ctx, c.doomedName()+" to lead", stage.Says(c.doomedName(), event.Leading)); err != nil {
			return err
		}
		var err error
		if c.process, err = p.contend(c, c.host, c.name()); err != nil {
			return err
		}
	}
	for _, c := range p.contestants {
		if err := p.AwaitAll(ctx, c.String()+" to be ready", func(events []event.Event) bool { return ready(c.Column, c.object, events) }); err != nil {
			return err
		}
	}
	return nil
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
	return p.Start(host, who, lab.Command{Path: path, Args: args, Env: env, Stderr: p.stderr})
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
			if stage.Pause(ctx, 20*time.Millisecond); ctx.Err() != nil {
				return fmt.Errorf("%s is not connected to the victim: %w", c, ctx.Err())
			}
		}
	}
	return nil
}

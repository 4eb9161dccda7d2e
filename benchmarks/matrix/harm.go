package matrix

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/matrix/front"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

// What faults are made of.

// backendsOf are the addresses that the virtual IP may name in this play.
func (p *play) backendsOf() []netip.AddrPort { return p.fault.by.backends(p.stage) }

// name says what the virtual IP names for the columns from now on.
func (p *play) name(to ...netip.AddrPort) error {
	for _, h := range p.everyHost() {
		if err := h.SetBackendAddrs(to...); err != nil {
			return err
		}
	}
	p.Append(event.Event{Who: stage.Narrator, What: event.Backends, Reason: fmt.Sprint(to)})
	return nil
}

// nameAll makes the virtual IP name every backend, the victim for the very next
// connection: a draw that spared the victim would prove nothing.
func (p *play) nameAll() error {
	all := p.backendsOf()
	for _, h := range p.everyHost() {
		if err := h.SetNextBackend(all[0], all...); err != nil {
			return err
		}
	}
	p.Append(event.Event{Who: stage.Narrator, What: event.Backends, Reason: fmt.Sprint(all, ", the first first")})
	return nil
}

// dropLater makes the virtual IP drop the first backend after the time d.
func (p *play) dropLater(d time.Duration, from []netip.AddrPort) {
	p.Later(p.ctx, d, func() error { return p.name(others(from, 1)...) })
}

// answer makes the first front, or all of them, hang up, and answer like this for
// as long as the fault lasts.
func (p *play) answer(t front.Fault) error {
	victims := p.stage.fronts[:1]
	if p.fault.Network.Everyone {
		victims = p.stage.fronts
	}
	set := func(t front.Fault) {
		for _, f := range victims {
			f.Set(t)
		}
	}
	set(t)
	for _, f := range victims {
		f.HangUp(false)
	}
	p.Later(p.ctx, p.fault.Network.Lasts, func() error {
		set(front.Fault{})
		return nil
	})
	return nil
}

func (p *play) lose(losses ...lab.Loss) error { return p.stage.lab.Lose(losses...) }

// toVictim and fromVictim are the losses between every column and the backend
// of that index; etcd and the observer still reach it.
func (p *play) toVictim(index int) []lab.Loss {
	var all []lab.Loss
	for _, h := range p.everyHost() {
		all = append(all, lab.Loss{From: h.Addr(), To: p.backendsOf()[index].Addr()})
	}
	return all
}

func (p *play) fromVictim(index int) []lab.Loss {
	var all []lab.Loss
	for _, loss := range p.toVictim(index) {
		all = append(all, lab.Loss{From: loss.To, To: loss.From})
	}
	return all
}

func (p *play) both(index int) []lab.Loss { return append(p.toVictim(index), p.fromVictim(index)...) }

func (p *play) everyHost() []*lab.Host {
	var all []*lab.Host
	for _, c := range p.contestants {
		all = append(all, c.hosts()...)
	}
	return all
}

// silence is silence between one column and the victim. A candidate's leader
// dies with it.
func (p *play) silence(c *contestant) error {
	victim := p.backendsOf()[0].Addr()
	p.Append(event.Event{Who: stage.Narrator, What: event.Fault, On: c.name(), Reason: p.fault.Name})
	return errors.Join(
		p.lose(lab.Loss{From: c.host.Addr(), To: victim}, lab.Loss{From: victim, To: c.host.Addr()}),
		p.killLeader(c))
}

// killLeader kills the leader that a candidate waits for, if it is one.
func (p *play) killLeader(c *contestant) error {
	if c.doomed == nil {
		return nil
	}
	return c.doomed.Signal(syscall.SIGKILL)
}

// strike brings the fault, to all columns at once or to each at its own moment.
func (p *play) strike() error {
	if p.fault.toEach != nil {
		p.Append(event.Event{Who: stage.Narrator, What: event.Armed, Reason: p.fault.Name})
		for _, c := range p.contestants {
			if err := p.fault.toEach(p, c); err != nil {
				return err
			}
		}
		return nil
	}
	p.Append(event.Event{Who: stage.Narrator, What: event.Fault, On: "server", Reason: p.fault.Name})
	for _, c := range p.contestants {
		if err := p.killLeader(c); err != nil {
			return err
		}
	}
	return p.fault.inflict(p)
}

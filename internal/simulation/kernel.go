package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/holdfast-go/holdfast/internal/death"
	"github.com/holdfast-go/holdfast/leaderelection/witness"
)

// site is a network namespace: which one it is, and what a process in it sees of that.
type site struct {
	namespace int
	looks     death.Place
}

// settle draws where the hosts' processes run: each in a namespace of its own, or in that
// of the first host; or on a clone of its machine, which has the same boot id and the
// same numbers, but another address or another moment of boot.
func (w *World) settle() {
	for i, h := range w.hosts {
		random := w.random("sites")
		h.site = w.newSite(fmt.Sprintf("boot=%d net=1 cookie=1", i), fmt.Sprintf("192.0.2.%d", i), time.Duration(i)*time.Hour)
		switch dice := random.IntN(3); {
		case i == 0:
		case dice == 0:
			h.site = w.hosts[0].site
		case dice == 1 && random.IntN(2) == 0:
			h.site = w.newSite("boot=0 net=1 cookie=1", fmt.Sprintf("192.0.2.%d", i), 0)
		case dice == 1:
			h.site = w.newSite("boot=0 net=1 cookie=1", "192.0.2.0", time.Duration(i)*time.Second)
		}
	}
}

func (w *World) newSite(looks, address string, epoch time.Duration) site {
	w.sites++
	return site{w.sites, death.Place{Identity: looks + " from=" + address, Epoch: epoch}}
}

// moves has the host's next process run in another namespace now and then, whose number
// may be that of one before, which nobody is in any more: one process of a host follows
// another. Its kernel is an old one, without the cookie that tells the two apart.
func (h *Host) moves(random *rand.Rand) {
	if random.IntN(4) == 0 {
		h.site = h.world.newSite(fmt.Sprintf("boot=%s net=%d", h.name, 1+random.IntN(2)), "192.0.2.9", 0)
	}
}

// kernel is the witness of processes in one network namespace: it goes by the rule of
// witness.Process, in a world without sockets.
type kernel struct{ p *Process }

// Name implements witness.Witness.
func (kernel) Name() string { return "kernel" }

// Leave implements witness.Witness.
func (k kernel) Leave(context.Context) (string, error) {
	w := k.p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	k.p.bound = true
	return k.p.socket().String(), nil
}

func (p *Process) socket() death.ProcessTestimony {
	return death.ProcessTestimony{Name: fmt.Sprintf("%016x%016x", hash("socket of "+p.name), hash(p.name)), Place: p.site.looks}
}

// Await implements witness.Witness.
func (k kernel) Await(ctx context.Context, testimony string) (witness.Proof, error) {
	t, err := death.ParseProcessTestimony(testimony)
	if err != nil || t.Name == k.p.socket().Name {
		return witness.Proof{}, fmt.Errorf("%w: own, or none: %v", witness.ErrNoProof, err)
	}
	w := k.p.world
	for {
		if !k.p.SamePlace(t.Place, k.p.site.looks) {
			return witness.Proof{}, witness.ErrNoProof
		}
		w.mu.Lock()
		holder := k.p.binder(t.Name)
		moment := between(k.p.host.chance("socket"), 0, time.Millisecond)
		w.mu.Unlock()
		if holder == nil {
			break
		}
		select {
		case <-holder.died:
		case <-ctx.Done():
			return witness.Proof{}, context.Cause(ctx)
		}
		if err := k.p.wait(ctx, moment); err != nil {
			return witness.Proof{}, err
		}
		if !k.p.hold("hears of a death") {
			return witness.Proof{}, errDead
		}
	}
	return witness.Proof{Testimony: testimony, Evidence: "its socket is gone", Again: func(context.Context) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if k.p.binder(t.Name) != nil {
			return fmt.Errorf("the socket %s is taken", t.Name)
		}
		return nil
	}}, nil
}

// binder returns the process that has bound a name in the namespace of p, if any; the
// mutex is held.
func (p *Process) binder(name string) *Process {
	for _, other := range p.world.processes {
		if other.bound && !other.dead() && other.site.namespace == p.site.namespace && other.socket().Name == name {
			return other
		}
	}
	return nil
}

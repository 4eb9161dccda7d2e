package simulation

import (
	"context"

	"github.com/holdfast-go/holdfast/leaderelection/witness"
)

// Witnesses are what an elector of the process is given: none, or some of those that
// the world has.
func (p *Process) Witnesses() []witness.Witness {
	if !p.world.has(Witnesses) {
		return []witness.Witness{}
	}
	var some []witness.Witness
	for i, one := range []witness.Witness{coroner{p}, kernel{p}, kubelet{p}} {
		if p.world.witnesses != i { // all but one of them, or all
			some = append(some, overheard{one, p})
		}
	}
	return some
}

// overheard tells the judge of each testimony and of each proof.
type overheard struct {
	witness.Witness
	p *Process
}

// Leave implements witness.Witness.
func (o overheard) Leave(ctx context.Context) (string, error) {
	testimony, err := o.Witness.Leave(ctx)
	if err == nil {
		o.p.world.mu.Lock()
		defer o.p.world.mu.Unlock()
		o.p.world.testimonies[testimony] = o.p
	}
	return testimony, err
}

// Await implements witness.Witness.
func (o overheard) Await(ctx context.Context, testimony string) (witness.Proof, error) {
	proof, err := o.Witness.Await(ctx, testimony)
	if err != nil || proof.Testimony != testimony {
		return proof, err
	}
	again := proof.Again
	proof.Again = func(ctx context.Context) error {
		if again != nil {
			if err := again(ctx); err != nil {
				return err
			}
		}
		w := o.p.world
		w.mu.Lock()
		defer w.mu.Unlock()
		dead := w.testimonies[testimony]
		if dead == nil {
			w.violated("proof", o.p, "the %s has proof about %q, which nobody has left", o.Name(), testimony)
			return nil
		}
		o.p.proven[dead.name] = true
		w.note(o.p.name, "has proof that %s is dead: %s", dead.name, proof.Evidence)
		if !dead.dead() {
			w.violated("proof", o.p, "%s is proven dead by the %s, and lives", dead.name, o.Name())
		}
		return nil
	}
	return proof, nil
}

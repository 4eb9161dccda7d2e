package simulation

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-go/holdfast/leaderelection/witness"
)

// coroner is a process's witness. What a process leaves is its name, which no other
// has.
type coroner struct{ p *Process }

// Name implements witness.Witness.
func (coroner) Name() string { return "simulated" }

// Leave implements witness.Witness. It may fail or hang.
func (c coroner) Leave(ctx context.Context) (string, error) {
	w := c.p.world
	w.mu.Lock()
	dice := c.p.host.random("testimony").IntN(10)
	w.mu.Unlock()
	switch dice {
	case 0:
		return "", errors.New("a simulated failure")
	case 1:
		<-ctx.Done()
		return "", context.Cause(ctx)
	}
	return c.p.name, nil
}

// Await implements witness.Witness. A proof comes at once, late, or never, or it is
// about another instance, which may be dead.
func (c coroner) Await(ctx context.Context, testimony string) (witness.Proof, error) {
	w := c.p.world
	w.mu.Lock()
	who, known := w.processes[testimony]
	random := c.p.host.random("witness")
	dice, lag := random.IntN(8), between(random, 0, 2*w.timing.Lease)
	w.mu.Unlock()
	switch {
	case !known || who == c.p || dice == 0:
		return witness.Proof{}, witness.ErrNoProof
	case dice == 1:
		_ = c.p.wait(ctx, lag/4)
		return witness.Proof{Testimony: "another instance of " + testimony}, ctx.Err()
	case dice < 5:
		lag = 0
	}
	select {
	case <-who.died:
	case <-ctx.Done():
		return witness.Proof{}, context.Cause(ctx)
	}
	if err := c.p.wait(ctx, lag); err != nil {
		return witness.Proof{}, err
	}
	if !c.p.hold("hears of a death") {
		return witness.Proof{}, errDead
	}
	return witness.Proof{Testimony: testimony, Evidence: "it has died", Again: func(ctx context.Context) error {
		w.mu.Lock()
		unsure, pause := c.p.host.random("check").IntN(6) == 0, between(c.p.host.random("check"), 0, 20*time.Millisecond)
		w.mu.Unlock()
		if unsure {
			return errors.New("a simulated doubt")
		}
		if err := c.p.wait(ctx, pause); err != nil {
			return err
		}
		return nil
	}}, nil
}

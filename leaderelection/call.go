package leaderelection

import (
	"context"

	"github.com/holdfast-go/holdfast/internal/bounded"
	"github.com/holdfast-go/holdfast/internal/turn"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// giveUp ends a call, which may be deaf to that.
func (a *attempt) giveUp(c *call) {
	c.end()
	a.lock.calls.Leave(&c.Call)
}

// answer is what a call to the lock came back with.
type answer struct {
	state rl.Snapshot
	err   error
	call  *call
}

// call is one call to the lock: a read, or the write of a record.
type call struct {
	bounded.Call
	limit
	answers chan<- answer
	over    <-chan struct{}

	begun instant
	write bool
	base  rl.Snapshot
	entry rl.Entry
	sent  instant
	// turn is its turn among the calls that share its client.
	turn turn.Turn
	// fresh asks for a new connection.
	fresh bool
}

// run makes the call, and reports its answer to the attempt unless that is over.
func (c *call) run(ctx context.Context, lock *boundedLock) {
	defer c.end()
	got := answer{call: c}
	ctx = turn.With(ctx, &c.turn)
	if c.fresh || !c.write {
		ctx = rl.OnNewConnection(ctx)
	}
	got.state, got.err = c.send(ctx, lock)
	got.err = explain(ctx, got.err)
	select {
	case c.answers <- got:
	case <-c.over:
	}
}

// send makes the call, once there is room for one more.
func (c *call) send(ctx context.Context, lock *boundedLock) (state rl.Snapshot, err error) {
	returned := false
	defer func() {
		if !returned {
			err = bounded.Panicked(recover())
		}
		lock.calls.Return(&c.Call)
	}()
	if err = lock.calls.Enter(ctx); err == nil {
		ctx = lock.paid(ctx)
		if c.write {
			state, err = lock.Versioned.Write(ctx, c.base, c.entry)
		} else {
			state, err = lock.Versioned.Read(ctx)
		}
	}
	returned = true
	return state, err
}

package leaderelection

import (
	"context"
	"time"

	"github.com/holdfast-go/holdfast/internal/bounded"
)

// priority asks how much a contender is preferred. Candidate and leader share it.
type priority struct {
	clock timepiece
	// bound is how long an answer is waited for.
	bound time.Duration
	// claimHook and wishHook are LeaderElectionConfig.Priority, as it is asked before a
	// claim and for a wish: two, for the simulation plays contenders who claim by one and
	// wish by another. Either may be nil.
	claimHook, wishHook func() int
	// calls are those that may not have returned.
	calls bounded.Calls
}

// priorityAnswer is what came of asking for a priority.
type priorityAnswer struct {
	priority int
	err      error
}

// beforeClaim asks for the priority that says for how long others go first.
func (p *priority) beforeClaim(ctx context.Context) priorityAnswer { return p.ask(ctx, p.claimHook) }

// forWish asks for the priority that is compared with another contender's.
func (p *priority) forWish(ctx context.Context) priorityAnswer { return p.ask(ctx, p.wishHook) }

// ask returns what hook says, from 0 to MaxPriority; MaxPriority where there is no hook.
func (p *priority) ask(ctx context.Context, hook func() int) priorityAnswer {
	if hook == nil {
		return priorityAnswer{priority: MaxPriority}
	}
	ctx, cancel := p.clock.within(bounded.Awaited(ctx), p.bound)
	defer cancel()
	own, err := bounded.Do(ctx, ctx, &p.calls, func(context.Context) (int, error) { return hook(), nil })
	return priorityAnswer{max(0, min(own, MaxPriority)), err}
}

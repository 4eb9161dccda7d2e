package holdfastctrl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// group is the Runnables that run while this process leads, once.
type group struct {
	mu      sync.Mutex
	phase   phase
	members []manager.Runnable
	begun   bool // that members have been started
	// ctx is of the warm-ups while standing by, of the members while leading.
	ctx context.Context
	// cool ends the warm-ups: what they have started goes on until then, and
	// workers that wait for a queue that a warm-up has opened wait as long.
	cool    context.CancelFunc
	running sync.WaitGroup
	// working has the type of each member that has been started and has not
	// returned, by its number.
	working map[int]string
	number  int

	// failed receives the errors of members: the first ends the election.
	failed chan error
	// done is closed when lead has returned.
	done chan struct{}
}

// phase is what a group is at.
type phase int

const (
	gathering phase = iota
	standingBy
	leading
	over
)

// errOver is what a Runnable meets that comes too late.
var errOver = errors.New("holdfastctrl: the term of this manager is over: no Runnable can be added")

// warmable is what controller-runtime calls a warmupRunnable. Its controllers
// are, and do nothing in it unless EnableWarmup is set.
type warmable interface {
	Warmup(context.Context) error
}

func newGroup() *group {
	return &group{failed: make(chan error, 1), done: make(chan struct{}), working: map[int]string{}}
}

// add takes r in. While standing by it is warmed up, while leading started.
func (g *group) add(r manager.Runnable) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch g.phase {
	case standingBy:
		go func(ctx context.Context) { g.fail(ctx, warmUp(ctx, r)) }(g.ctx)
	case leading:
		g.start(r)
		return nil
	case over:
		return errOver
	}
	g.members = append(g.members, r)
	return nil
}

// warmUp warms all members up and returns when they are warm, or the first
// error. What the warm-ups have started goes on until the members are to stop,
// or ctx ends.
func (g *group) warmUp(ctx context.Context) error {
	g.mu.Lock()
	ctx, g.cool = context.WithCancel(ctx)
	g.phase, g.ctx = standingBy, ctx
	members := g.members
	g.mu.Unlock()

	errs := make(chan error, len(members))
	for _, r := range members {
		go func() { errs <- warmUp(ctx, r) }()
	}
	for range members {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

func warmUp(ctx context.Context, r manager.Runnable) error {
	w, ok := r.(warmable)
	if !ok {
		return nil
	}
	if err := w.Warmup(ctx); err != nil {
		return fmt.Errorf("holdfastctrl: warm-up of a %T: %w", r, err)
	}
	return nil
}

// lead runs the members until ctx has ended and they have returned; began is
// called when all have been started, which is never if the term is over before.
// It is called once at most.
func (g *group) lead(ctx context.Context, began func()) {
	defer close(g.done)
	if !g.begin(ctx) {
		return
	}
	began()
	<-ctx.Done()
	g.end()
	g.running.Wait()
}

// begin starts all members, unless the term is over already.
func (g *group) begin(ctx context.Context) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.phase == over || ctx.Err() != nil {
		return false
	}
	g.phase, g.ctx, g.begun = leading, ctx, true
	for _, r := range g.members {
		g.start(r)
	}
	return true
}

// returned returns a channel that is closed when no member runs and none can be
// started, given that the context of lead has ended.
func (g *group) returned() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.begun {
		return g.done
	}
	none := make(chan struct{})
	close(none)
	return none
}

// start starts r; the caller holds the lock.
func (g *group) start(r manager.Runnable) {
	ctx, number := g.ctx, g.number
	g.number++
	g.working[number] = fmt.Sprintf("%T", r)
	g.running.Go(func() {
		defer g.stopped(number)
		g.fail(ctx, r.Start(ctx))
	})
}

func (g *group) stopped(number int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.working, number)
}

// stillRunning returns the types of the members that run, in the order in which
// they were started.
func (g *group) stillRunning() (types []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, number := range slices.Sorted(maps.Keys(g.working)) {
		types = append(types, g.working[number])
	}
	return types
}

// end lets nobody in any more and ends the warm-ups.
func (g *group) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.phase = over
	if g.cool != nil {
		g.cool()
	}
}

// fail passes err on, unless it only tells that ctx had ended. One that nobody waits for
// any more is logged, as controller-runtime does.
func (g *group) fail(ctx context.Context, err error) {
	if err == nil || (ctx.Err() != nil && errors.Is(err, context.Canceled)) {
		return
	}
	select {
	case g.failed <- err:
	default:
		sayLate(ctx, err)
	}
}

// sayLate logs the error that nobody has waited for any more, if there is one.
func (g *group) sayLate(ctx context.Context) {
	select {
	case err := <-g.failed:
		sayLate(ctx, err)
	default:
	}
}

func sayLate(ctx context.Context, err error) {
	klog.FromContext(ctx).Error(err, "A leader-elected Runnable failed while the manager was stopping")
}

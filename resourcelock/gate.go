package resourcelock

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// mostInside is how many requests of one client are under way at once while all
// of them are answered soon. With one watch and one hedge beside them, that
// makes eight connections.
const mostInside = 6

// gate lets requests in, in the order in which they came, so that many leases
// share few connections. It is no rate limit and must never become one:
//
//   - Who has been inside for as long as `slow` no longer counts, up to
//     mostOverlooked at once. A slow lease holds up nobody, and its hedges, which
//     are sent from inside, never wait.
//   - When the first in the queue has waited for as long as `slow`, the API is
//     slower, or there is more to do, than the width allows for: it doubles, at
//     most once in that time. If that did not let more requests through, what
//     is slow is a processor, this one's or the API's, which more connections
//     would only slow down further: the width goes back and stays for a while.
//     It also halves when little of it is in use.
//
// A wait ends with its context, unanswered: where there is more to do than
// API and processors can bear, letting everyone in would only make it more.
//
// By Little's law, n requests a second that take t each keep n×t inside. A
// thousand leases renewed every 2s need 6 for answers within 12ms.
type gate struct {
	slow time.Duration

	overlooked atomic.Int64 // are slow and do not count

	mu      sync.Mutex
	width   int
	inside  int
	waiting []chan struct{} // closed for who may enter
	changed time.Time       // when the width was, or a queue began
	passed  int             // how many were answered, or slow, since
	before  float64         // how many a second before the width was doubled last
	stay    time.Time       // do not widen before
	spare   []*passage      // are over, for the next requests
}

const (
	// worthwhile is by how much a doubled width must raise the throughput.
	worthwhile = 1.3
	// stayFor is for how many times slow the width stays where a doubling of it
	// was of no use.
	stayFor = 8
	// mostOverlooked is how many slow requests do not count. When there are more,
	// the API or this process is slow for all of them, and still more requests
	// under way would make it slower: then only widening lets in more.
	mostOverlooked = 4 * mostInside
)

func newGate(slow time.Duration) *gate {
	return &gate{slow: slow, width: mostInside}
}

// enter waits for a turn. It returns how long that took and what ends it, which
// may be called more than once; an error is that of ctx.
func (g *gate) enter(ctx context.Context) (waited time.Duration, leave func(), err error) {
	turn := g.queue()
	if turn != nil {
		since := time.Now()
		if err := g.wait(ctx, turn); err != nil {
			return time.Since(since), nil, err
		}
		waited = time.Since(since)
	}
	return waited, g.newPassage().leave, nil
}

// straight lets a request in for which there is room and that passes nobody who
// waits, as most requests; else it returns nil. The passage is to be ended once.
func (g *gate) straight() *passage {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.room() {
		return nil
	}
	last := len(g.spare) - 1
	if last < 0 {
		return g.newPassage()
	}
	p := g.spare[last]
	g.spare = g.spare[:last]
	p.slow.Reset(g.slow)
	return p
}

func (g *gate) newPassage() *passage {
	p := &passage{gate: g}
	p.slow = time.AfterFunc(g.slow, p.tooSlow)
	return p
}

// end is leave for a passage that nobody refers to any more. It is kept for
// another request, unless its timer may still be at work.
func (p *passage) end() {
	idle := p.slow.Stop()
	p.leave()
	if !idle {
		return
	}
	p.outside = false
	g := p.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.spare) < mostInside {
		g.spare = append(g.spare, p)
	}
}

// passage is one request's stay inside.
type passage struct {
	gate *gate
	slow *time.Timer

	mu                 sync.Mutex
	uncounted, outside bool
}

// tooSlow stops counting the request, unless so many are slow that it is no
// longer a matter of single leases.
func (p *passage) tooSlow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.outside && p.gate.overlook() {
		p.uncounted = true
		p.gate.out()
	}
}

func (p *passage) leave() {
	p.slow.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.outside:
	case p.uncounted:
		p.gate.overlooked.Add(-1)
	default:
		p.gate.out()
	}
	p.outside = true
}

// overlook reports whether one more slow request may go uncounted.
func (g *gate) overlook() bool {
	if g.overlooked.Add(1) <= mostOverlooked {
		return true
	}
	g.overlooked.Add(-1)
	return false
}

// queue returns nil to who may enter at once, else what is closed when they may.
func (g *gate) queue() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.room() {
		return nil
	}
	if len(g.waiting) == 0 { // what happened while nobody waited says nothing
		g.resize(g.width, time.Now())
	}
	turn := make(chan struct{})
	g.waiting = append(g.waiting, turn)
	return turn
}

// room takes a place if there is one that nobody waits for.
func (g *gate) room() bool {
	if len(g.waiting) > 0 || g.inside >= g.width {
		return false
	}
	g.inside++
	return true
}

func (g *gate) wait(ctx context.Context, turn <-chan struct{}) error {
	widen := time.NewTicker(g.slow)
	defer widen.Stop()
	for {
		select {
		case <-turn:
			return nil
		case <-widen.C:
			g.widen()
		case <-ctx.Done():
			g.giveUp(turn)
			return context.Cause(ctx)
		}
	}
}

// widen is called by who has waited for as long as slow.
func (g *gate) widen() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	elapsed := now.Sub(g.changed)
	if len(g.waiting) == 0 || elapsed < g.slow || now.Before(g.stay) {
		return
	}
	rate := float64(g.passed) / elapsed.Seconds()
	if g.width > mostInside && rate < worthwhile*g.before {
		g.stay = now.Add(stayFor * g.slow)
		g.resize(g.width/2, now)
		return
	}
	g.before = rate
	g.resize(2*g.width, now)
	g.admit()
}

func (g *gate) resize(width int, now time.Time) {
	g.width, g.changed, g.passed = max(width, mostInside), now, 0
}

// giveUp ends a wait.
func (g *gate) giveUp(turn <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.IndexFunc(g.waiting, func(c chan struct{}) bool { return c == turn })
	if i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
		return
	}
	g.inside-- // it had just been let in
	g.admit()
}

// out makes room for the next.
func (g *gate) out() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	g.passed++
	if now := time.Now(); len(g.waiting) == 0 && g.width > mostInside && g.inside < g.width/4 && now.Sub(g.changed) >= g.slow {
		g.resize(g.width/2, now)
	}
	g.admit()
}

// admit lets in whom there is room for.
func (g *gate) admit() {
	n := min(g.width-g.inside, len(g.waiting))
	if n <= 0 {
		return
	}
	for _, turn := range g.waiting[:n] {
		close(turn)
	}
	g.waiting = slices.Delete(g.waiting, 0, n)
	g.inside += n
}

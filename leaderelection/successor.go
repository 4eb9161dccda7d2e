package leaderelection

import (
	"context"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/internal/bounded"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// mostYielded is the most by which a contender lets others go first, for either
// reason: that a release names a successor, or that others are preferred. It is never
// more than the retry period either.
const mostYielded = time.Second

// successorWait returns for how long a contender lets a successor go first.
func (t timing) successorWait(configured time.Duration) time.Duration {
	if configured == 0 {
		configured = mostYielded
	}
	return min(configured, t.retry)
}

// namePatience returns how long a hook may take to name a successor, where so much is
// left of the term. Nobody leads meanwhile, and the release is to come in time.
func (t timing) namePatience(rest time.Duration) time.Duration {
	return max(0, min(t.retry/4, time.Second, rest/2))
}

// names reports whether name is that of a contender: its identity, or all of it before
// an underscore.
func names(name, identity string) bool {
	return name != "" && (name == identity || strings.HasPrefix(identity, name+"_"))
}

// isSuccessor reports whether the release that was seen names this contender.
func (c *candidacy) isSuccessor(seen observation) bool {
	return names(seen.snapshot.Successor(), c.lock.Identity())
}

// yields returns by how much this contender lets others go first: a successor, and
// then those that are preferred.
func (c *candidacy) yields(seen observation) time.Duration {
	delay := c.preference.delay(seen.snapshot)
	if seen.snapshot.Successor() != "" {
		delay += c.timing.successorWait(c.config.successorWait)
	}
	return delay
}

// successor returns whom the release is to name: whom the first resignation that does
// has named, else who has asked for the lease, else whom the hook names in time. Empty
// is nobody.
func (l *leadership) successor(ctx context.Context) string {
	name := ""
	for _, r := range l.resigned {
		if name = r.successor; name != "" {
			break
		}
	}
	if name == "" {
		name = l.handover.heir
	}
	if name == "" {
		name = l.askForSuccessor(ctx)
	}
	if len(name) > rl.MaxSuccessor || names(name, l.election.lock.Identity()) {
		return ""
	}
	return name
}

// askForSuccessor has the hook name a successor, within its bound.
func (l *leadership) askForSuccessor(ctx context.Context) string {
	hook := l.config.successor
	if hook == nil || l.config.coordinated || l.election.lock.takesTurns() {
		return ""
	}
	patience := l.election.timing.namePatience(l.term.rest(l.election.clock.now()))
	asking, cancel := l.election.clock.within(bounded.Awaited(context.WithoutCancel(ctx)), patience)
	defer cancel()
	name, err := bounded.Do(asking, asking, l.config.successors, hook)
	if err != nil {
		l.logger.Info("No successor is named; the lease is released for all", "err", err)
		return ""
	}
	return name
}

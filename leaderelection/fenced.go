package leaderelection

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/holdfast-go/holdfast/leaderelection/fence"
)

// fenced keeps a refusal of the work's write by the fence (package fence) until it
// is settled. The API server that refused takes another for the holder: it is right,
// or behind. A renewal that is sent after the refusal decides.
type fenced struct {
	// claimed is how long the claim waited for its answer.
	claimed time.Duration
	// since is when the refusal came, and err what it said; nil where none is to be
	// settled.
	since instant
	err   error
	// asking says that a renewal was sent because of it.
	asking bool
	// disproved counts the refusals in a row that a renewal has disproved, and asked
	// is when one was sent last because of any.
	disproved int
	asked     instant
}

// backoff returns how long to wait, at now, before a renewal is sent because of a
// refusal: not at all at first. Each one that was disproved, as by a server that is
// cut from its storage, doubles it from an eighth of the retry period to the whole.
func (f *fenced) backoff(now instant, t timing) time.Duration {
	if f.disproved > 0 && now.monoSince(f.asked) > t.retry {
		f.disproved = 0
	}
	return max(0, min(t.retry, doubled(t.retry/8, f.disproved-1))-now.monoSince(f.asked))
}

func (f *fenced) pending() bool { return f.err != nil }

// explain returns why a term was lost: where another has taken it, and a fence has
// said so first, that is the reason. Other reasons ask for something to be mended, and
// stay.
func (f *fenced) explain(lost *TermEndedError) *TermEndedError {
	if f.pending() && lost.Reason == ReasonTaken {
		lost.Reason, lost.Err = ReasonFenced, f.err
	}
	return lost
}

// Fenced reports whether err is the refusal of a write by the fence of this
// election (package fence), and if so tells the elector. The elector then renews at
// once; if it has done so for this reason lately, it waits first, at most a retry
// period. The term ends with ReasonFenced if another leads, or if no renewal succeeds
// within a retry period (or within twice the time of the last answer where that is
// longer, up to half a term). If the renewal succeeds, the API server just did not
// know the new leader yet: the term goes on, and the work may write again. The
// transports of Guard and of FenceWrapper do all of this by themselves. It is false
// for an elector whose lock is not on a Lease.
func (t *Term) Fenced(err error) bool {
	lease, ok := t.lease()
	if !ok || !fence.Refused(err, lease) {
		return false
	}
	t.fencedBy(err)
	return true
}

// lease returns which Lease the term is on, if its lock is on one.
func (t *Term) lease() (types.NamespacedName, bool) {
	namespace, name, ok := strings.Cut(t.lock, "/")
	return types.NamespacedName{Namespace: namespace, Name: name}, ok
}

// fencedBy tells the elector of a refusal, unless it is to hear of one already.
func (t *Term) fencedBy(err error) {
	select {
	case t.refused <- err:
	default:
	}
}

// fencedBy takes in that a fence has refused a write of the work.
func (l *leadership) fencedBy(err error) {
	if l.fenced.pending() {
		return // it is being found out
	}
	now := l.election.clock.now()
	l.fenced.since, l.fenced.err, l.fenced.asking = now, err, false
	l.fence.Reset(l.fenced.backoff(now, l.election.timing))
}

// findOut sends a renewal because of a refusal. Where one was sent and is not
// answered for as long as answers take, the refusal is all that is known.
func (l *leadership) findOut() {
	if l.fenced.asking {
		l.endTerm(&TermEndedError{Reason: ReasonFenced, Err: l.fenced.err})
		return
	}
	if l.askNow(); l.renewing {
		l.renewAtOnce()
	} else {
		l.renew()
	}
}

// askNow notes that the renewal which decides is sent now.
func (l *leadership) askNow() {
	l.fenced.asking, l.fenced.asked = true, l.election.clock.now()
	l.fence.Reset(l.election.timing.patience(max(l.took, l.fenced.claimed)))
}

// settleFence takes in what a renewal came to. One that was sent before the
// refusal says nothing of it.
func (l *leadership) settleFence(o outcome) {
	switch {
	case !l.fenced.pending():
	case o.done && o.sent.monoSince(l.fenced.since) >= 0:
		l.fenced.err = nil
		l.fenced.disproved++
		l.fence.Stop()
	case l.fenced.asking:
		l.askNow()
		l.renew()
	}
}

package dialer

import (
	"sync/atomic"
	"time"
)

// order tells whether the attempts of a Transport are answered in the order in which they
// were sent. Where they are, a slow one is waited for: an API or a process that is
// short of CPU has come so far and is about to answer it, and another handshake would only
// put that off. One that was overtaken, or that waits while nothing is answered, may
// be on a connection that is dead. The zero value is ready for use; it is safe for
// concurrent use.
type order struct {
	underway, answers atomic.Int64
	last              atomic.Int64 // when there was an answer, in nanoseconds
}

// inOrder is where an attempt stands in the order: how many were answered before it was
// sent, and how many were under way.
type inOrder struct{ answers, ahead int64 }

// sent notes that an attempt is sent. back is to be called when it has come back.
func (o *order) sent() inOrder {
	return inOrder{answers: o.answers.Load(), ahead: o.underway.Add(1) - 1}
}

func (o *order) back() { o.underway.Add(-1) }

// answered notes an answer.
func (o *order) answered() {
	o.answers.Add(1)
	o.last.Store(time.Now().UnixNano())
}

// since returns how long ago the last answer came.
func (o *order) since(now time.Time) time.Duration {
	return time.Duration(now.UnixNano() - o.last.Load())
}

// approaches reports whether some of those that were sent before an attempt have been
// answered since, the last of them no longer ago than recent, and perhaps none that was
// sent after it.
func (o *order) approaches(p inOrder, now time.Time, recent time.Duration) bool {
	n := o.answers.Load() - p.answers
	return 0 < n && n <= p.ahead && o.since(now) < recent
}

package dialer

import (
	"maps"
	"net/http"
	"time"
)

// Stats is what a Meter has counted so far. It is a plain value; all counts
// but Open only grow.
type Stats struct {
	// Opened counts connections, also those that lost to a sibling. Open is how
	// many of them this side has not closed yet. Closed counts the rest by reason.
	Opened, Open int64
	Closed       Closes

	// Dials counts dials, DialsFailed those that ended without a connection.
	// Siblings counts the further tries that dials started because one was
	// unanswered or had failed, SiblingsWon the dials that one of these won.
	Dials, DialsFailed, Siblings, SiblingsWon int64

	// Requests counts round trips, Answered those that were answered, with
	// whatever status. Hedges counts the attempts sent beside an unanswered one,
	// HedgesWon the round trips that one of these won, and Retries the attempts
	// sent after others had failed, or had missed Connect in their TLS handshake.
	Requests, Answered, Hedges, HedgesWon, Retries int64

	// ServedNew and ServedReused count the answered round trips by whether the
	// connection was new. One whose base tells nothing of its connections is in
	// neither.
	ServedNew, ServedReused int64

	// Last is the round trip that was answered last.
	Last Served
}

// Closes counts closed connections by reason. A reason that has not occurred
// is absent, which reads as zero.
type Closes map[CloseReason]int64

// Served describes one answered round trip.
type Served struct {
	// Age is how long the connection that carried the answer had been open, and
	// Idle how long it had waited for a request, when it was given to this one.
	// Zero where the connection was new or is not counted.
	Age, Idle time.Duration
	// Reused says that the connection had carried requests before.
	Reused bool
	// Attempts is how many attempts were sent, 1 if the first was answered.
	Attempts int
	// Took is the time from the first attempt to the answer.
	Took time.Duration
}

func (s Stats) clone() Stats {
	s.Closed = maps.Clone(s.Closed)
	return s
}

// StatsOf finds the Transport, or what HardenTraffic put in its place, in a
// chain of round trippers that give way to what they wrap, and returns what its
// Meter has counted. It reports false for a chain that has neither, and for one
// whose wrappers hide it.
func StatsOf(rt http.RoundTripper) (Stats, bool) {
	for link := range chain(rt) {
		switch t := link.(type) {
		case *Transport:
			if t != nil {
				return t.Stats(), true
			}
		case *meteredTransport:
			return t.meter.Stats(), true
		}
	}
	return Stats{}, false
}

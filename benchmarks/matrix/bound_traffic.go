package matrix

import "time"

// The bounds of dialer.HardenTraffic. Its requests are not hedged, only its
// dials are, and nothing but the end of its connection ends a request.

// The shares of within that HardenTraffic gives to its pings: a third without a
// frame until one is sent, half until it is given up.
func pingBound(within time.Duration) time.Duration { return within/3 + within/2 }

// trafficDialHedge is the pace of a dial's siblings, refusals how many refused
// dials it takes to believe them.
const (
	trafficDialHedge = 250 * time.Millisecond
	refusals         = 4
)

// reconnectBound is how long it takes to be connected anew, and after how many
// failures in between, each of which a reflector follows with a pause.
func reconnectBound(w NetworkCondition, within time.Duration) (took time.Duration, failures int) {
	n := w.tries()
	pace := min(trafficDialHedge, within/4)
	switch {
	case n == 0 || w.New == Fine:
		return 0, 0
	case w.New == NoHandshake:
		// Nothing hedges a handshake: each waits for all of within, and the next
		// begins after a pause, as long as the virtual IP names the victim.
		for at := time.Duration(0); at < w.Named; failures++ {
			at += within + reflectorPause(failures)/2
		}
		return time.Duration(failures) * within, failures
	case w.New == Refusal:
		// The second dial follows the first at once, the others keep the pace.
		failures = (n - 1) / refusals
		return time.Duration(failures+1) * (refusals - 2) * pace, failures
	}
	// A dial ends after within, and with it at most this many siblings.
	siblings := int(within / pace)
	if n <= siblings {
		return time.Duration(n) * pace, 0
	}
	failures = (n - 1) / siblings
	return time.Duration(failures+1) * within, failures
}

// informerBound: silence on the watch's connection is found by a ping. Then the
// reflector pauses, connects, and lists from where it was; each failure on the
// way is followed by a pause twice as long.
func informerBound(w NetworkCondition, within time.Duration) time.Duration {
	took, failures := reconnectBound(w, within)
	bound := took + machine
	if w.Silent {
		bound += pingBound(within)
	}
	for n := range failures + 1 {
		bound += reflectorPause(n)
	}
	switch {
	case w.Late > 0:
		// A server that is slow and answers pings is a server. What comes late comes.
		return w.Late + machine
	case w.Answered && w.Lasts == 0:
		return tokenAge + longestPauseAfter(tokenAge) + machine
	case w.Answered:
		return w.Lasts + w.RetryAfter + longestPauseAfter(w.Lasts) + machine
	}
	return bound
}

// longestPauseAfter is the longest pause that a reflector can have begun when
// nothing has worked for that time: the pauses before it were at their
// shortest, which is half of their bound.
func longestPauseAfter(fault time.Duration) time.Duration {
	for n, begun := 0, time.Duration(0); ; n++ {
		shortest := reflectorPause(n) / 2
		if begun+shortest > fault {
			return reflectorPause(n)
		}
		begun += shortest
	}
}

// writerBounds: an update on a dead connection ends when a ping says so, or at
// the latest by the user timeout; one on a new connection has within for the
// dial or for the handshake. Its error comes back in that time, or the answer.
// After it a read and the next update need a connection, and a writer pauses
// before each: once where dials are hedged, more often where they are refused
// or handshakes hang, until the virtual IP stops naming the victim.
func writerBounds(w NetworkCondition, within time.Duration) (write, again time.Duration) {
	switch {
	case w.Late > 0 && w.Lasts > 0:
		// All that is late is answered when the fault ends.
		return w.Lasts + machine, w.Lasts + 2*writePause + machine
	case w.Late > 0:
		return w.Late + machine, 2*w.Late + writePause + machine // the read after an error may be late too
	case w.Answered && w.Lasts == 0:
		return within + machine, tokenAge + writePause + machine
	case w.Answered:
		// client-go waits within the call as it is asked to, and tries again.
		write = within
		if w.RetryAfter > 0 {
			write = w.Lasts + w.RetryAfter
		}
		if w.HTTP2 {
			// What no server has executed net/http sends again until one does.
			write = w.Lasts
		}
		return write + machine, w.Lasts + w.RetryAfter + 2*writePause + machine
	}
	write = within + latestUserTimeout + machine
	took, failures := reconnectBound(w, within)
	again = took + time.Duration(failures+2)*writePause + machine
	if w.New == NoHandshake {
		again = max(again, w.Named+within+2*writePause+machine)
	}
	if w.Silent {
		again += within + latestUserTimeout
	}
	return write, again
}

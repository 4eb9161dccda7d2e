package leaderelection

import "time"

// lateness is how late the timers of this elector have been of late: not at all
// where its process has the CPU it needs. Where it has not, an answer may have come
// that it has not come to read, and asking again would make it later still. The zero
// value has seen nothing late.
//
// A process that has been late for as long as half a term was rather stopped, and
// what it waits for may be lost: that is no lateness.
type lateness struct{ by time.Duration }

// fired notes that a timer which was due so long ago has fired now. What it has
// seen before counts for half.
func (l *lateness) fired(ago time.Duration, t timing) {
	if ago >= t.term()/2 {
		ago = 0
	}
	l.by = max(ago, l.by/2)
}

// patience returns how much longer than usual an answer is waited for.
func (l *lateness) patience(t timing) time.Duration {
	if l.by < t.retry/10 {
		return 0
	}
	return min(4*l.by, t.term()/2)
}

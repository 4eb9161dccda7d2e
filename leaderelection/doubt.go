package leaderelection

import "time"

// decideDoubt is how long a term may be in doubt once that is known.
const decideDoubt = 50 * time.Millisecond

// compareTimes renews at once where a clock that counts suspension says that it
// is time to, and sees to it that a term which is over by such a clock ends
// unless the renewal succeeds. Once the clocks have leapt,
// they are compared again and again until the term counts from after the leap.
func (l *leadership) compareTimes() {
	now := l.election.clock.now()
	if l.clocks == nil && l.election.clock.mayLeap() || now.ahead(l.term.lastSent()) {
		l.compare.Reset(compareClocks)
	}
	doubted, rest := l.inDoubt, l.term.fastRest(now)
	if rest <= 0 && l.foreseen && rest > -compareClocks {
		l.endTerm(&TermEndedError{Reason: ReasonInDoubt})
		return
	}
	l.inDoubt, l.foreseen = rest <= 0, rest > 0 && now.ahead(l.term.lastSent())
	switch {
	case l.inDoubt && !doubted:
		l.doubt.Reset(decideDoubt)
		if l.renewing {
			l.renewAtOnce()
		}
	case l.foreseen:
		l.doubt.Reset(rest)
	case !l.inDoubt:
		l.doubt.Stop()
	}
	if l.inDoubt || now.fastestSince(l.term.lastSent()) >= l.timing.nextRenewal(l.took) {
		l.renew()
	}
}

// doubtOver ends a term that has been in doubt for as long as it may be. One whose
// end by the fastest clock was foreseen ends right then, unless a further leap has
// brought it past that.
func (l *leadership) doubtOver() {
	if l.foreseen {
		l.compareTimes()
	} else if l.term.inDoubt(l.election.clock.now()) {
		l.endTerm(&TermEndedError{Reason: ReasonInDoubt})
	}
}

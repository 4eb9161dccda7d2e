package leaderelection

import (
	"context"

	"github.com/holdfast-go/holdfast/internal/bounded"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// handover is a leader's part where others may ask it to hand the lease over. The zero
// value was asked by nobody.
type handover struct {
	// wish is the last one that was considered, at considered; again says that this was
	// not for the first time.
	wish       rl.Wish
	considered instant
	again      bool
	// answers is where this leader's own priority comes; nil while it is not asked.
	answers chan priorityAnswer
	// heir is to whom the lease is handed over; empty for nobody.
	heir string
}

// hears reports whether others may ask for the lease after a renewal. A wish costs the
// next one two answers more: it is refused, the Lease is read, and then renewed. So nobody
// is asked to bear that while answers are slow.
func (l *leadership) hears(renewed outcome) bool {
	config := &l.config
	return config.handoverAfter > 0 && !config.coordinated && !renewed.settled && l.took <= l.timing.period()/4
}

// heed considers what a contender asks for in a state, not before the term has lasted for
// as long as HandoverAfter. A wish that was refused is considered again each time that so
// much has passed, since this leader's own priority may have fallen.
func (l *leadership) heed(state rl.Snapshot) {
	wish, asks := state.Wish()
	now, h := l.election.clock.now(), &l.handover
	known := wish.By == h.wish.By && wish.Priority == h.wish.Priority
	switch config := &l.config; {
	case !asks || config.handoverAfter <= 0 || config.coordinated:
	case l.stopReason != nil || !l.term.lasts() || h.answers != nil:
	case known && now.monoSince(h.considered) < config.handoverAfter:
	case now.monoSince(l.began) < config.handoverAfter: // it stays in the Lease
	default:
		h.wish, h.considered, h.again, h.answers = wish, now, known, make(chan priorityAnswer, 1)
		go func(ctx context.Context, answers chan<- priorityAnswer) {
			answers <- l.config.priority.forWish(ctx)
		}(bounded.Unawaited(context.WithoutCancel(l.runCtx)), l.handover.answers)
	}
}

// decide hands the lease over to whoever has asked for it and is preferred to this
// leader.
func (l *leadership) decide(own priorityAnswer) {
	wish := l.handover.wish
	l.handover.answers = nil
	switch {
	case own.err != nil:
		l.logger.Info("The priority of this leader could not be asked; it leads on", "askedBy", wish.By, "err", own.err)
	case wish.Priority <= own.priority && l.handover.again: // that was said
	case wish.Priority <= own.priority:
		l.logger.Info("A contender asked for the lease that is not preferred; leading on", "askedBy", wish.By, "itsPriority", wish.Priority, "priority", own.priority)
	default:
		l.logger.Info("Handing the lease over to a contender that is preferred", "to", wish.By, "itsPriority", wish.Priority, "priority", own.priority)
		l.handover.heir = wish.By
		l.stop(&TermEndedError{Reason: ReasonResigned}, true)
	}
}

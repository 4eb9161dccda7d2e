package podlabel

import "time"

// The first pauses after a look that has failed, and after one that has not.
const (
	pauseFailed = 100 * time.Millisecond
	pauseDone   = time.Second
)

// pace is how long to pause between two looks. The zero value is ready for use.
type pace struct {
	failing bool
	pause   time.Duration
}

// next returns the pause after a look that came to err: twice the last one as long
// as it goes on like that, and never more than most.
func (p *pace) next(err error, most time.Duration) time.Duration {
	switch failing := err != nil; {
	case p.pause > 0 && failing == p.failing:
		p.pause *= 2
	case failing:
		p.failing, p.pause = true, pauseFailed
	default:
		p.failing, p.pause = false, pauseDone
	}
	p.pause = min(p.pause, most)
	return p.pause
}

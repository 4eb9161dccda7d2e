package witness

import (
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// pace is how soon the next watch of a Pod may be opened. What fails at once, for
// whatever reason, is tried at ever longer intervals.
type pace struct{ pause time.Duration }

const (
	shortestPause = 250 * time.Millisecond
	longestPause  = 30 * time.Second
	refusedPause  = 5 * time.Minute // a right that is missing comes seldom
	steady        = 10 * time.Second
)

func newPace() *pace { return &pace{} }

// next returns the pause after a watch that was open for so long and then ended
// with an error.
func (p *pace) next(err error, lasted time.Duration) time.Duration {
	switch {
	case refused(err):
		p.pause = refusedPause
	case lasted >= steady || p.pause == 0:
		p.pause = shortestPause
	default:
		p.pause = min(2*p.pause, longestPause)
	}
	pause := p.pause
	if seconds, asked := apierrors.SuggestsClientDelay(err); asked {
		pause = max(pause, time.Duration(seconds)*time.Second)
	}
	return pause + rand.N(pause/4) // so that many do not come at once
}

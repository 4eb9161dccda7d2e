package simulation

import (
	"errors"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Weather is what befalls the requests of a host.
type Weather int

const (
	// Clear: every request is answered within calm each way. The API may still
	// receive it twice.
	Clear Weather = iota
	// Cut: nothing arrives anywhere, and nobody is told.
	Cut
	// Refused: every request fails at once.
	Refused
	// Slow: requests and answers take up to a lease each.
	Slow
	// LateAnswers: requests arrive at once, their answers late.
	LateAnswers
	// Lossy: a third of the requests and a third of the answers are lost.
	Lossy
	// Overloaded: most requests are answered 429 or 500, some of which the API
	// has executed all the same.
	Overloaded
	// Mixed: any of all this.
	Mixed
	weathers

	// Constant: every answer takes the same time, nearly half a term at most. It is
	// the weather of worlds with a slow API when nothing else is wrong.
	Constant
	// Refusing: some verbs are refused at once.
	Refusing
)

func (w Weather) String() string {
	return [...]string{"clear", "cut off", "refused", "slow", "late answers", "lossy", "overloaded", "mixed", "", "constantly slow", "refusing"}[w]
}

// calm is how long a request, and an answer, takes at most in clear weather.
const calm = 5 * time.Millisecond

var errRefused = errors.New("connection refused")

// fate is what becomes of one request.
type fate struct {
	// up and down are how long the request and its answer are on their way.
	up, down time.Duration
	// lost: it never arrives. mute: its answer never does.
	lost, mute bool
	// before and after are errors answered in place of, and after, execution.
	before, after error
	// lands: it arrives also when its caller has given it up by then.
	lands bool
	// twin, if not zero, is when after the sending it arrives a second time.
	twin time.Duration
}

// fate draws what becomes of a request.
func (w Weather) fate(random *rand.Rand, t Timing) fate {
	f := fate{
		up: between(random, calm/20, calm), down: between(random, calm/20, calm),
		lands: random.IntN(2) == 0,
	}
	if random.IntN(8) == 0 {
		f.twin = between(random, f.up, t.Lease)
	}
	dice := random.Float64()
	switch w {
	case Clear:
	case Cut:
		f.lost, f.twin = true, 0
	case Refused:
		f.before = errRefused
	case Slow:
		if f.up = between(random, calm, t.Lease); dice < 0.5 {
			f.up = between(random, calm, t.Deadline/4)
		}
		f.down = between(random, calm, t.Deadline/2)
	case LateAnswers:
		f.down = between(random, t.Deadline/4, t.Deadline/2)
	case Lossy:
		f.lost, f.mute = dice < 0.33, dice > 0.67
	case Overloaded:
		f.before, f.after = overload(dice, random)
	case Mixed:
		return Weather(random.IntN(int(Mixed))).fate(random, t)
	}
	if w != Clear && w != Cut && random.IntN(10) == 0 {
		// A second attempt overtakes the first, whose answer is what is heard.
		f.after = apierrors.NewConflict(leases, "lease", errors.New("its twin was faster"))
	}
	return f
}

func overload(dice float64, random *rand.Rand) (before, after error) {
	switch {
	case dice < 0.4:
		return apierrors.NewTooManyRequests("too many requests", 1+random.IntN(8)), nil
	case dice < 0.7:
		return apierrors.NewInternalError(errors.New("etcdserver: no leader")), nil
	case dice < 0.8:
		return nil, apierrors.NewInternalError(errors.New("etcdserver: request timed out"))
	}
	return nil, nil
}

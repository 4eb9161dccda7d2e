package simulation

import (
	"errors"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// NetworkCondition is what befalls the requests of a host.
type NetworkCondition int

const (
	// Clear: every request is answered within clearDelay each way. The API may still
	// receive it twice.
	Clear NetworkCondition = iota
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
	drawnConditions

	// Constant: every answer takes the same time, nearly half a term at most. It is
	// the network of worlds with a slow API when nothing else is wrong.
	Constant
	// Refusing: some verbs are refused at once.
	Refusing
)

func (c NetworkCondition) String() string {
	return [...]string{"clear", "cut off", "refused", "slow", "late answers", "lossy", "overloaded", "mixed", "", "constantly slow", "refusing"}[c]
}

// clearDelay is how long a request, and an answer, takes at most on a clear network.
const clearDelay = 5 * time.Millisecond

var errRefused = errors.New("connection refused")

// requestFate is what becomes of one request.
type requestFate struct {
	// requestDelay and answerDelay are how long the request and its answer are on their way.
	requestDelay, answerDelay time.Duration
	// requestLost: it never arrives. answerLost: its answer never does.
	requestLost, answerLost bool
	// errBefore and errAfter are errors answered in place of, and after, execution.
	errBefore, errAfter error
	// outlivesCaller: it arrives also when its caller has given it up by then.
	outlivesCaller bool
	// duplicateAt, if not zero, is when after the sending it arrives a second time.
	duplicateAt time.Duration
}

// draw draws what becomes of a request.
func (c NetworkCondition) draw(random *rand.Rand, t Timing) requestFate {
	f := requestFate{
		requestDelay: between(random, clearDelay/20, clearDelay), answerDelay: between(random, clearDelay/20, clearDelay),
		outlivesCaller: random.IntN(2) == 0,
	}
	if random.IntN(8) == 0 {
		f.duplicateAt = between(random, f.requestDelay, t.Lease)
	}
	dice := random.Float64()
	switch c {
	case Clear:
	case Cut:
		f.requestLost, f.duplicateAt = true, 0
	case Refused:
		f.errBefore = errRefused
	case Slow:
		if f.requestDelay = between(random, clearDelay, t.Lease); dice < 0.5 {
			f.requestDelay = between(random, clearDelay, t.Deadline/4)
		}
		f.answerDelay = between(random, clearDelay, t.Deadline/2)
	case LateAnswers:
		f.answerDelay = between(random, t.Deadline/4, t.Deadline/2)
	case Lossy:
		f.requestLost, f.answerLost = dice < 0.33, dice > 0.67
	case Overloaded:
		f.errBefore, f.errAfter = overload(dice, random)
	case Mixed:
		return NetworkCondition(random.IntN(int(Mixed))).draw(random, t)
	}
	if c != Clear && c != Cut && random.IntN(10) == 0 {
		// A second attempt overtakes the first, whose answer is what is heard.
		f.errAfter = apierrors.NewConflict(leases, "lease", errors.New("its twin was faster"))
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

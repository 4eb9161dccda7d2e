package leaderelection

import (
	"fmt"
	"sync"
)

// attemptStats is what the attempt to renew that is under way has made so far, for
// whoever ends the term before it has come to anything. It is safe for
// concurrent use.
type attemptStats struct {
	mu             sync.Mutex
	calls, answers int
	err            error
}

// reset forgets what was made before.
func (a *attemptStats) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls, a.answers, a.err = 0, 0, nil
}

// addCall counts one more call.
func (a *attemptStats) addCall() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
}

// addAnswer notes that a call has come back, with err or without.
func (a *attemptStats) addAnswer(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers++
	if err != nil {
		a.err = err
	}
}

// summary returns how many calls were made, and why they have not sufficed: what
// the last one to fail failed with, or that some wait still. The error is nil
// where neither is so.
func (a *attemptStats) summary() (calls int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if waiting := a.calls - a.answers; a.err == nil && waiting > 0 {
		return a.calls, fmt.Errorf("%d of %d calls were not answered", waiting, a.calls)
	}
	return a.calls, a.err
}

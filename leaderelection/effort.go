package leaderelection

import (
	"fmt"
	"sync"
)

// effort is what the attempt to renew that is under way has made so far, for
// whoever ends the term before it has come to anything. It is safe for
// concurrent use.
type effort struct {
	mu             sync.Mutex
	calls, answers int
	err            error
}

// begin forgets what was made before.
func (e *effort) begin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls, e.answers, e.err = 0, 0, nil
}

// called counts one more call.
func (e *effort) called() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls++
}

// answered notes that a call has come back, with err or without.
func (e *effort) answered(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answers++
	if err != nil {
		e.err = err
	}
}

// made returns how many calls were made, and why they have not sufficed: what
// the last one to fail failed with, or that some wait still. The error is nil
// where neither is so.
func (e *effort) made() (calls int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if waiting := e.calls - e.answers; e.err == nil && waiting > 0 {
		return e.calls, fmt.Errorf("%d of %d calls were not answered", waiting, e.calls)
	}
	return e.calls, e.err
}

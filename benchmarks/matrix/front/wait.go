package front

import (
	"net/http"
	"time"
)

// ending says what ended a wait.
type ending int

const (
	waited  ending = iota // its time
	ended                 // the fault
	givenUp               // the client
)

// wait waits for d, at most until the fault or the request ends.
func wait(r *http.Request, d time.Duration, over <-chan struct{}) ending {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return waited
	case <-over:
		return ended
	case <-r.Context().Done():
		return givenUp
	}
}

// outlast waits until the fault ends, and reports whether the client did too.
func outlast(r *http.Request, over <-chan struct{}) bool {
	select {
	case <-over:
		return true
	case <-r.Context().Done():
		return false
	}
}

// send writes and flushes, and reports whether the client was there.
func send(w http.ResponseWriter, content []byte) bool {
	if _, err := w.Write(content); err != nil {
		return false
	}
	return http.NewResponseController(w).Flush() == nil
}

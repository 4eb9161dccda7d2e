package front

import (
	"net/http"
	"time"
)

// Inform says again and again that there will be an answer (103 Early Hints),
// and gives it when the fault is over.
func Inform(pace time.Duration) Answer {
	return func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc, over <-chan struct{}) {
		for {
			w.WriteHeader(http.StatusEarlyHints)
			switch wait(r, pace, over) {
			case ended:
				pass(w, r)
				return
			case givenUp:
				return
			}
		}
	}
}

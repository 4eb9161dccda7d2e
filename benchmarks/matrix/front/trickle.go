package front

import (
	"net/http"
	"time"
)

// Trickle sends the body of the API server's answer a byte at a time, until the
// fault is over.
func Trickle(pace time.Duration) Answer {
	return func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc, over <-chan struct{}) {
		pass(&trickle{ResponseWriter: w, next: func() ending { return wait(r, pace, over) }}, r)
	}
}

type trickle struct {
	http.ResponseWriter
	next func() ending
	over bool
}

// Unwrap gives way to http.ResponseController.
func (t *trickle) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// Write implements io.Writer.
func (t *trickle) Write(content []byte) (int, error) {
	for n := range content {
		if t.over {
			rest, err := t.ResponseWriter.Write(content[n:])
			return n + rest, err
		}
		if !send(t.ResponseWriter, content[n:n+1]) {
			return n, errGivenUp
		}
		switch t.next() {
		case ended:
			t.over = true
		case givenUp:
			return n + 1, errGivenUp
		}
	}
	return len(content), nil
}

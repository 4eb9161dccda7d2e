package locktest

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// trickle is the time from one byte to the next of what never ends.
const trickle = 50 * time.Millisecond

// answers are what becomes of a request that has reached the server.
func answers() []Fault {
	// most and all are the extents of what happens to more than one request.
	most, all := []played{in(Once), in(Everyone, leader)}, []played{in(Once), in(Old), in(Everyone)}
	return []Fault{
		{Name: "silence", plays: all, serve: func(_ http.ResponseWriter, r *http.Request, _ http.HandlerFunc) { <-r.Context().Done() }},
		{Name: "reset", plays: most, serve: func(_ http.ResponseWriter, r *http.Request, _ http.HandlerFunc) { connOf(r).reset() }},
		{Name: "end", serve: func(_ http.ResponseWriter, r *http.Request, _ http.HandlerFunc) { _ = connOf(r).Close() }},
		{Name: "too-many-requests", serve: func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
			refuse(w, http.StatusTooManyRequests, "1")
		}},
		{Name: "unavailable", serve: func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
			refuse(w, http.StatusServiceUnavailable, "")
		}},
		{Name: "internal-error", plays: most, serve: func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
			refuse(w, http.StatusInternalServerError, "")
		}},
		{Name: "retry-after-beyond-31-bits", serve: func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
			refuse(w, http.StatusServiceUnavailable, "99999999999")
		}},
		{Name: "body-silent-known-length", serve: func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			w.Header().Set("Content-Length", "1000")
			half(w, r, nil)
		}},
		{Name: "body-silent-unknown-length", plays: most, serve: half},
		{Name: "body-silent-compressed", serve: func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Type", "application/json")
			zip := gzip.NewWriter(w)
			_, _ = io.WriteString(zip, start)
			_ = zip.Flush()
			flush(w)
			<-r.Context().Done()
		}},
		{Name: "body-a-byte-at-a-time", serve: func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, start)
			drip(r, func() { _, _ = io.WriteString(w, " "); flush(w) })
		}},
		{Name: "retry-after-with-endless-body", plays: most, serve: func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			drip(r, func() { _, _ = io.WriteString(w, "x"); flush(w) })
		}},
		{Name: "redirect-loop", serve: func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			select {
			case <-time.After(4 * trickle):
			case <-r.Context().Done():
			}
			http.Redirect(w, r, r.URL.String(), http.StatusTemporaryRedirect)
		}},
		{Name: "1xx-without-end", serve: func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			drip(r, func() { w.WriteHeader(http.StatusEarlyHints) })
		}},
	}
}

// start is how a Lease begins.
const start = `{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":"it"`

// half sends the first half of an answer and then nothing.
func half(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, start)
	flush(w)
	<-r.Context().Done()
}

// drip does something again and again until the client has gone.
func drip(r *http.Request, more func()) {
	for {
		more()
		select {
		case <-time.After(trickle):
		case <-r.Context().Done():
			return
		}
	}
}

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

func refuse(w http.ResponseWriter, code int, retryAfter string) {
	body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"a fault","code":%d}`, code)
	if retryAfter != "" {
		w.Header().Set("Retry-After", retryAfter)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	_, _ = io.Copy(w, strings.NewReader(body))
}

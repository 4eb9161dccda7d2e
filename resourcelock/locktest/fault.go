package locktest

import (
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Fault is one thing that can happen to a request that has reached the server.
type Fault struct {
	// Name is that of the subtest.
	Name string
	// serve happens to the request instead of an answer.
	serve func(w http.ResponseWriter, r *http.Request)
}

// trickle is the time from one byte to the next of what never ends.
const trickle = 50 * time.Millisecond

// Faults returns every fault of the suite.
func Faults() []Fault {
	return []Fault{
		{"silence", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		{"reset", func(_ http.ResponseWriter, r *http.Request) { connOf(r).reset() }},
		{"end", func(_ http.ResponseWriter, r *http.Request) { _ = connOf(r).Close() }},
		{"too-many-requests", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusTooManyRequests, "1") }},
		{"unavailable", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusServiceUnavailable, "") }},
		{"internal-error", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusInternalServerError, "") }},
		{"retry-after-beyond-31-bits", func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, http.StatusServiceUnavailable, "99999999999")
		}},
		{"body-silent-known-length", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			half(w, r)
		}},
		{"body-silent-unknown-length", half},
		{"body-silent-compressed", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Type", "application/json")
			zip := gzip.NewWriter(w)
			_, _ = io.WriteString(zip, start)
			_ = zip.Flush()
			flush(w)
			<-r.Context().Done()
		}},
		{"body-a-byte-at-a-time", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, start)
			drip(r, func() { _, _ = io.WriteString(w, " "); flush(w) })
		}},
		{"retry-after-with-endless-body", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			drip(r, func() { _, _ = io.WriteString(w, "x"); flush(w) })
		}},
		{"redirect-loop", func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(4 * trickle):
			case <-r.Context().Done():
			}
			http.Redirect(w, r, r.URL.String(), http.StatusTemporaryRedirect)
		}},
		{"1xx-without-end", func(w http.ResponseWriter, r *http.Request) {
			drip(r, func() { w.WriteHeader(http.StatusEarlyHints) })
		}},
	}
}

// start is how a Lease begins.
const start = `{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":"it"`

// half sends the first half of an answer and then nothing.
func half(w http.ResponseWriter, r *http.Request) {
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

// accepted is a connection of the server.
type accepted struct {
	net.Conn
	since time.Time
}

// reset ends the connection by an RST.
func (c *accepted) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

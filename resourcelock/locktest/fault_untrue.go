package locktest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// untruths are answers that look well and are not: those of a proxy or a cache that
// stands in for the server, or of an admission that puts back what stood there.
func untruths() []Fault {
	extents := []played{in(Once), in(Everyone, leader)}
	return []Fault{
		{
			Name: "another-lease", plays: extents,
			bears: func(call string) bool { return call == "Watch" },
			serve: func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
				if watches(r) {
					pass(w, r)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = fmt.Fprintf(w, another, time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"))
			},
		},
		{
			Name: "swallowed-write", plays: extents,
			bears: func(call string) bool { return call == "Get" || call == "Read" || call == "Watch" },
			serve: func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
				if r.Method == http.MethodPost || r.Method == http.MethodPut {
					r = stands(r)
				}
				pass(w, r)
			},
		},
	}
}

// another is a Lease that nobody has asked for.
const another = `{"kind":"Lease","apiVersion":"coordination.k8s.io/v1",` +
	`"metadata":{"name":"another","namespace":"default","resourceVersion":"7","uid":"00000000-0000-0000-0000-000000000007"},` +
	`"spec":{"holderIdentity":"another","leaseDurationSeconds":15,"renewTime":"%s"}}`

func watches(r *http.Request) bool { return r.URL.Query().Get("watch") != "" }

// stands turns a write of the Lease into a request for what stands there.
func stands(r *http.Request) *http.Request {
	read := r.Clone(r.Context())
	if r.Method == http.MethodPost {
		read.URL.Path = strings.TrimSuffix(r.URL.Path, "/") + "/it"
	}
	read.Method, read.URL.RawQuery = http.MethodGet, ""
	read.Body, read.ContentLength = io.NopCloser(http.NoBody), 0
	for _, name := range []string{"Content-Type", "Content-Length", "Content-Encoding"} {
		read.Header.Del(name)
	}
	return read
}

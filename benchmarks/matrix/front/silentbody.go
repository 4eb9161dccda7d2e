package front

import (
	"compress/gzip"
	"errors"
	"net/http"
	"strings"
)

// Body says how the end of an answer's body is told.
type Body int

// How the end of a body is told.
const (
	// Known: by Content-Length, where the API server's answer has one.
	Known Body = iota
	// Unknown: by its end alone.
	Unknown
	// Compressed: by the end of a gzip stream, where the client accepts one.
	Compressed
)

// SilentBody sends the headers of the API server's answer and half of what comes
// first of its body, and nothing more until the fault is over.
func SilentBody(b Body) Answer {
	return func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc, over <-chan struct{}) {
		s := &silentBody{ResponseWriter: w, body: b, outlast: func() bool { return outlast(r, over) }}
		if b == Compressed && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			s.zip = gzip.NewWriter(w)
			r.Header.Del("Accept-Encoding") // the API server is not to compress as well
			defer s.zip.Close()
		}
		pass(s, r)
	}
}

var errGivenUp = errors.New("the client has given up")

type silentBody struct {
	http.ResponseWriter
	body    Body
	zip     *gzip.Writer // nil where nothing is compressed
	outlast func() bool
	begun   bool
}

// Unwrap gives way to http.ResponseController.
func (s *silentBody) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (s *silentBody) WriteHeader(code int) {
	if s.body != Known {
		s.Header().Del("Content-Length")
	}
	if s.zip != nil {
		s.Header().Set("Content-Encoding", "gzip")
	}
	s.ResponseWriter.WriteHeader(code)
}

// Write implements io.Writer.
func (s *silentBody) Write(content []byte) (int, error) {
	half := 0
	if !s.begun {
		s.begun = true
		half = len(content) / 2
		if !s.send(content[:half]) || !s.outlast() {
			return half, errGivenUp
		}
	}
	if !s.send(content[half:]) {
		return half, errGivenUp
	}
	return len(content), nil
}

func (s *silentBody) send(content []byte) bool {
	if s.zip == nil {
		return send(s.ResponseWriter, content)
	}
	if _, err := s.zip.Write(content); err != nil || s.zip.Flush() != nil {
		return false
	}
	return http.NewResponseController(s.ResponseWriter).Flush() == nil
}

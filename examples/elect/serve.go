package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/leaderelection"
)

// answerTimeout bounds a request, and how long the last ones are waited for when the
// process ends.
const answerTimeout = 2 * time.Second

// leader is the answer of GET /leader.
type leader struct {
	// Lease is namespace/name.
	Lease string `json:"lease"`
	// Holder is the identity that leads as far as this process knows; empty: nobody.
	Holder string `json:"holder"`
	// Self is the identity of this process, and Leading whether it leads.
	Self    string `json:"self"`
	Leading bool   `json:"leading"`
	// Term is when the term began and FencingToken its token, while this process leads.
	Term         *time.Time `json:"term,omitempty"`
	FencingToken string     `json:"fencingToken,omitempty"`
}

// holderNow returns who leads by what an elector knows; empty: nobody, or it cannot tell.
func holderNow(s leaderelection.Status, self string) string {
	switch {
	case s.Leading:
		return self
	case s.Holder == self, s.Leaderless > 0: // our own term is over or in doubt, or the holder's lease has run out
		return ""
	default:
		return s.Holder
	}
}

// nameOf returns the name of the Pod or host in an identity: what stands before the first
// underscore, which no host name has.
func nameOf(identity string) string {
	name, _, _ := strings.Cut(identity, "_")
	return name
}

// answers is what is served over HTTP.
type answers struct {
	lease, self string
	elector     *leaderelection.LeaderElector
	alive       func(*http.Request) error
	ready       func(*http.Request) error
	metrics     http.Handler
}

func (a answers) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /leader", func(w http.ResponseWriter, _ *http.Request) { reply(w, a.leader()) })
	// The form of the leader-elector that was a sidecar in Kubernetes' early years: programs
	// compare name with their host name.
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, struct {
			Name string `json:"name"`
		}{nameOf(a.leader().Holder)})
	})
	mux.Handle("GET /healthz", check(a.alive, http.StatusInternalServerError))
	mux.Handle("GET /readyz", check(a.ready, http.StatusServiceUnavailable))
	mux.Handle("GET /metrics", a.metrics)
	return mux
}

func (a answers) leader() leader {
	status := a.elector.Status()
	l := leader{Lease: a.lease, Holder: holderNow(status, a.self), Self: a.self, Leading: status.Leading}
	if term := a.elector.Term(); l.Leading && term != nil {
		began := term.AcquireTime().UTC()
		l.Term, l.FencingToken = &began, term.FencingToken()
	}
	return l
}

func reply(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // the client has gone
}

// check answers ok, or with the status where passes returns an error.
func check(passes func(*http.Request) error, status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := passes(r); err != nil {
			http.Error(w, err.Error(), status)
			return
		}
		fmt.Fprintln(w, "ok")
	}
}

// serve serves handler on address until the returned function is called. An empty
// address serves nothing. failed is called if serving ends by itself.
func serve(address string, handler http.Handler, failed func(error)) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("-address=%q: %w", address, err)
	}
	klog.Background().Info("Serving", "address", listener.Addr().String())
	server := &http.Server{Handler: handler, ReadTimeout: answerTimeout, WriteTimeout: answerTimeout}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed(fmt.Errorf("serving on %s: %w", listener.Addr(), err))
		}
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
		<-done
	}, nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// healthTimeout bounds a probe's request, and how long the last ones are waited
// for when the process ends.
const healthTimeout = 2 * time.Second

// healthHandler serves /healthz, which fails when alive does, and /readyz, which
// fails until ready reports true.
func healthHandler(alive func(*http.Request) error, ready func() bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if err := alive(r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !ready() {
			http.Error(w, "the caches are not filled yet", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}

// serveHealth serves handler on address until the returned function is called,
// which waits until nothing is left of it. An empty address serves nothing.
// failed is called if serving ends by itself.
func serveHealth(address string, handler http.Handler, failed func(error)) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("-health-address=%q: %w", address, err)
	}
	server := &http.Server{Handler: handler, ReadTimeout: healthTimeout, WriteTimeout: healthTimeout}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed(fmt.Errorf("serving health checks on %s: %w", listener.Addr(), err))
		}
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), healthTimeout)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
		<-done
	}, nil
}

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
// fails when ready does.
func healthHandler(alive, ready func(*http.Request) error) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", check(alive, http.StatusInternalServerError))
	mux.Handle("GET /readyz", check(ready, http.StatusServiceUnavailable))
	return mux
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
